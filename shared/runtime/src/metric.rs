//! What is counted and timed. Names and labels are few and fixed: each pair of them is paid for on AWS.
//!
//! | name | labels | what |
//! |---|---|---|
//! | `sop_accepted_total` | `source` | arrivals that were put on the queue |
//! | `sop_events_total` | `source`, `outcome` | events that were dispatched: `matched` or `unmatched` |
//! | `sop_event_age_seconds` | | from arrival to dispatch |
//! | `sop_starts_total` | `outcome` | what events led to: `started`, `queued`, `coalesced`, `dropped` |
//! | `sop_transitions_total` | | entries appended to ledgers |
//! | `sop_refusals_total` | | inputs that changed nothing |
//! | `sop_waits_begun_total`, `sop_waits_ended_total` | `on` | steps that came to stand on something, and that left it |
//! | `sop_wait_seconds` | `on` | how long they stood there: for `performer` the time of a built-in's step |
//! | `sop_runs_finished_total` | `status` | runs that ended |
//! | `sop_run_seconds` | `status` | from start to end |
//! | `sop_execution_seconds` | `capability` | a built-in at work |
//! | `sop_messages_failed_total` | `queue` | deliveries that are to be made again |
//!
//! A host that installs no recorder counts nothing.

use metrics::{counter, histogram};
use sop_core::Timestamp;
use sop_core::engine::{Ran, Run, Status};
use sop_core::event::{Event, Source};
use sop_core::journal::Entry;

use crate::port::QueueName;

/// An arrival is on the queue.
pub(crate) fn accepted(source: Source) {
    counter!("sop_accepted_total", "source" => source.as_str()).increment(1);
}

/// An event was matched at `now`.
pub(crate) fn dispatched(event: &Event, matched: bool, now: Timestamp) {
    let outcome = if matched { "matched" } else { "unmatched" };
    let labels = [("source", event.source.as_str()), ("outcome", outcome)];
    counter!("sop_events_total", &labels).increment(1);
    histogram!("sop_event_age_seconds").record(seconds(now.millis_since(event.time)));
}

/// An event led to this for an SOP that it matched.
pub(crate) fn start(outcome: &'static str) {
    counter!("sop_starts_total", "outcome" => outcome).increment(1);
}

/// An input changed nothing.
pub(crate) fn refused() {
    counter!("sop_refusals_total").increment(1);
}

/// `entry` was appended; `before` is the run without it.
pub(crate) fn moved(before: Option<&Run>, entry: &Entry) {
    let after = &entry.after;
    counter!("sop_transitions_total").increment(1);
    for was in before.map_or(&[][..], |run| &run.live) {
        let is_there = after.live(was.step).is_some_and(|live| live.stand.is_like(&was.stand));
        if !is_there {
            let on = was.stand.name();
            counter!("sop_waits_ended_total", "on" => on).increment(1);
            let stood = seconds(entry.at.millis_since(was.since));
            histogram!("sop_wait_seconds", "on" => on).record(stood);
        }
    }
    for live in &after.live {
        let was = before.and_then(|run| run.live(live.step));
        if !was.is_some_and(|was| was.stand.is_like(&live.stand)) {
            counter!("sop_waits_begun_total", "on" => live.stand.name()).increment(1);
        }
    }
    if after.is_finished() && !before.is_some_and(Run::is_finished) {
        let status = Status::of(after).as_str();
        counter!("sop_runs_finished_total", "status" => status).increment(1);
        let took = seconds(entry.at.millis_since(after.identity.started_at));
        histogram!("sop_run_seconds", "status" => status).record(took);
    }
}

/// A built-in was at work.
pub(crate) fn executed(capability: &str, ran: Ran) {
    let capability = capability.to_owned();
    histogram!("sop_execution_seconds", "capability" => capability).record(seconds(ran.ms.into()));
}

/// A message could not be carried out this time.
pub fn message_failed(queue: QueueName) {
    counter!("sop_messages_failed_total", "queue" => queue.as_str()).increment(1);
}

fn seconds(millis: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a duration of years is exact to the microsecond"
    )]
    let millis = millis.max(0) as f64;
    millis / 1_000.0
}
