//! The text of a `switch`: cases with `;` between them, each `condition -> step` or `else -> step`.

use std::ops::Range;

use super::flow::Case;

/// One way out, and where it is written.
pub(super) struct Branch {
    pub(super) case: Case,
    pub(super) at: Range<usize>,
}

/// One case as it is written; bytes are those of the whole text.
pub(super) struct Part<'t> {
    pub(super) whole: Range<usize>,
    pub(super) condition: Range<usize>,
    /// What stands after the arrow; `None` without an arrow.
    pub(super) target: Option<&'t str>,
}

impl Part<'_> {
    pub(super) fn condition<'t>(&self, text: &'t str) -> &'t str {
        &text[self.condition.clone()]
    }
}

/// Splits at the `;` and the last `->` that stand in no string, brackets or regular expression. One `;` may
/// stand at the end.
pub(super) fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut arrow = None;
    for (at, sign) in signs(text) {
        match sign {
            Sign::Arrow => arrow = Some(at),
            Sign::End => {
                parts.push(part(text, start..at, arrow.take()));
                start = at + 1;
            }
        }
    }
    if parts.is_empty() || !text[start..].trim().is_empty() {
        parts.push(part(text, start..text.len(), arrow));
    }
    parts
}

fn part(text: &str, whole: Range<usize>, arrow: Option<usize>) -> Part<'_> {
    let condition = trimmed(text, whole.start..arrow.unwrap_or(whole.end));
    let target = arrow.map(|arrow| text[arrow + 2..whole.end].trim());
    Part { whole: trimmed(text, whole), condition, target }
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

enum Sign {
    Arrow,
    End,
}

/// The signs that split, with their places.
fn signs(text: &str) -> Vec<(usize, Sign)> {
    let mut found = Vec::new();
    let mut closing = None;
    let mut depth = 0_u32;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if let Some(end) = closing {
            if c == '\\' {
                chars.next();
            } else if c == end {
                closing = None;
            }
            continue;
        }
        match c {
            '"' | '\'' | '/' => closing = Some(c),
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => found.push((at, Sign::End)),
            '-' if depth == 0 && chars.peek().is_some_and(|(_, next)| *next == '>') => {
                found.push((at, Sign::Arrow));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(&str, Option<&str>)> {
        split(text).iter().map(|part| (part.condition(text), part.target)).collect()
    }

    #[test]
    fn cases_split_where_nothing_encloses_the_sign() {
        assert_eq!(
            shown(r#"$.a == "x;y -> z" -> 4; $.b matches /a;b->\/;/i -> 5 ; else->6"#),
            [
                (r#"$.a == "x;y -> z""#, Some("4")),
                (r"$.b matches /a;b->\/;/i", Some("5")),
                ("else", Some("6")),
            ]
        );
        assert_eq!(shown(r#"$["a;->"] > -1 -> 2"#), [(r#"$["a;->"] > -1"#, Some("2"))]);
        assert_eq!(shown("$.a > 1 -> 2;"), [("$.a > 1", Some("2"))]);
        assert_eq!(shown("$.a > 1"), [("$.a > 1", None)]);
        assert_eq!(shown(";; else -> 2"), [("", None), ("", None), ("else", Some("2"))]);
        assert_eq!(shown("\"open -> 2; else -> 3"), [("\"open -> 2; else -> 3", None)]);
    }
}
