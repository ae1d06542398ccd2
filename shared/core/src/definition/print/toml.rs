//! TOML values.

use serde_json::Value;

/// A text in quotes: single ones where that saves escapes.
pub(super) fn text(text: &str) -> String {
    let is_plain = !text.contains(|c: char| c == '\'' || (c.is_control()));
    if text.contains(['"', '\\']) && is_plain {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A JSON value as an inline TOML value; `None` when TOML cannot say it.
pub(super) fn inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => {
            let is_sayable = number.is_f64() || number.as_i64().is_some();
            return is_sayable.then(|| number.to_string());
        }
        Value::String(string) => text(string),
        Value::Array(list) => {
            let parts: Option<Vec<String>> = list.iter().map(inline).collect();
            format!("[{}]", parts?.join(", "))
        }
        Value::Object(object) if object.is_empty() => "{}".to_owned(),
        Value::Object(object) => {
            let parts: Option<Vec<String>> = object
                .iter()
                .map(|(key, value)| Some(format!("{} = {}", self::key(key), inline(value)?)))
                .collect();
            format!("{{ {} }}", parts?.join(", "))
        }
    })
}

/// A key, in quotes where it needs them.
pub(super) fn key(key: &str) -> String {
    let is_bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !key.is_empty() && key.bytes().all(is_bare) { key.to_owned() } else { text(key) }
}
