//! Typed reading of TOML tables, with a diagnostic for whatever is not as it should be.

use std::ops::{Range, RangeInclusive};

use toml::de::{DeTable, DeValue};

use super::code;
use super::diagnostic::{Sink, choices, listed, quoted, suggest};
use super::duration;

/// What a table may hold, for [`check_keys`].
pub(super) struct Keys<'k> {
    pub(super) known: &'k [&'k str],
    pub(super) unknown_code: &'static str,
    /// Such as "`[sop]`".
    pub(super) place: &'k str,
}

/// Reports every key that the table cannot have.
pub(super) fn check_keys(sink: &mut Sink<'_>, table: &DeTable<'_>, keys: &Keys<'_>) {
    for key in table.keys() {
        let name: &str = key.get_ref();
        if keys.known.contains(&name) {
            continue;
        }
        let message = format!("unknown key {} in {}", quoted(name), keys.place);
        let help = match suggest(name, keys.known) {
            _ if name == "deterministic" => "write `execution_mode = \"deterministic\"`".into(),
            Some(probable) => format!("did you mean `{probable}`?"),
            None => match keys.known {
                [] => "it takes no keys".into(),
                known => format!("its keys are {}", listed(known)),
            },
        };
        sink.error_with_help(keys.unknown_code, key.span(), message, help);
    }
}

/// A text and where it is written, quotes included.
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) span: Range<usize>,
}

/// The text of `key`; `None` when absent or, reported, of another type.
pub(super) fn text<'t>(sink: &mut Sink<'_>, table: &'t DeTable<'_>, key: &str) -> Option<Text<'t>> {
    let value = table.get(key)?;
    match value.get_ref().as_str() {
        Some(text) => Some(Text { text, span: value.span() }),
        None => {
            wrong_type(sink, key, value.span(), "text in quotes", value.get_ref());
            None
        }
    }
}

/// As [`text`], and reports a text with nothing in it.
pub(super) fn some_text<'t>(
    sink: &mut Sink<'_>,
    table: &'t DeTable<'_>,
    key: &str,
) -> Option<Text<'t>> {
    let found = text(sink, table, key)?;
    if found.text.trim().is_empty() {
        let help = format!("write something, or leave `{key}` out");
        sink.error_with_help(code::EMPTY_TEXT, found.span, format!("`{key}` is empty"), help);
        return None;
    }
    Some(found)
}

/// The whole number of `key`, when it is in `range`.
pub(super) fn number(
    sink: &mut Sink<'_>,
    table: &DeTable<'_>,
    key: &str,
    range: RangeInclusive<u64>,
) -> Option<u64> {
    let value = table.get(key)?;
    let Some(written) = value.get_ref().as_integer() else {
        wrong_type(sink, key, value.span(), "a whole number", value.get_ref());
        return None;
    };
    let number = i128::from_str_radix(written.as_str(), written.radix())
        .ok()
        .and_then(|number| u64::try_from(number).ok())
        .filter(|number| range.contains(number));
    if number.is_none() {
        let message = format!("`{key}` is out of range");
        let help = format!("it is a number from {} to {}", range.start(), range.end());
        sink.error_with_help(code::OUT_OF_RANGE, value.span(), message, help);
    }
    number
}

/// As [`number`], of something that is counted from 1.
pub(super) fn count(sink: &mut Sink<'_>, table: &DeTable<'_>, key: &str) -> Option<u32> {
    number(sink, table, key, 1..=u64::from(u32::MAX)).and_then(|count| u32::try_from(count).ok())
}

/// The value that the text of `key` stands for.
pub(super) fn choice<T: Copy>(
    sink: &mut Sink<'_>,
    table: &DeTable<'_>,
    key: &str,
    values: &[(&str, T)],
) -> Option<T> {
    let found = text(sink, table, key)?;
    if let Some((_, value)) = values.iter().find(|(name, _)| *name == found.text) {
        return Some(*value);
    }
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let message = format!("{} is not a value of `{key}`", quoted(found.text));
    let help = choices(found.text, &names);
    sink.error_with_help(code::BAD_CHOICE, found.span, message, help);
    None
}

/// The seconds of `key`, written such as `15m`.
pub(super) fn duration(sink: &mut Sink<'_>, table: &DeTable<'_>, key: &str) -> Option<u64> {
    let found = text(sink, table, key)?;
    let secs = duration::parse_secs(found.text);
    if secs.is_none() {
        let message = format!("{} is not a duration", quoted(found.text));
        sink.error_with_help(code::BAD_DURATION, found.span, message, duration::HELP.to_owned());
    }
    secs
}

/// The texts in the list of `key`, none of them empty.
pub(super) fn texts(sink: &mut Sink<'_>, table: &DeTable<'_>, key: &str) -> Option<Vec<String>> {
    let value = table.get(key)?;
    let DeValue::Array(list) = value.get_ref() else {
        wrong_type(sink, key, value.span(), "a list of texts in quotes", value.get_ref());
        return None;
    };
    let mut texts = Vec::new();
    for entry in list.iter() {
        let DeValue::String(text) = entry.get_ref() else {
            let expected = "a list of texts in quotes";
            wrong_type(sink, key, entry.span(), expected, entry.get_ref());
            continue;
        };
        if text.trim().is_empty() {
            let help = "write a name, or leave it out".to_owned();
            let message = format!("a text of `{key}` is empty");
            sink.error_with_help(code::EMPTY_TEXT, entry.span(), message, help);
        } else {
            texts.push(text.to_string());
        }
    }
    Some(texts)
}

/// The truth of `key`.
pub(super) fn flag(sink: &mut Sink<'_>, table: &DeTable<'_>, key: &str) -> Option<bool> {
    let value = table.get(key)?;
    let flag = value.get_ref().as_bool();
    if flag.is_none() {
        wrong_type(sink, key, value.span(), "true or false", value.get_ref());
    }
    flag
}

/// Reports a value whose type is not the one that `key` has.
pub(super) fn wrong_type(
    sink: &mut Sink<'_>,
    key: &str,
    span: Range<usize>,
    expected: &str,
    found: &DeValue<'_>,
) {
    let message = format!("`{key}` is {expected}, not {}", type_name(found));
    sink.error(code::WRONG_TYPE, span, message);
}

/// The message of the TOML reader in this crate's form.
pub(super) fn toml_reason(error: &toml::de::Error) -> String {
    let message = error.message();
    let message = message.strip_suffix(", expected nothing").unwrap_or(message);
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
