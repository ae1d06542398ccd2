//! Time zones by name.

use std::fmt;

use chrono::DateTime;

use crate::time::Timestamp;

/// A time zone of the IANA database, such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(pub(super) chrono_tz::Tz);

/// A name that is not in the IANA database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone `{name}`")]
pub struct TimeZoneError {
    name: String,
    help: Option<String>,
}

impl TimeZoneError {
    /// What to write instead.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl TimeZone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(chrono_tz::Tz::UTC);

    /// Parses the name of a time zone; case matters.
    ///
    /// # Errors
    /// [`TimeZoneError`], with the name that was probably meant as its help.
    pub fn parse(name: &str) -> Result<Self, TimeZoneError> {
        if let Ok(zone) = name.parse() {
            return Ok(Self(zone));
        }
        let wanted = name.trim().replace(' ', "_");
        let meant = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).find(|known| {
            known.eq_ignore_ascii_case(&wanted)
                || known.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&wanted))
        });
        let help = match meant {
            Some(known) => format!("did you mean `{known}`?"),
            None => {
                "write a name of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned()
            }
        };
        Err(TimeZoneError { name: name.into(), help: Some(help) })
    }

    /// The local time at `at`, with its offset: `Mon 2026-03-02 09:00:00 +01:00`.
    pub fn local(&self, at: Timestamp) -> Option<String> {
        let utc = DateTime::from_timestamp_millis(at.as_millis())?;
        Some(utc.with_timezone(&self.0).format("%a %Y-%m-%d %H:%M:%S %:z").to_string())
    }

    /// The name of the zone.
    pub fn as_str(&self) -> &'static str {
        self.0.name()
    }
}

impl Default for TimeZone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
