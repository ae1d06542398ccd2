//! Why a condition is not true of a payload, in words.

use std::fmt;

use super::ast::{Expr, Test, TestKind};
use super::eval::{self, Unreadable, View, judge, truth};
use super::payload::Payload;

/// Characters of a payload's text that a reason shows.
const SHOWN_CHARS_MAX: usize = 60;
/// Alternatives of an `||` that a reason goes through.
const ALTERNATIVES_MAX: usize = 4;

/// What became of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is true.
    Holds,
    /// It is false, or cannot be told.
    Fails(Reason),
}

/// Why a condition is not true, with the values: `` `$.severity >= 2`: 1 >= 2 is false ``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The text of the reason.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

/// The reason why `expr`, written as `text`, is not true of `payload`.
pub(super) fn reason(text: &str, expr: &Expr, payload: &Payload<'_>) -> Reason {
    Reason(explain(text, expr, payload, true))
}

/// Says why `expr` did not come out as `wanted`.
fn explain(text: &str, expr: &Expr, payload: &Payload<'_>, wanted: bool) -> String {
    match expr {
        Expr::Not(inner) => explain(text, inner, payload, !wanted),
        Expr::Test(test) => explain_test(text, test, payload),
        Expr::All(parts) if wanted => first(text, parts, payload, wanted),
        Expr::Any(parts) if !wanted => first(text, parts, payload, wanted),
        Expr::All(parts) | Expr::Any(parts) => every(text, parts, payload, wanted),
    }
}

/// The reason of the part that settles it: one that is known to be wrong, else the first unknown.
fn first(text: &str, parts: &[Expr], payload: &Payload<'_>, wanted: bool) -> String {
    let unwanted = parts.iter().find(|part| truth(part, payload) == Some(!wanted));
    let settling =
        unwanted.or_else(|| parts.iter().find(|part| truth(part, payload) != Some(wanted)));
    let part = settling.or(parts.first()).expect("a list has two parts or more");
    explain(text, part, payload, wanted)
}

/// The reasons of all parts, of which one would have been enough.
fn every(text: &str, parts: &[Expr], payload: &Payload<'_>, wanted: bool) -> String {
    let mut reasons: Vec<String> = parts
        .iter()
        .take(ALTERNATIVES_MAX)
        .map(|part| explain(text, part, payload, wanted))
        .collect();
    reasons.dedup();
    let mut out = reasons.join("; ");
    if parts.len() > ALTERNATIVES_MAX {
        out.push_str(&format!("; and {} more", parts.len() - ALTERNATIVES_MAX));
    }
    out
}

fn explain_test(text: &str, test: &Test, payload: &Payload<'_>) -> String {
    let source = &text[test.span.clone()];
    match judge(test, payload) {
        Ok(answer) => {
            let compared = compared(source, test, payload);
            if compared == source {
                format!("`{source}` is {answer}")
            } else {
                format!("`{source}`: {compared} is {answer}")
            }
        }
        Err(Unreadable::Empty) => "the payload is empty".into(),
        Err(Unreadable::NotJson) => "the payload is not JSON".into(),
        Err(Unreadable::NotANumber) => format!("`{source}`: the payload is not a number"),
        Err(Unreadable::Missing(path)) => format!("`{}` is missing", path.text),
        Err(Unreadable::Types(a, b)) => {
            format!("`{source}`: {} cannot be compared with {}", a.described(), b.described())
        }
        Err(Unreadable::Wanted(value, wanted)) => {
            format!("`{source}`: {} is not {wanted}", value.described())
        }
        Err(Unreadable::NotListed(value)) => {
            format!("`{source}`: the list has nothing of the type of {}", value.described())
        }
    }
}

/// The test with its path replaced by the value that is there.
fn compared(source: &str, test: &Test, payload: &Payload<'_>) -> String {
    match &test.kind {
        TestKind::Compare { left, op, right } => {
            let show = |operand| eval::operand(operand, payload).map(|view| view.to_string());
            match (show(left), show(right)) {
                (Ok(a), Ok(b)) => format!("{a} {op} {b}"),
                _ => source.into(),
            }
        }
        TestKind::In { path, .. }
        | TestKind::Contains { path, .. }
        | TestKind::Matches { path, .. } => match eval::at(path, payload) {
            Ok(value) => format!("{value}{}", &source[path.text.len()..]),
            Err(_) => source.into(),
        },
        TestKind::Exists(_) => source.into(),
    }
}

impl View<'_> {
    /// The value with its type: `text "high"`, `number 2`.
    fn described(self) -> String {
        match self {
            Self::Bool(_) => format!("boolean {self}"),
            Self::Number(_) => format!("number {self}"),
            Self::Text(_) => format!("text {self}"),
            Self::Null | Self::Array(_) | Self::Object => self.to_string(),
        }
    }
}

impl fmt::Display for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(yes) => yes.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Array(_) => f.write_str("an array"),
            Self::Object => f.write_str("an object"),
            Self::Text(text) => match text.char_indices().nth(SHOWN_CHARS_MAX) {
                Some((end, _)) => write!(f, "{}…", quoted(&text[..end])),
                None => f.write_str(&quoted(text)),
            },
        }
    }
}

/// The text as JSON writes it, so that control characters cannot break a line of a log.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
