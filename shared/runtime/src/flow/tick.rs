//! The tick: schedules that came due, and the sweep that keeps every run moving.

use sop_core::cron::TimeZone;
use sop_core::event::{Data, Event, Source};
use sop_core::id::EventId;
use sop_core::ingress;
use sop_core::matching::{Listed, Schedule};
use sop_core::time::Timestamp;

use crate::envelope::Body;
use crate::flow::act::admit_waiting;
use crate::flow::{Active, FlowError, Host, SopVerdict, log};
use crate::port::{
    Catalog, Clock, CronCursor, EventLog, Heads, Journal, Message, Queue, QueueName, Routine,
    Routines,
};

/// Milliseconds that the first window, before which nothing is known, reaches back.
const FIRST_WINDOW_MS: i64 = 60_000;

/// Milliseconds for which what is due is left to its own timer: two that look at a run in the same
/// moment may both ask for its next step.
const TIMER_FIRST_MS: i64 = 2_000;

/// Milliseconds after which a run that was woken, and nobody moved, is woken again.
const AGAIN_MS: i64 = 60_000;

/// Due runs looked at in one tick; the next tick takes the rest.
const DUE_MAX: usize = 1_000;

/// Congested SOPs looked at in one tick.
const CONGESTED_MAX: usize = 1_000;

/// What a tick did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticked {
    /// Schedules that fired.
    pub fired: usize,
    /// Runs that were woken: overdue, or due soon by a timer that was too far away for a message.
    pub woken: usize,
    /// SOPs whose queue was looked at.
    pub congested: usize,
}

/// Fires the schedules of the window since the last tick, wakes runs that came due in it, looks at queues.
///
/// Several hosts may tick at once, and a tick may be repeated: event ids are derived from SOP,
/// expression and fire time, so nothing starts twice.
///
/// # Errors
/// When a port fails: the window stays open, the next tick takes it. One part that fails keeps none of
/// the others from their work.
pub async fn tick<S, Q, C>(host: &Host<S, Q, C>) -> Result<Ticked, FlowError>
where
    S: Catalog + CronCursor + Routines + EventLog + Heads + Journal,
    Q: Queue,
    C: Clock,
{
    let last = host.store.last_check(&host.tenant).await;
    let since = last.as_ref().ok().copied().flatten();
    let fired = match last {
        Ok(last) => fire(host, last).await,
        Err(error) => Err(error.into()),
    };
    let woken = sweep(host, since).await;
    let congested = look_at_queues(host).await;
    Ok(Ticked { fired: fired?, woken: woken?, congested: congested? })
}

async fn look_at_queues<S, Q, C>(host: &Host<S, Q, C>) -> Result<usize, FlowError>
where
    S: Heads + Journal,
    Q: Queue,
    C: Clock,
{
    let congested = host.store.congested(&host.tenant, CONGESTED_MAX).await?;
    for sop in &congested {
        admit_waiting(host, &host.tenant, sop).await?;
    }
    Ok(congested.len())
}

async fn fire<S, Q, C>(host: &Host<S, Q, C>, last: Option<Timestamp>) -> Result<usize, FlowError>
where
    S: Catalog + CronCursor + Routines + EventLog,
    Q: Queue,
    C: Clock,
{
    let now = host.now();
    let after = last.unwrap_or(now.plus_millis(-FIRST_WINDOW_MS));
    if after >= now {
        // The clock went back: these fire times have been looked at.
        return Ok(0);
    }
    let active = host.active().await?;
    let schedules = fires_in(&active, (after, now));
    // Most ticks fire nothing, and then nobody asks which switches there are.
    let routines = match schedules.is_empty() {
        true => Vec::new(),
        false => host.store.routines(&host.tenant).await?,
    };
    let mut due = Vec::new();
    for (event, off) in due_events(host, &schedules, &routines, (after, now)) {
        match off {
            None => due.push(event),
            Some(routine) => log_off(host, &event, routine).await?,
        }
    }
    let messages: Vec<Message> = due
        .into_iter()
        .map(|event| Body::Event { event: Box::new(event) }.into_message(0))
        .collect();
    if !messages.is_empty() {
        host.queue.send(QueueName::Events, &messages).await?;
    }
    // After the events are durable: a crash in between fires them again, under the same ids.
    host.store.advance(&host.tenant, now).await?;
    Ok(messages.len())
}

/// The schedules that fire in the window (after, now], with their zones.
fn fires_in(
    active: &Active,
    (after, now): (Timestamp, Timestamp),
) -> Vec<(Schedule<'_>, TimeZone)> {
    let mut firing = Vec::new();
    for schedule in active.index.schedules() {
        let Ok(zone) = TimeZone::parse(schedule.timezone) else {
            let zone = schedule.timezone;
            tracing::error!(sop = %schedule.sop.name, zone, "unknown time zone in the catalog");
            continue;
        };
        if schedule.expression.fires_in(&zone, after, now).is_some() {
            firing.push((schedule, zone));
        }
    }
    firing
}

/// What is due of `schedules` in the window (after, now], each at most once and at its latest time; with the
/// switch that keeps it from firing, where one does.
fn due_events<'r, S, Q, C>(
    host: &Host<S, Q, C>,
    schedules: &[(Schedule<'_>, TimeZone)],
    routines: &'r [Routine],
    (after, now): (Timestamp, Timestamp),
) -> Vec<(Event, Option<&'r Routine>)> {
    let mut events = Vec::new();
    for (schedule, zone) in schedules {
        let (listed, expression) = (schedule.sop, schedule.expression);
        let mut push = |(after, upto): (Timestamp, Timestamp), off| {
            let fires = (after < upto).then(|| expression.fires_in(zone, after, upto));
            if let Some(at) = fires.flatten() {
                events.push((cron_event(host, listed, expression.as_str(), zone, at), off));
            }
        };
        match routines.iter().find(|routine| routine.sop == listed.name) {
            None => push((after, now), None),
            Some(Routine { on: true, since, .. }) => push((after.max(*since), now), None),
            Some(routine) => {
                // What was due before it was switched off and had not been looked at still fires.
                push((after, now.min(routine.since)), None);
                push((after.max(routine.since), now), Some(routine));
            }
        }
    }
    events
}

/// Has the log say that `event` did not fire.
async fn log_off<S: EventLog, Q, C: Clock>(
    host: &Host<S, Q, C>,
    event: &Event,
    routine: &Routine,
) -> Result<(), FlowError> {
    let Routine { sop, since, by, .. } = routine;
    let verdict = SopVerdict {
        sop: sop.to_string(),
        matched: false,
        trigger: Some(format!("cron {}", event.subject)),
        reason: format!("its schedules were switched off at {since} by {by}"),
        run: None,
    };
    log::write(host, event, vec![verdict], 0).await
}

fn cron_event<S, Q, C>(
    host: &Host<S, Q, C>,
    listed: &Listed,
    expression: &str,
    zone: &TimeZone,
    at: Timestamp,
) -> Event {
    let id = EventId::derived(at, &["cron", listed.name.as_str(), expression, zone.as_str()]);
    Event {
        trace: Some(ingress::traceparent(&id)),
        id,
        tenant: host.tenant.clone(),
        source: Source::Cron,
        subject: expression.to_owned(),
        time: at,
        data: Data::Empty,
        target: Some(listed.name.clone()),
        catalog: None,
        method: None,
        actor: None,
        lineage: None,
    }
}

async fn sweep<S, Q, C>(host: &Host<S, Q, C>, since: Option<Timestamp>) -> Result<usize, FlowError>
where
    S: Heads,
    Q: Queue,
    C: Clock,
{
    let now = host.now().plus_millis(-TIMER_FIRST_MS);
    let since = since.map(|at| at.plus_millis(-TIMER_FIRST_MS)).filter(|since| *since < now);
    let due = host.store.due(&host.tenant, now, DUE_MAX).await?;
    let wakes: Vec<Message> = due
        .into_iter()
        .filter(|(_, at)| comes_up(*at, since, now))
        .map(|(run, _)| Body::Wake { run, at: None }.into_message(0))
        .collect();
    if !wakes.is_empty() {
        host.queue.send(QueueName::Events, &wakes).await?;
    }
    Ok(wakes.len())
}

/// Whether a run that is due from `at` on is woken at `now`: once, and again each minute after. Without a tick
/// before this one it is: one that is woken for nothing does not move.
fn comes_up(at: Timestamp, since: Option<Timestamp>, now: Timestamp) -> bool {
    let minutes = |seen: Timestamp| seen.millis_since(at).div_euclid(AGAIN_MS);
    since.is_none_or(|since| minutes(since) < minutes(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_comes_up_once_a_minute() {
        let at = |secs: i64| Timestamp::from_millis(secs * 1_000);
        let ticks = |every: i64| {
            let up = |now: &i64| comes_up(at(100), Some(at(now - every)), at(*now));
            (100..400).filter(|now| now % every == 0).filter(up).collect::<Vec<_>>()
        };
        assert_eq!(ticks(1), [100, 160, 220, 280, 340]);
        assert_eq!(ticks(60), [120, 180, 240, 300, 360], "each tick");
        assert!(comes_up(at(100), Some(at(10)), at(1_000)), "the first tick after a long time");
        assert!(comes_up(at(100), None, at(101)), "the first of all");
    }
}
