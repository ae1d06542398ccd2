//! JSON texts laid out anew, without another change: keys keep their order and numbers their digits.

/// The longest value that stands on the line of its key.
const LINE_CHARS_MAX: usize = 80;

/// The value on one line; `None` when it is not well-formed JSON.
pub(super) fn line(text: &str) -> Option<String> {
    laid_out(text, false)
}

/// Whether a value on one line is short enough to stand on that of its key.
pub(super) fn is_short(line: &str) -> bool {
    line.chars().count() <= LINE_CHARS_MAX
}

/// The value over several lines, two spaces a level; small inner values stay on a line.
pub(super) fn block(text: &str) -> Option<String> {
    laid_out(text, true)
}

fn laid_out(text: &str, is_long: bool) -> Option<String> {
    let value: Box<serde_json::value::RawValue> = serde_json::from_str(text).ok()?;
    let tokens = tokens(value.get());
    let mut out = String::new();
    let mut at = 0;
    put(&tokens, &mut at, 0, is_long, &mut out);
    Some(out)
}

/// Brackets, commas, colons, strings and bare words of well-formed JSON.
fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            _ => rest
                .find(|c: char| c.is_ascii_whitespace() || "{}[],:\"".contains(c))
                .unwrap_or(rest.len()),
        };
        found.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    found
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, b) in text.bytes().enumerate().skip(1) {
        if b == b'"' && !is_escaped {
            return at + 1;
        }
        is_escaped = b == b'\\' && !is_escaped;
    }
    text.len()
}

/// Writes the value that begins at token `at`.
fn put(tokens: &[&str], at: &mut usize, level: usize, is_long: bool, out: &mut String) {
    let Some(token) = tokens.get(*at) else { return };
    *at += 1;
    let close = match *token {
        "{" => "}",
        "[" => "]",
        word => return out.push_str(word),
    };
    let is_object = close == "}";
    out.push_str(token);
    if tokens.get(*at) == Some(&close) {
        *at += 1;
        return out.push_str(close);
    }
    let spread = is_long && (level == 0 || line_length(&tokens[*at - 1..]) > LINE_CHARS_MAX);
    let newline = |out: &mut String, level: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", level));
    };
    if spread {
        newline(out, level + 1);
    }
    loop {
        if is_object {
            out.push_str(tokens.get(*at).unwrap_or(&""));
            out.push_str(": ");
            *at += 2;
        }
        put(tokens, at, level + 1, spread, out);
        let after = tokens.get(*at).copied().unwrap_or(close);
        *at += 1;
        if after == close {
            break;
        }
        out.push(',');
        if spread { newline(out, level + 1) } else { out.push(' ') }
    }
    if spread {
        newline(out, level);
    }
    out.push_str(close);
}

/// The characters of the value that begins `tokens`, on one line; counts no further than it must.
fn line_length(tokens: &[&str]) -> usize {
    let (mut length, mut depth) = (0, 0_u32);
    for token in tokens {
        length += token.chars().count() + usize::from(matches!(*token, "," | ":"));
        match *token {
            "{" | "[" => depth += 1,
            "}" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 || length > LINE_CHARS_MAX {
            break;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_changes_nothing_else() {
        let text = r#"{"b":1.50,"a":[ ],"c":{"x":"a,b: {\"}","y":[1,2,{}]} }"#;
        let expected = r#"{"b": 1.50, "a": [], "c": {"x": "a,b: {\"}", "y": [1, 2, {}]}}"#;
        assert_eq!(line(text).unwrap(), expected);
        assert_eq!(
            block(text).unwrap(),
            "{\n  \"b\": 1.50,\n  \"a\": [],\n  \"c\": {\"x\": \"a,b: {\\\"}\", \"y\": [1, 2, {}]}\n}"
        );
        for text in ["5", "\"a\"", "null", "[]", "[[[]]]"] {
            assert_eq!(line(text).as_deref(), Some(text));
            assert_eq!(block(&block(text).unwrap()), block(text));
        }
        assert_eq!(line("{a = 1}"), None);
    }
}
