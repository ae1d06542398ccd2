//! Numbers that compare exactly.

use std::cmp::Ordering;
use std::fmt;

/// A finite number: an integer of `i64` or `u64`, or a double.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    /// The number of a JSON number.
    pub(super) fn of_json(number: &serde_json::Number) -> Self {
        if let Some(int) = number.as_i64() {
            return Self::Int(int.into());
        }
        if let Some(int) = number.as_u64() {
            return Self::Int(int.into());
        }
        Self::Float(number.as_f64().unwrap_or(f64::MAX))
    }

    /// Reads plain decimal text such as `42`, `-0.5`, `+7` or `1e3`; `None` for all else, and for
    /// what is not finite.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !digits.starts_with(|c: char| c.is_ascii_digit())
            || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        {
            return None;
        }
        if let Ok(int) = text.parse::<i128>()
            && is_exact(int)
        {
            return Some(Self::Int(int));
        }
        text.parse::<f64>().ok().filter(|float| float.is_finite()).map(Self::Float)
    }

    /// The order of two numbers, exact between integers and doubles.
    pub(super) fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b).expect("numbers are finite"),
            (Self::Int(a), Self::Float(b)) => int_to_float(a, b),
            (Self::Float(a), Self::Int(b)) => int_to_float(b, a).reverse(),
        }
    }
}

/// Whether an integer is one that JSON numbers carry exactly.
pub(super) fn is_exact(int: i128) -> bool {
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&int)
}

fn int_to_float(int: i128, float: f64) -> Ordering {
    // The cast saturates, and an exact integer is far inside `i128`: the order stays right.
    let whole = float.trunc();
    int.cmp(&(whole as i128))
        .then_with(|| 0.0_f64.partial_cmp(&(float - whole)).expect("numbers are finite"))
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(int) => int.fmt(f),
            Self::Float(float) if float.abs() >= 1e16 => write!(f, "{float:e}"),
            Self::Float(float) => float.fmt(f),
        }
    }
}
