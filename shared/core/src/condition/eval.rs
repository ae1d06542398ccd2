//! Whether a condition is true of a payload.

use serde_json::Value;

use super::ast::{Comparison, Expr, Literal, Operand, Path, Test, TestKind};
use super::number::Number;
use super::payload::Payload;

/// A value as tests see it: nothing is copied.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(&'a str),
    Array(&'a [Value]),
    Object,
}

/// Why a test is neither true nor false.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unreadable<'a> {
    Empty,
    NotJson,
    NotANumber,
    Missing(&'a Path),
    /// The values are of types that do not compare.
    Types(View<'a>, View<'a>),
    /// The value is not of a type that the test reads.
    Wanted(View<'a>, &'static str),
    /// The value has none of the types in the list.
    NotListed(View<'a>),
}

/// The truth of `expr`: `None` when it is unknown.
pub(super) fn truth(expr: &Expr, payload: &Payload<'_>) -> Option<bool> {
    match expr {
        Expr::Test(test) => judge(test, payload).ok(),
        Expr::Not(inner) => truth(inner, payload).map(|known| !known),
        Expr::All(parts) => settle(parts, payload, false),
        Expr::Any(parts) => settle(parts, payload, true),
    }
}

/// The truth of parts of which one that is `decisive` settles the whole.
fn settle(parts: &[Expr], payload: &Payload<'_>, decisive: bool) -> Option<bool> {
    let mut all_known = true;
    for part in parts {
        match truth(part, payload) {
            Some(known) if known == decisive => return Some(decisive),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(!decisive)
}

/// The truth of one test, or why there is none.
pub(super) fn judge<'a>(test: &'a Test, payload: &'a Payload<'_>) -> Result<bool, Unreadable<'a>> {
    match &test.kind {
        TestKind::Compare { left, op, right } => {
            let (a, b) = (operand(left, payload)?, operand(right, payload)?);
            let with_null =
                [left, right].iter().any(|o| matches!(o, Operand::Literal(Literal::Null)));
            compare(a, *op, b, with_null)
        }
        TestKind::In { path, list } => {
            let value = at(path, payload)?;
            let answers = list.iter().map(|literal| equal(value, literal));
            let mut comparable = list.is_empty();
            for answer in answers {
                match answer {
                    Some(true) => return Ok(true),
                    Some(false) => comparable = true,
                    None => {}
                }
            }
            if comparable { Ok(false) } else { Err(Unreadable::NotListed(value)) }
        }
        TestKind::Contains { path, literal } => match (at(path, payload)?, literal) {
            (View::Array(items), literal) => {
                Ok(items.iter().any(|item| equal(View::of(item), literal) == Some(true)))
            }
            (View::Text(text), Literal::Text(part)) => Ok(text.contains(&**part)),
            (value @ View::Text(_), literal) => {
                Err(Unreadable::Types(value, View::of_literal(literal)))
            }
            (value, _) => Err(Unreadable::Wanted(value, "text or an array")),
        },
        TestKind::Matches { path, regex } => match at(path, payload)? {
            View::Text(text) => Ok(regex.is_match(text)),
            value @ (View::Null
            | View::Bool(_)
            | View::Number(_)
            | View::Array(_)
            | View::Object) => Err(Unreadable::Wanted(value, "text")),
        },
        TestKind::Exists(path) => match at(path, payload) {
            Ok(_) => Ok(true),
            Err(Unreadable::Missing(_)) => Ok(false),
            Err(other) => Err(other),
        },
    }
}

/// The value of an operand.
pub(super) fn operand<'a>(
    operand: &'a Operand,
    payload: &'a Payload<'_>,
) -> Result<View<'a>, Unreadable<'a>> {
    match operand {
        Operand::Literal(literal) => Ok(View::of_literal(literal)),
        Operand::Path(path) => at(path, payload),
        Operand::Payload => match payload.number() {
            Some(number) => Ok(View::Number(number)),
            None if payload.is_empty() => Err(Unreadable::Empty),
            None => Err(Unreadable::NotANumber),
        },
    }
}

/// The value at a path.
pub(super) fn at<'a>(path: &'a Path, payload: &'a Payload<'_>) -> Result<View<'a>, Unreadable<'a>> {
    let Some(mut value) = payload.json() else {
        return Err(if payload.is_empty() { Unreadable::Empty } else { Unreadable::NotJson });
    };
    for segment in &path.segments {
        value = segment.of(value).ok_or(Unreadable::Missing(path))?;
    }
    Ok(View::of(value))
}

/// Compares two values; `with_null` when the author wrote `null`, which any value may be compared with.
fn compare<'a>(
    left: View<'a>,
    op: Comparison,
    right: View<'a>,
    with_null: bool,
) -> Result<bool, Unreadable<'a>> {
    let order = match (left, right) {
        (View::Number(a), View::Number(b)) => a.order(b),
        (View::Text(a), View::Text(b)) => a.cmp(b),
        (View::Bool(a), View::Bool(b)) if !op.is_ordering() => a.cmp(&b),
        (View::Null, View::Null) if !op.is_ordering() => std::cmp::Ordering::Equal,
        _ if with_null => return Ok(op == Comparison::NotEqual),
        _ => return Err(Unreadable::Types(left, right)),
    };
    Ok(op.holds(order))
}

/// Whether a value is the literal; `None` when their types do not compare.
fn equal(value: View<'_>, literal: &Literal) -> Option<bool> {
    let with_null = matches!(literal, Literal::Null);
    compare(value, Comparison::Equal, View::of_literal(literal), with_null).ok()
}

impl<'a> View<'a> {
    fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(yes) => Self::Bool(*yes),
            Value::Number(number) => Self::Number(Number::of_json(number)),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::Array(items),
            Value::Object(_) => Self::Object,
        }
    }

    pub(super) fn of_literal(literal: &'a Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Bool(yes) => Self::Bool(*yes),
            Literal::Number(number) => Self::Number(*number),
            Literal::Text(text) => Self::Text(text),
        }
    }
}

/// Whether two literals satisfy a comparison; `None` when their types do not compare.
pub(super) fn literals(left: &Literal, op: Comparison, right: &Literal) -> Option<bool> {
    let with_null = matches!(right, Literal::Null);
    compare(View::of_literal(left), op, View::of_literal(right), with_null).ok()
}
