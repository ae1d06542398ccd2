//! Durations as people write them: a whole number and a unit, such as `90s`, `15m`, `2h` or `1d`.

use crate::limits;

/// Seconds of each unit, the longest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// What to write instead of what is no duration.
pub(super) const HELP: &str =
    "write a whole number from 1 up and a unit: `90s`, `15m`, `2h` or `1d`; at most 366 days";

/// The seconds that `text` says; `None` when it is no duration, or not within
/// 1 to [`limits::TIMEOUT_SECS_MAX`].
pub(super) fn parse_secs(text: &str) -> Option<u64> {
    let unit = text.chars().last()?;
    let (_, secs) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let digits = &text[..text.len() - unit.len_utf8()];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let total = digits.parse::<u64>().ok()?.checked_mul(*secs)?;
    (1..=limits::TIMEOUT_SECS_MAX).contains(&total).then_some(total)
}

/// `secs` in the longest unit that it is a whole number of.
pub(super) fn print_secs(secs: u64) -> String {
    let (unit, length) = UNITS
        .into_iter()
        .find(|(_, length)| secs > 0 && secs.is_multiple_of(*length))
        .unwrap_or(('s', 1));
    format!("{}{unit}", secs / length)
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
            assert_eq!(print_secs(secs), printed);
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
