//! When an expression fires.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone as _, Timelike};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::CronParser;

use super::{CronExpr, TimeZone};
use crate::time::Timestamp;

/// Local times that one search may pass over: a clock change of two hours at one fire a second.
const PASSED_MAX: usize = 2 * 3_600 + 1;
/// Minutes that a clock may jump ahead: a whole day, as Samoa did in 2011, and some.
const JUMP_MINUTES_MAX: usize = 25 * 60;

/// The compiled form; a table of years makes it some kilobytes, so it is built for a search and dropped.
fn compiled(expr: &CronExpr) -> Cron {
    let parsed = CronParser::builder().build().parse(&expr.pattern);
    parsed.expect("the fields are written out in the form that the library reads")
}

/// Whether any day of the calendar since 1970 matches.
pub(super) fn ever_fires(expr: &CronExpr) -> bool {
    let start = NaiveDate::from_ymd_opt(1970, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
    let start = start.expect("1970 began at midnight");
    compiled(expr).find_next_occurrence(&start, true).is_ok()
}

/// The first fire time after `at`.
pub(super) fn next_after(expr: &CronExpr, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let (cron, at) = (compiled(expr), local(zone, at)?);
    if expr.every_hour {
        return cron.find_next_occurrence(&at, false).ok().map(|next| stamp(&next));
    }
    let mut from = at.naive_local();
    for _ in 0..PASSED_MAX {
        from = cron.find_next_occurrence(&from, false).ok()?;
        let next = resolve(zone.0, from)?;
        if next > at {
            return Some(stamp(&next));
        }
    }
    None
}

/// The last fire time up to and including `at`.
pub(super) fn last_upto(expr: &CronExpr, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let (cron, at) = (compiled(expr), local(zone, at)?);
    if expr.every_hour {
        return cron.find_previous_occurrence(&at, true).ok().map(|last| stamp(&last));
    }
    let mut from = at.naive_local();
    // In the second showing of a repeated hour, all of its first showing has passed.
    if let LocalResult::Ambiguous(first, second) = zone.0.from_local_datetime(&from)
        && at >= second
    {
        from = from.checked_add_signed(second - first)?;
    }
    let mut inclusive = true;
    for _ in 0..PASSED_MAX {
        from = cron.find_previous_occurrence(&from, inclusive).ok()?;
        inclusive = false;
        let last = resolve(zone.0, from)?;
        if last <= at {
            return Some(stamp(&last));
        }
    }
    None
}

/// The instant in its zone, cut to the second.
fn local(zone: &TimeZone, at: Timestamp) -> Option<DateTime<Tz>> {
    let secs = at.as_millis().div_euclid(1_000);
    DateTime::from_timestamp(secs, 0).map(|utc| utc.with_timezone(&zone.0))
}

fn stamp(at: &DateTime<Tz>) -> Timestamp {
    Timestamp::from_millis(at.timestamp_millis())
}

/// The instant of a local time: the first of two, or the end of the jump that it fell into.
fn resolve(zone: Tz, local: NaiveDateTime) -> Option<DateTime<Tz>> {
    if let Some(at) = zone.from_local_datetime(&local).earliest() {
        return Some(at);
    }
    let mut local = local.with_second(0)?;
    for _ in 0..JUMP_MINUTES_MAX {
        local = local.checked_add_signed(TimeDelta::minutes(1))?;
        if let Some(at) = zone.from_local_datetime(&local).earliest() {
            return Some(at);
        }
    }
    None
}
