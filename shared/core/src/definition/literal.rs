//! Places inside a TOML string: from bytes of the text it stands for to bytes of the file.

use std::ops::Range;

/// The bytes of `source` that `within`, in bytes of the decoded text, was written as.
///
/// `literal` is the string with its quotes. Falls back to the whole literal where the walk and the
/// decoded text disagree.
/// Source: TOML 1.1, section String.
pub(super) fn locate(
    source: &str,
    literal: Range<usize>,
    decoded: &str,
    within: Range<usize>,
) -> Range<usize> {
    let Some(raw) = source.get(literal.clone()) else { return literal };
    let Some(map) = offsets(raw, decoded) else { return literal };
    let raw_at = |at: usize| map.partition_point(|(text, _)| *text < at).min(map.len() - 1);
    let start = map[raw_at(within.start.min(decoded.len()))].1;
    let end = map[raw_at(within.end.min(decoded.len()))].1;
    literal.start + start..literal.start + end.max(start)
}

/// Pairs of (offset in the decoded text, offset in `raw`), one for each character and the end.
fn offsets(raw: &str, decoded: &str) -> Option<Vec<(usize, usize)>> {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| raw.starts_with(quote))?;
    let escapes = quote.starts_with('"');
    let mut at = quote.len();
    let close = raw.len().checked_sub(quote.len()).filter(|close| *close >= at)?;
    if quote.len() == 3 {
        at += newline(&raw[at..]);
    }
    let mut map = Vec::with_capacity(decoded.len() + 1);
    let mut text = 0;
    while at < close {
        let rest = &raw[at..close];
        let expected = decoded[text..].chars().next();
        let (length, stands_for) = match rest.strip_prefix('\\').filter(|_| escapes) {
            Some(escape) => escaped(escape)?,
            None => rest.chars().next().map(|c| (c.len_utf8(), Some(c)))?,
        };
        if let Some(c) = stands_for {
            // A reader may turn CR LF into LF.
            if c == '\r' && expected != Some('\r') {
                at += length;
                continue;
            }
            if expected != Some(c) {
                return None;
            }
            map.push((text, at));
            text += c.len_utf8();
        }
        at += length;
    }
    map.push((text, close));
    (text == decoded.len()).then_some(map)
}

/// Bytes of an escape with its backslash, and its character; none for an escaped line end.
fn escaped(after_backslash: &str) -> Option<(usize, Option<char>)> {
    let kind = after_backslash.chars().next()?;
    let hex = |digits: usize| {
        let code = u32::from_str_radix(after_backslash.get(1..1 + digits)?, 16).ok()?;
        Some((2 + digits, Some(char::from_u32(code)?)))
    };
    match kind {
        'b' => Some((2, Some('\u{8}'))),
        't' => Some((2, Some('\t'))),
        'n' => Some((2, Some('\n'))),
        'f' => Some((2, Some('\u{c}'))),
        'r' => Some((2, Some('\r'))),
        'e' => Some((2, Some('\u{1b}'))),
        '"' | '\\' => Some((2, Some(kind))),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        ' ' | '\t' | '\r' | '\n' => {
            let blank = after_backslash.len() - after_backslash.trim_start().len();
            Some((1 + blank, None))
        }
        _ => None,
    }
}

fn newline(text: &str) -> usize {
    ["\r\n", "\n"].into_iter().find(|end| text.starts_with(end)).map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn slice(source: &str, wanted: &str) -> String {
        let table = DeTable::parse(source).unwrap();
        let value = table.get_ref().get("c").unwrap();
        let decoded = value.get_ref().as_str().unwrap();
        let at = decoded.find(wanted).unwrap();
        source[locate(source, value.span(), decoded, at..at + wanted.len())].to_owned()
    }

    #[test]
    fn finds_the_written_form() {
        assert_eq!(slice(r#"c = "$.env == \"prod\"""#, "\"prod\""), r#"\"prod\""#);
        assert_eq!(slice(r#"c = "\u00e9\t$.a ==""#, "$.a"), "$.a");
        assert_eq!(slice(r#"c = "é\U0001F600 > x""#, "> x"), "> x");
        assert_eq!(slice(r#"c = "a\x41b""#, "A"), "\\x41");
        assert_eq!(slice("c = '$.a > \\d'", "\\d"), "\\d");
        assert_eq!(slice("c = \"\"\"\n$.a \\\n   > 1\"\"\"", "> 1"), "> 1");
        assert_eq!(slice("c = \"\"\"\r\n$.a\r\n> 1\"\"\"", "> 1"), "> 1");
        assert_eq!(slice("c = '''$.a > '1' '''", "'1'"), "'1'");
    }

    #[test]
    fn disagreement_falls_back_to_the_whole_literal() {
        assert_eq!(locate("'ab'", 0..4, "xy", 0..1), 0..4);
        assert_eq!(locate("ab", 0..2, "ab", 0..1), 0..2);
        assert_eq!(locate("''", 0..2, "", 0..5), 1..1);
    }
}
