//! Cron expressions: what they mean, and when they fire.
//!
//! Five fields (minute, hour, day of month, month, weekday), six (a second first) or seven (a year last).
//! Weekdays are numbered alike in all three: 0 and 7 are Sunday. When day of month and weekday are both
//! given (neither is `*` or `?`), a day matches when either does.
//!
//! **Clock changes.** A schedule with given hours fires once for each local time that it names: a time
//! that the clock jumps over fires at the first instant after the jump, and a time that the clock shows
//! twice fires at the first. A schedule of every hour (`*`) follows real time: nothing is added in a jump,
//! and both showings of a repeated hour count.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Timestamp;

mod fields;
mod fire;
#[cfg(test)]
mod tests;
mod zone;

pub use zone::{TimeZone, TimeZoneError};

/// A checked cron expression of five, six or seven fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronExpr {
    text: Box<str>,
    /// Six or seven fields, seconds first, without names, ranges or steps.
    pattern: Box<str>,
    /// Whether the hour is not restricted, so that the schedule follows real time.
    every_hour: bool,
}

/// Why a text is not a cron expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CronError {
    reason: String,
    help: Option<String>,
}

impl CronError {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: None }
    }

    fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// What to write instead.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl CronExpr {
    /// Parses an expression such as `0 8 * * MON-FRI`, or `@yearly`, `@annually`, `@monthly`, `@weekly`,
    /// `@daily`, `@midnight`, `@hourly`.
    ///
    /// `*`, `,`, `-`, `/` and names as everywhere; besides, `L` (last day), `15W` (nearest working day) and
    /// `LW` as a day of month, `5L` (last Friday) and `5#2` (second Friday) as a weekday. A range of weekdays
    /// may cross the week's end. Years are 1970 to 2199.
    ///
    /// # Errors
    /// [`CronError`] names the field and what is wrong with it; an expression that never fires
    /// (`0 0 30 2 *`) is an error.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let fields = fields::read(text)?;
        let expr = Self {
            text: text.into(),
            pattern: fields.pattern.into(),
            every_hour: fields.every_hour,
        };
        if !fields.surely_fires && !fire::ever_fires(&expr) {
            let error = CronError::new(format!("`{}` never fires", text.trim()));
            return Err(error.with_help("no such day is in the months and years given"));
        }
        Ok(expr)
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The last time that the schedule fires in the window (`after`, `upto`], whole seconds.
    ///
    /// However many fire times the window holds, a tick makes one event.
    pub fn fires_in(
        &self,
        zone: &TimeZone,
        after: Timestamp,
        upto: Timestamp,
    ) -> Option<Timestamp> {
        let first = self.next_after(zone, after)?;
        if first > upto {
            return None;
        }
        Some(fire::last_upto(self, zone, upto).map_or(first, |last| last.max(first)))
    }

    /// The first time that the schedule fires after `at`, or `None` when it never does again.
    pub fn next_after(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        fire::next_after(self, zone, at)
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for CronExpr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for CronExpr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}
