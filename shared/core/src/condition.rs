//! Conditions over an event's payload: compiled once, typed, fail-closed.

use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A compiled condition; serialises as its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    text: Box<str>,
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
    /// Compiles a condition.
    ///
    /// # Errors
    /// [`ConditionError`] points at the offending bytes.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        if text.trim().is_empty() {
            return Err(ConditionError {
                message: "empty condition".into(),
                span: 0..text.len(),
                help: None,
            });
        }
        Ok(Self { text: text.into() })
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

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
