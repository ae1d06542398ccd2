//! Titles: plain text as Markdown that says just that.

/// `text` in bold, so that a reader of Markdown sees exactly it.
pub(super) fn bold(text: &str) -> String {
    if text.is_empty() {
        // A space is no title; written plainly it would not be bold either.
        return "**&#32;**".to_owned();
    }
    let mut out = String::from("**");
    for c in text.chars() {
        match c {
            ' ' => out.push(' '),
            // What Markdown could take for formatting, for a link or for an entity.
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '!' => out.extend(['\\', c]),
            c if c.is_control() || c.is_whitespace() => {
                out.push_str(&format!("&#{};", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out + "**"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_stay_plain() {
        assert_eq!(bold("Check the pump"), "**Check the pump**");
        assert_eq!(bold("a_b `c` [d](e) &amp; \\"), "**a\\_b \\`c\\` \\[d\\](e) \\&amp; \\\\**");
        assert_eq!(bold("a\u{a0}b\tc"), "**a&#160;b&#9;c**");
    }
}
