//! The value of `with`: JSON, or what may stand after `=` in TOML.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Number, Value};
use toml::de::DeValue;

use super::code;
use super::diagnostic::Sink;
use super::fields::toml_reason;
use super::markdown::KeyItem;

/// The value of a `with` key and its bytes; `None` when it was reported.
pub(super) fn read(sink: &mut Sink<'_>, key: &KeyItem<'_>) -> Option<Value> {
    read_value(sink, key, code::BAD_WITH, "{\"seconds\": 2}")
}

/// The JSON Schema of an `input` or `output` key; `None` when it was reported.
pub(super) fn read_schema(sink: &mut Sink<'_>, key: &KeyItem<'_>) -> Option<Value> {
    let example = "{\"type\": \"object\"}";
    let schema = read_value(sink, key, code::BAD_SCHEMA, example)?;
    if is_schema(&schema) {
        return Some(schema);
    }
    let at = key.fence.clone().unwrap_or_else(|| key.value.clone());
    let message = format!("`{}` is not a JSON Schema", key.name);
    let help = format!("a schema is an object, `true` or `false`: `- {}: {example}`", key.name);
    sink.error_with_help(code::BAD_SCHEMA, at, message, help);
    None
}

/// Whether a value could be a JSON Schema: whether it is one is for the library that evaluates it to say.
/// Source: JSON Schema 2020-12, core, section 4.3.
pub(super) fn is_schema(value: &Value) -> bool {
    matches!(value, Value::Object(_) | Value::Bool(_))
}

fn read_value(
    sink: &mut Sink<'_>,
    key: &KeyItem<'_>,
    code: &'static str,
    example: &str,
) -> Option<Value> {
    let name = key.name;
    if let Some(extra) = key.extra.clone() {
        let message = format!("`{name}` takes one value, and more stands below it");
        let help = "write it on the key's line, or in one fenced block below it".to_owned();
        sink.error_with_help(code, extra, message, help);
        return None;
    }
    let at = key.fence.clone().unwrap_or_else(|| key.value.clone());
    let text = &sink.source()[at.clone()];
    if text.trim().is_empty() {
        let help = format!("write JSON or a TOML value: `- {name}: {example}`");
        sink.error_with_help(code, key.key.clone(), format!("`{name}` has no value"), help);
        return None;
    }
    match parse(text) {
        Ok(value) => Some(value),
        Err((offset, reason)) => {
            let offset = at.start + offset.min(text.len());
            let length = sink.source()[offset..].chars().next().map_or(0, char::len_utf8);
            let message = format!("`{name}` cannot be read: {reason}");
            let help = format!("write JSON, such as `{example}`");
            sink.error_with_help(code, offset..offset + length, message, help);
            None
        }
    }
}

/// Reads a value in the notation that gets further.
fn parse(text: &str) -> Result<Value, (usize, String)> {
    let json_error = match serde_json::from_str::<Value>(text) {
        Ok(value) => return unrepeated(text).map(|()| value),
        Err(error) => error,
    };
    let json_at = json_offset(text, &json_error);
    let toml_error = match DeValue::parse(text) {
        Ok(value) => return to_json(value.get_ref()).map_err(|reason| (0, reason)),
        Err(error) => error,
    };
    let toml_at = toml_error.span().map_or(0, |span| span.start);
    if toml_at > json_at + 1 {
        return Err((floor(text, toml_at), toml_reason(&toml_error)));
    }
    let told = json_error.to_string();
    let reason = told.split(" at line ").next().unwrap_or(&told).to_lowercase();
    Err((floor(text, json_at), reason))
}

fn json_offset(text: &str, error: &serde_json::Error) -> usize {
    let line: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    (line + error.column().saturating_sub(1)).min(text.len())
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

pub(super) fn to_json(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(at) => Value::String(at.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map(Value::from)
            .map_err(|_| format!("the number `{number}` is too large"))?,
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| format!("JSON has no number `{number}`"))?,
        DeValue::Array(list) => Value::Array(
            list.iter().map(|entry| to_json(entry.get_ref())).collect::<Result<_, _>>()?,
        ),
        DeValue::Table(table) => Value::Object(
            table
                .iter()
                .map(|(key, entry)| Ok((key.get_ref().to_string(), to_json(entry.get_ref())?)))
                .collect::<Result<_, String>>()?,
        ),
    })
}

/// Refuses an object that has a key twice: readers disagree about which one holds.
fn unrepeated(json: &str) -> Result<(), (usize, String)> {
    let mut open: Vec<BTreeSet<&str>> = Vec::new();
    for token in (Tokens { text: json, at: 0 }) {
        match token.text {
            "{" | "[" => open.push(BTreeSet::new()),
            "}" | "]" => drop(open.pop()),
            text if token.is_key => {
                let Some(keys) = open.last_mut() else { continue };
                if !keys.insert(text) {
                    return Err((token.at, format!("the key {text} is given twice")));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The bytes of a key of the outermost object or table in `whole`, without quotes.
pub(super) fn key_span(source: &str, whole: &Range<usize>, key: &str) -> Option<Range<usize>> {
    let mut depth = 0_u32;
    for token in (Tokens { text: &source[whole.clone()], at: 0 }) {
        match token.text {
            "{" | "[" => depth += 1,
            "}" | "]" => depth = depth.saturating_sub(1),
            text if depth == 1 && token.is_key && text.trim_matches(['"', '\'']) == key => {
                let start = whole.start + token.at;
                return Some(start..start + text.len());
            }
            _ => {}
        }
    }
    None
}

struct Token<'t> {
    text: &'t str,
    at: usize,
    is_key: bool,
}

/// Brackets, strings and bare words of well-formed JSON or of a TOML value.
struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        let skipped = |c: char| c.is_whitespace() || matches!(c, ',' | ':' | '=');
        let rest = self.text[self.at..].trim_start_matches(skipped);
        let at = self.text.len() - rest.len();
        let first = rest.chars().next()?;
        let length = match first {
            '{' | '}' | '[' | ']' => 1,
            '"' | '\'' => string_length(rest, first),
            _ => rest
                .find(|c: char| skipped(c) || matches!(c, '{' | '}' | '[' | ']' | '"'))
                .unwrap_or(rest.len()),
        };
        self.at = at + length;
        let is_key = rest[length..].trim_start().starts_with([':', '=']);
        Some(Token { text: &rest[..length], at, is_key })
    }
}

fn string_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if !is_escaped && c == quote {
            return at + 1;
        }
        is_escaped = !is_escaped && c == '\\' && quote == '"';
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_json_and_toml() {
        let expected = json!({"a": 1, "b": [true, "x"], "c": {"d": 0.5}});
        assert_eq!(parse(r#"{"a": 1, "b": [true, "x"], "c": {"d": 0.5}}"#).unwrap(), expected);
        assert_eq!(parse(r#"{a = 1, b = [true, "x"], c = {d = 0.5}}"#).unwrap(), expected);
        assert_eq!(parse("'plain'").unwrap(), json!("plain"));
    }

    #[test]
    fn points_at_the_place_that_is_wrong() {
        let (at, _) = parse(r#"{"a": 1, "b" 2}"#).unwrap_err();
        assert_eq!(at, 13);
        let (at, _) = parse("{a = 1, b 2}").unwrap_err();
        assert!((9..=11).contains(&at), "{at}");
        let (at, reason) = parse(r#"{"a": 1, "b": {"a": 2}, "a": 3}"#).unwrap_err();
        assert_eq!((at, reason.as_str()), (24, "the key \"a\" is given twice"));
        assert!(parse("{a = inf}").is_err());
    }

    #[test]
    fn finds_a_key_of_the_outermost_object() {
        let source = r#"  {"x": {"url": 1}, "s": "url", "url": 2}"#;
        let at = key_span(source, &(2..source.len()), "url").unwrap();
        assert_eq!(at.start, source.rfind("\"url\"").unwrap());
        assert_eq!(key_span("{url = 1}", &(0..9), "url"), Some(1..4));
    }
}
