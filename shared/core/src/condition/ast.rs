//! What a condition is, once read.

use std::fmt;
use std::ops::Range;

use regex_lite::Regex;
use serde_json::Value;

use super::number::Number;

/// A condition's tree. `All` and `Any` hold two or more.
#[derive(Debug)]
pub(super) enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Test(Test),
}

impl Expr {
    /// Shows each test to `each`, in the order of the text.
    pub(super) fn each_test<'e>(&'e self, each: &mut impl FnMut(&'e Test)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.each_test(each));
            }
            Self::Not(inner) => inner.each_test(each),
            Self::Test(test) => each(test),
        }
    }
}

/// One test, with the bytes that it was written in.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) kind: TestKind,
    pub(super) span: Range<usize>,
}

#[derive(Debug)]
pub(super) enum TestKind {
    Compare { left: Operand, op: Comparison, right: Operand },
    In { path: Path, list: Vec<Literal> },
    Contains { path: Path, literal: Literal },
    Matches { path: Path, regex: Regex },
    Exists(Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
pub(super) enum Operand {
    /// The whole payload, as a number (`> 0`).
    Payload,
    Path(Path),
    Literal(Literal),
}

#[derive(Debug, Clone)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
}

/// Where in the payload, with the text that says so.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) text: Box<str>,
    /// The byte of the condition that it begins at.
    pub(super) start: usize,
    pub(super) segments: Vec<Segment>,
}

/// One part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// `.name`: a key of an object or, where it is a number, a position in an array.
    Name {
        /// The key.
        key: Box<str>,
        /// The position, where the key is one.
        index: Option<usize>,
    },
    /// `["key"]`: a key of an object.
    Key(Box<str>),
    /// `[0]`: a position in an array.
    Index(usize),
}

impl Segment {
    /// What it leads to in `value`.
    pub(crate) fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match (self, value) {
            (Self::Name { key, .. } | Self::Key(key), Value::Object(map)) => map.get(&**key),
            (Self::Name { index: Some(index), .. } | Self::Index(index), Value::Array(items)) => {
                items.get(*index)
            }
            _ => None,
        }
    }

    /// The key that it names in an object.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Name { key, .. } | Self::Key(key) => Some(key),
            Self::Index(_) => None,
        }
    }
}

impl Comparison {
    pub(super) const fn is_ordering(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }

    /// Whether the comparison holds of two values in this order.
    pub(super) const fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// The comparison that says the same with its sides exchanged.
    pub(super) const fn mirrored(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}
