//! Conditions over an event's payload: compiled once, typed, fail-closed.
//!
//! The flow: text → `lexer` → `parser` → `ast`; then, per event, `eval` gives yes or no without
//! allocating and `explain` puts a no into words.
//!
//! **Three values.** A test whose operand cannot be read (a missing path, a wrong type, a payload that
//! is not JSON) is *unknown*, neither true nor false. `!unknown` is unknown, `false && unknown` is false,
//! `true || unknown` is true (Kleene's rules), and only *true* starts an SOP. So nothing unreadable ever
//! becomes a yes by being negated: `!($.t > 5)` and `$.t != 5` both need a number at `$.t`.
//!
//! **Types.** Numbers compare with numbers, text with text (by bytes), booleans and nulls for equality
//! alone. Nothing is converted: `"5"` is text. `== null` and `!= null` take a value of any type, but it
//! must be there. Integers are exact over the whole of `i64` and `u64`.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::template::{Reference, TemplateError};

mod ast;
mod check;
mod eval;
mod explain;
pub(crate) mod lexer;
mod number;
mod parser;
mod paths;
mod payload;
mod reference;
#[cfg(test)]
mod tests;
mod value_path;

pub use ast::Segment;
pub use explain::{Reason, Verdict};
pub use paths::PathRef;
pub use payload::Payload;
pub use value_path::ValuePath;

/// A compiled condition; serialises as its text.
#[derive(Debug, Clone)]
pub struct Condition {
    text: Box<str>,
    expr: Arc<ast::Expr>,
}

/// Why a text is not a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What is wrong: lower case, no period.
    pub message: String,
    /// Where, in bytes of the condition's text.
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Condition {
    /// Compiles a condition such as `$.value > 85 && $.unit == "C"`.
    ///
    /// At most [`CONDITION_BYTES_MAX`](crate::limits::CONDITION_BYTES_MAX) bytes, nested at most 64 deep.
    ///
    /// # Errors
    /// [`ConditionError`] points at the offending bytes.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let expr = parser::parse(text)?;
        Ok(Self { text: text.into(), expr: Arc::new(expr) })
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the condition is true of `payload`; anything unreadable is a no.
    ///
    /// Allocates nothing beyond the payload's one parse.
    pub fn holds(&self, payload: &Payload<'_>) -> bool {
        eval::truth(&self.expr, payload) == Some(true)
    }

    /// Whether the condition is true of `payload` and, where it is not, the reason with the values.
    pub fn eval(&self, payload: &Payload<'_>) -> Verdict {
        if self.holds(payload) { Verdict::Holds } else { Verdict::Fails(self.explain(payload)) }
    }

    /// Says why the condition is not true of `payload`, with the values that were compared.
    ///
    /// Meant for a payload that it does not hold of; of another the text says that it holds.
    pub fn explain(&self, payload: &Payload<'_>) -> Reason {
        explain::reason(&self.text, &self.expr, payload)
    }

    /// What a step's condition refers to in the document that steps see, in the order written; each may
    /// be none.
    ///
    /// A trigger's condition is about the payload alone: it has none of these.
    ///
    /// # Errors
    /// Each path that leads to nothing that the document can have, with its bytes.
    pub fn references(&self) -> Vec<Result<Reference, TemplateError>> {
        reference::references(&self.text, &self.expr)
    }

    /// The paths that it reads, in the order of the text.
    pub fn paths(&self) -> Vec<PathRef<'_>> {
        let mut found = Vec::new();
        paths::collect(&self.expr, &mut found);
        found.into_iter().map(PathRef).collect()
    }

    /// Whether a test in it compares the payload itself, as `> 0` does.
    pub fn reads_whole_payload(&self) -> bool {
        paths::reads_payload(&self.expr)
    }

    /// Says why no payload at all can make the condition true, where that is plain to see.
    ///
    /// Finds contradictions between the tests of one path that are joined by `&&`, and empty `in []`;
    /// `None` promises nothing.
    pub fn never_holds(&self) -> Option<String> {
        check::never_holds(&self.text, &self.expr)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Condition {}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}
