//! The switch of an SOP's schedules.

use sop_core::cron::TimeZone;
use sop_core::id::SopName;
use sop_core::time::Timestamp;

use crate::flow::{FlowError, Host};
use crate::port::{Catalog, Clock, Routine, Routines};

/// An SOP with schedules, and how its switch stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutineShown {
    /// The SOP.
    pub sop: SopName,
    /// Whether its schedules fire.
    pub on: bool,
    /// Since when and by whom, if it was ever switched.
    pub switched: Option<(Timestamp, String)>,
    /// Its schedules.
    pub schedules: Vec<ScheduleShown>,
}

/// One schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleShown {
    /// The expression.
    pub expression: String,
    /// IANA time zone.
    pub timezone: String,
    /// When it fires next, if it ever does; what it would be when it is off.
    pub next: Option<Timestamp>,
}

/// What became of an order to switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switched {
    /// It stands so now.
    Done(Routine),
    /// No active SOP has the name and a schedule.
    NoSchedule,
}

/// The active SOPs that have schedules, by name.
///
/// # Errors
/// When a port fails.
pub async fn routines<S, Q, C>(host: &Host<S, Q, C>) -> Result<Vec<RoutineShown>, FlowError>
where
    S: Catalog + Routines,
    C: Clock,
{
    let (active, now) = (host.active().await?, host.now());
    let switched = host.store.routines(&host.tenant).await?;
    let mut shown: Vec<RoutineShown> = Vec::new();
    for schedule in active.index.schedules() {
        let name = &schedule.sop.name;
        if shown.last().is_none_or(|last| last.sop != *name) {
            let routine = switched.iter().find(|routine| routine.sop == *name);
            shown.push(RoutineShown {
                sop: name.clone(),
                on: routine.is_none_or(|routine| routine.on),
                switched: routine.map(|routine| (routine.since, routine.by.clone())),
                schedules: Vec::new(),
            });
        }
        let zone = TimeZone::parse(schedule.timezone).ok();
        let next = zone.and_then(|zone| schedule.expression.next_after(&zone, now));
        if let Some(last) = shown.last_mut() {
            last.schedules.push(ScheduleShown {
                expression: schedule.expression.as_str().to_owned(),
                timezone: schedule.timezone.to_owned(),
                next,
            });
        }
    }
    Ok(shown)
}

/// Switches the schedules of `sop`. Switched on, they fire from now on: what was due meanwhile does not.
///
/// To switch to where it stands changes nothing, not even since when.
///
/// # Errors
/// When a port fails.
pub async fn switch<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &SopName,
    on: bool,
    by: &str,
) -> Result<Switched, FlowError>
where
    S: Catalog + Routines,
    C: Clock,
{
    let active = host.active().await?;
    if active.index.schedules().all(|schedule| schedule.sop.name != *sop) {
        return Ok(Switched::NoSchedule);
    }
    let routine = Routine { sop: sop.clone(), on, since: host.now(), by: by.to_owned() };
    let standing = host.store.routines(&host.tenant).await?;
    match standing.into_iter().find(|standing| standing.sop == *sop) {
        Some(standing) if standing.on == on => return Ok(Switched::Done(standing)),
        None if on => return Ok(Switched::Done(routine)),
        Some(_) | None => {}
    }
    host.store.set_routine(&host.tenant, &routine).await?;
    tracing::info!(sop = %sop, on, by, "routine");
    Ok(Switched::Done(routine))
}
