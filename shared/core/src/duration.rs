//! Lengths of time as authors write them.

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a length of time such as `90s`, `15m`, `2h` or `1d`")]
pub struct DurationError {
    text: String,
}

/// Seconds of a text such as `90s`, `15m`, `2h` or `1d`: a whole positive number and its unit.
///
/// # Errors
/// When the text is anything else, or too long for a `u64`.
pub fn parse(text: &str) -> Result<u64, DurationError> {
    let error = || DurationError { text: text.to_owned() };
    let unit = text.chars().next_back().ok_or_else(error)?;
    let digits = &text[..text.len() - unit.len_utf8()];
    let secs_of_one = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(error()),
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|n| *n > 0 && is_number).ok_or_else(error)?;
    number.checked_mul(secs_of_one).ok_or_else(error)
}

/// The shortest text that [`parse`] reads as `secs`.
pub fn print(secs: u64) -> String {
    for (unit, secs_of_one) in [("d", 86_400), ("h", 3_600), ("m", 60)] {
        if secs > 0 && secs.is_multiple_of(secs_of_one) {
            return format!("{}{unit}", secs / secs_of_one);
        }
    }
    format!("{secs}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, secs) in [("90s", 90), ("15m", 900), ("2h", 7_200), ("1d", 86_400)] {
            assert_eq!(parse(text), Ok(secs));
            assert_eq!(print(secs), text);
        }
        for wrong in
            ["", "s", "5", "0s", "-1s", "+1s", "1.5h", "1w", "1 s", "99999999999999999999d"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
