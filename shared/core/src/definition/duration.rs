//! Durations in definitions: as [`duration`] reads them, within the bound of time-outs.

use crate::{duration, limits};

/// What to write instead of what is no duration.
pub(super) const HELP: &str =
    "write a whole number from 1 up and a unit: `90s`, `15m`, `2h` or `1d`; at most 366 days";

/// The seconds that `text` says; `None` when it is no duration, or not within
/// 1 to [`limits::TIMEOUT_SECS_MAX`].
pub(super) fn parse_secs(text: &str) -> Option<u64> {
    let secs = duration::parse(text).ok()?;
    (1..=limits::TIMEOUT_SECS_MAX).contains(&secs).then_some(secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed() {
        for (text, secs, printed) in [
            ("1s", 1, "1s"),
            ("90s", 90, "90s"),
            ("120s", 120, "2m"),
            ("15m", 900, "15m"),
            ("2h", 7_200, "2h"),
            ("1d", 86_400, "1d"),
            ("366d", limits::TIMEOUT_SECS_MAX, "366d"),
        ] {
            assert_eq!(parse_secs(text), Some(secs), "{text}");
            assert_eq!(duration::print(secs), printed);
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "s",
            "0s",
            "-1s",
            "+1s",
            "1",
            "1.5h",
            "1 h",
            "1H",
            "1ms",
            "1w",
            "367d",
            "١s",
            "1h30m",
            "99999999999999999999d",
            "18446744073709551615m",
        ] {
            assert_eq!(parse_secs(text), None, "{text}");
        }
    }
}
