//! Reads the fields of an expression and writes them out plainly.
//!
//! The library that searches for fire times replaces names anywhere in a text and passes over empty list
//! items, so it is only ever given what is written here: seconds first, and lists of numbers.

use std::collections::BTreeSet;

use super::CronError;

/// Characters of an expression.
const EXPRESSION_BYTES_MAX: usize = 1_024;
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// An expression, written out.
pub(super) struct Fields {
    pub(super) pattern: String,
    pub(super) every_hour: bool,
    /// Whether some day surely matches, so that no search is needed to tell.
    pub(super) surely_fires: bool,
}

/// One kind of field.
struct Field {
    name: &'static str,
    min: u16,
    max: u16,
    /// Names of the values, the first of which is `first_named`.
    names: &'static [&'static str],
    first_named: u16,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    DayOfMonth,
    Weekday,
}

const fn plain(name: &'static str, min: u16, max: u16) -> Field {
    Field { name, min, max, names: &[], first_named: 0, kind: Kind::Plain }
}

const FIELDS: [Field; 7] = [
    plain("second", 0, 59),
    plain("minute", 0, 59),
    plain("hour", 0, 23),
    Field { kind: Kind::DayOfMonth, ..plain("day of month", 1, 31) },
    Field { names: &MONTHS, first_named: 1, ..plain("month", 1, 12) },
    Field { names: &WEEKDAYS, kind: Kind::Weekday, ..plain("weekday", 0, 7) },
    plain("year", 1970, 2199),
];

/// Reads an expression.
pub(super) fn read(text: &str) -> Result<Fields, CronError> {
    if text.len() > EXPRESSION_BYTES_MAX {
        let reason = format!("a cron expression has at most {EXPRESSION_BYTES_MAX} bytes");
        return Err(CronError::new(reason));
    }
    let text = text.trim();
    let text = if text.starts_with('@') { nickname(text)? } else { text };
    let written: Vec<&str> = text.split_whitespace().collect();
    let skipped = match written.len() {
        5 => 1,
        6 | 7 => 0,
        count => {
            let reason =
                format!("a cron expression has five, six or seven fields; this one has {count}");
            return Err(CronError::new(reason)
                .with_help("five: minute, hour, day of month, month, weekday; six: a second first; seven: a year last"));
        }
    };
    let mut out = Vec::with_capacity(7);
    out.resize(skipped, "0".to_owned());
    for (field, text) in FIELDS[skipped..].iter().zip(&written) {
        out.push(field.read(text)?);
    }
    Ok(Fields {
        every_hour: out[2] == "*",
        surely_fires: surely_fires(&out[3], &out[5]),
        pattern: out.join(" "),
    })
}

/// Whether days of month and weekdays, as written out, match a day of every month of every year.
fn surely_fires(days: &str, weekdays: &str) -> bool {
    let any_day = days == "*" && weekdays == "*";
    let in_every_month =
        |day: &str| day.starts_with('L') || day.parse().is_ok_and(|day: u16| day <= 28);
    let in_every_week = |day: &str| day.parse::<u16>().is_ok();
    any_day || days.split(',').any(in_every_month) || weekdays.split(',').any(in_every_week)
}

fn nickname(text: &str) -> Result<&'static str, CronError> {
    if let Some((_, meaning)) = NICKNAMES.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)) {
        return Ok(meaning);
    }
    Err(CronError::new(format!("unknown nickname `{text}`")).with_help(
        "the nicknames are `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly`",
    ))
}

impl Field {
    /// The field as `*`, or as a list of numbers and modifiers.
    fn read(&self, text: &str) -> Result<String, CronError> {
        let takes_any = text == "?" && self.kind != Kind::Plain;
        if text == "*" || takes_any {
            return Ok("*".to_owned());
        }
        let mut values = BTreeSet::new();
        let mut modifiers = BTreeSet::new();
        for item in text.split(',') {
            match self.modifier(item)? {
                Some(modifier) => {
                    modifiers.insert(modifier);
                }
                None => self.range(item, &mut values)?,
            }
        }
        // The library keeps one mark for a whole field: `L` beside a `W` would come out as `LW`.
        if modifiers.contains("L") && modifiers.iter().any(|modifier| modifier.ends_with('W')) {
            let error = self.error(text, "has both `L` and `W`");
            return Err(CronError { help: Some("use two triggers".to_owned()), ..error });
        }
        let span = usize::from(self.max - self.min) + 1;
        if self.kind == Kind::Plain && values.len() == span {
            return Ok("*".to_owned());
        }
        let written = values.iter().map(u16::to_string).chain(modifiers);
        Ok(written.collect::<Vec<_>>().join(","))
    }

    fn error(&self, item: &str, what: &str) -> CronError {
        let error = CronError::new(format!("`{item}` in the {} field {what}", self.name));
        let (first, last) = (self.names.first(), self.names.last());
        error.with_help(match (first, last) {
            (Some(first), Some(last)) => {
                format!("values are {} to {}, or {first} to {last}", self.min, self.max)
            }
            _ => format!("values are {} to {}", self.min, self.max),
        })
    }

    /// `L`, `LW` and `15W` of a day of month, `5L` and `5#2` of a weekday.
    fn modifier(&self, item: &str) -> Result<Option<String>, CronError> {
        let upper = item.to_ascii_uppercase();
        match self.kind {
            Kind::Plain => Ok(None),
            Kind::DayOfMonth => {
                if upper == "L" || upper == "LW" {
                    return Ok(Some(upper));
                }
                let Some(day) = upper.strip_suffix('W') else { return Ok(None) };
                Ok(Some(format!("{}W", self.value(item, day)?)))
            }
            Kind::Weekday => {
                if let Some((day, nth)) = upper.split_once('#') {
                    if !matches!(nth, "1" | "2" | "3" | "4" | "5") {
                        return Err(self.error(item, "counts weekdays of a month from 1 to 5"));
                    }
                    return Ok(Some(format!("{}#{nth}", self.value(item, day)? % 7)));
                }
                let Some(day) = upper.strip_suffix('L') else { return Ok(None) };
                Ok(Some(format!("{}L", self.value(item, day)? % 7)))
            }
        }
    }

    /// Adds the values of `*`, `3`, `1-5`, `*/15`, `1-31/2` or `5/10`.
    fn range(&self, item: &str, out: &mut BTreeSet<u16>) -> Result<(), CronError> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let step_by = match step {
            None => 1,
            Some(text) => number(text)
                .filter(|step| (1..=self.max).contains(step))
                .ok_or_else(|| self.error(item, "has no step of 1 or more that fits the field"))?,
        };
        // 7 is a second name of Sunday: a whole week is 0 to 6.
        let top = if self.kind == Kind::Weekday { 6 } else { self.max };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.value(item, first)?, self.value(item, last)?),
            None if range == "*" => (self.min, top),
            None => {
                let only = self.value(item, range)?;
                // `5/10` starts at 5 and goes on to the end of the field.
                (only, if step.is_some() { top.max(only) } else { only })
            }
        };
        let last = match last {
            last if last >= first => last,
            last if self.kind == Kind::Weekday => last + 7,
            _ => return Err(self.error(item, "runs backwards")),
        };
        for value in (first..=last).step_by(step_by.into()) {
            out.insert(if self.kind == Kind::Weekday { value % 7 } else { value });
        }
        Ok(())
    }

    /// One value: a number within bounds, or a name.
    fn value(&self, item: &str, text: &str) -> Result<u16, CronError> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        if let Some(at) = named.and_then(|at| u16::try_from(at).ok()) {
            return Ok(self.first_named + at);
        }
        let Some(value) = number(text) else {
            return Err(self.error(item, "is not a value"));
        };
        if !(self.min..=self.max).contains(&value) {
            return Err(self.error(item, "is out of range"));
        }
        Ok(value)
    }
}

fn number(text: &str) -> Option<u16> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}
