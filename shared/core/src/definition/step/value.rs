//! The values of keys that are written as text.

use crate::condition::ConditionError;
use crate::definition::choice::names;
use crate::definition::diagnostic::choices;
use crate::definition::duration;
use crate::definition::flow::Case;
use crate::definition::switch;
use crate::limits;

use super::*;

/// The value of a key that takes one line, or one that a paragraph wraps.
pub(super) fn line(sink: &mut Sink<'_>, key: &KeyItem<'_>) -> Option<String> {
    if let Some(extra) = key.extra.clone().or_else(|| key.fence.clone()) {
        let message = format!("`{}` takes one line, and more stands below it", key.name);
        sink.error(code::BAD_STEP_VALUE, extra, message);
        return None;
    }
    let value = unwrapped(&sink.source()[key.value.clone()]);
    if value.is_empty() {
        no_value(sink, key);
        return None;
    }
    Some(value)
}

/// The value of a key that takes a line or a fenced block.
pub(super) fn block(sink: &mut Sink<'_>, key: &KeyItem<'_>) -> Option<String> {
    let Some(text) = key.fence_text.as_ref().filter(|_| key.extra.is_none()) else {
        return line(sink, key);
    };
    if text.trim().is_empty() {
        no_value(sink, key);
        return None;
    }
    Some(text.clone())
}

fn no_value(sink: &mut Sink<'_>, key: &KeyItem<'_>) {
    let message = format!("`{}` has no value", key.name);
    let help = format!("write one after the colon, or leave `{}` out", key.name);
    sink.error_with_help(code::BAD_STEP_VALUE, key.key.clone(), message, help);
}

/// A wrapped text on one line: each line end, with the white space around it, is a space.
fn unwrapped(text: &str) -> String {
    text.split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn wrong(sink: &mut Sink<'_>, key: &KeyItem<'_>, message: String, help: &str) {
    sink.error_with_help(code::BAD_STEP_VALUE, key.value.clone(), message, help.to_owned());
}

pub(super) fn list(sink: &mut Sink<'_>, key: &KeyItem<'_>, value: &str) -> Vec<String> {
    let names: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) || value.starts_with(['[', '"', '\'']) {
        let message = format!("`{}` is a list of names with commas between them", key.name);
        wrong(sink, key, message, &format!("write `- {}: http_request, shell`", key.name));
    }
    names
}

pub(super) fn choice<T: Copy>(
    sink: &mut Sink<'_>,
    key: &KeyItem<'_>,
    value: &str,
    values: &[(&'static str, T)],
) -> Option<T> {
    if let Some((_, found)) = values.iter().find(|(name, _)| *name == value) {
        return Some(*found);
    }
    let names = names(values);
    let message = format!("{} is not a value of `{}`", quoted(value), key.name);
    wrong(sink, key, message, &choices(value, &names));
    None
}

pub(super) fn duration(sink: &mut Sink<'_>, key: &KeyItem<'_>, value: &str) -> Option<u64> {
    let secs = duration::parse_secs(value);
    if secs.is_none() {
        bad_duration(sink, key, value);
    }
    secs
}

fn bad_duration(sink: &mut Sink<'_>, key: &KeyItem<'_>, value: &str) {
    let message = format!("{} is not a duration", quoted(value));
    sink.error_with_help(code::BAD_DURATION, key.value.clone(), message, duration::HELP.to_owned());
}

/// `2s`, or `2s..5m`.
pub(super) fn backoff(sink: &mut Sink<'_>, key: &KeyItem<'_>, value: &str) -> Option<Backoff> {
    let (first, most) = match value.split_once("..") {
        Some((first, most)) => (first.trim(), Some(most.trim())),
        None => (value, None),
    };
    for part in [Some(first), most].into_iter().flatten() {
        if duration::parse_secs(part).is_none() {
            bad_duration(sink, key, part);
            return None;
        }
    }
    let initial_ms = duration::parse_secs(first)? * 1_000;
    let max_ms = match most {
        Some(most) => duration::parse_secs(most)? * 1_000,
        None => Backoff::default().max_ms.max(initial_ms),
    };
    if max_ms < initial_ms {
        let message = "the greatest wait is shorter than the first".to_owned();
        wrong(sink, key, message, "write the shorter one first: `2s..5m`");
        return None;
    }
    Some(Backoff { initial_ms, max_ms })
}

pub(super) fn on_failure(sink: &mut Sink<'_>, key: &KeyItem<'_>, value: &str) -> Option<OnFailure> {
    let (word, number) = match value.split_once(':') {
        Some((word, number)) => (word.trim_end(), Some(number.trim_start())),
        None => (value, None),
    };
    let number = number.map(plain_number);
    match (word, number) {
        ("fail", None) => Some(OnFailure::Fail),
        ("continue", None) => Some(OnFailure::Continue),
        ("goto", Some(Some(step))) => Some(OnFailure::Goto { step }),
        ("retry", Some(Some(max))) if (1..=limits::RETRIES_MAX).contains(&max) => {
            Some(OnFailure::Retry { max })
        }
        ("retry", Some(Some(_))) => {
            let help = format!("it is a number from 1 to {}", limits::RETRIES_MAX);
            wrong(sink, key, "the number of tries is out of range".to_owned(), &help);
            None
        }
        _ => {
            let message = format!("{} is not a value of `{}`", quoted(value), key.name);
            wrong(sink, key, message, "it is `fail`, `retry:3`, `goto:5` or `continue`");
            None
        }
    }
}

/// A number from 1 up without sign and leading zeros.
fn plain_number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

pub(super) fn step_number(sink: &mut Sink<'_>, key: &KeyItem<'_>, value: &str) -> Option<u32> {
    let number = plain_number(value);
    if number.is_none() {
        let message = format!("{} is not the number of a step", quoted(value));
        wrong(sink, key, message, &format!("write `- {}: 4`", key.name));
    }
    number
}

pub(super) fn step_numbers(sink: &mut Sink<'_>, key: &KeyItem<'_>, value: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    for part in value.split(',') {
        let part = part.trim();
        let Some(number) = plain_number(part) else {
            let message = format!("{} is not the number of a step", quoted(part));
            wrong(sink, key, message, &format!("write `- {}: 1, 3`", key.name));
            return Vec::new();
        };
        if numbers.contains(&number) {
            let message = format!("step {number} is named twice");
            wrong(sink, key, message, "name each step once");
            return Vec::new();
        }
        numbers.push(number);
    }
    numbers.sort_unstable();
    numbers
}

pub(super) fn condition(sink: &mut Sink<'_>, key: &KeyItem<'_>, text: &str) -> Option<Condition> {
    condition_at(sink, key, text, 0..text.len())
}

/// The ways out of `switch`; none when one of them was reported.
pub(super) fn branches(sink: &mut Sink<'_>, key: &KeyItem<'_>, text: &str) -> Vec<Branch> {
    let mut branches = Vec::new();
    for part in switch::split(text) {
        let at = place(sink, key, text, &part.whole);
        let Some(next) = part.target.and_then(plain_number) else {
            let written = quoted(text[part.whole].trim());
            let message = format!("{written} is not a case");
            let help = "write `<condition> -> <step>`, or `else -> <step>`, with `;` between them";
            sink.error_with_help(code::BAD_STEP_VALUE, at, message, help.to_owned());
            return Vec::new();
        };
        let condition = if part.condition(text) == "else" {
            None
        } else {
            let Some(condition) = condition_at(sink, key, text, part.condition) else {
                return Vec::new();
            };
            Some(condition)
        };
        branches.push(Branch { case: Case { condition, next }, at });
    }
    branches
}

fn condition_at(
    sink: &mut Sink<'_>,
    key: &KeyItem<'_>,
    text: &str,
    within: Range<usize>,
) -> Option<Condition> {
    let moved = |at: &Range<usize>| within.start + at.start..within.start + at.end;
    match Condition::parse(&text[within.clone()]) {
        Ok(condition) => {
            if let Some(reason) = condition.never_holds() {
                let at = place(sink, key, text, &within);
                let message = "this condition never holds".to_owned();
                sink.warn(code::NEVER_HOLDS, at, message, reason);
            }
            Some(condition)
        }
        Err(ConditionError { message, span, help, .. }) => {
            let at = place(sink, key, text, &moved(&span));
            sink.error_with_help(code::BAD_CONDITION, at, message, help);
            None
        }
    }
}

/// The bytes of the file that a part of the value is written in; the whole value where it is wrapped.
fn place(sink: &Sink<'_>, key: &KeyItem<'_>, text: &str, part: &Range<usize>) -> Range<usize> {
    if sink.source()[key.value.clone()] == *text {
        key.value.start + part.start..key.value.start + part.end
    } else {
        key.value.clone()
    }
}
