//! What lists, the inbox and the sweep show of a run: a projection, never the source of a decision.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::engine::state::{End, Phase, Run, Stand};
use crate::event::Source;
use crate::id::{EventId, RunId, SopName, Tenant};
use crate::limits::{DELAY_SECS_MAX, LOOK_AHEAD_MS};
use crate::time::Timestamp;

/// A run's status, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for a free slot.
    Queued,
    /// A built-in works for it.
    Running,
    /// It waits on an approval, a person, a timer, an event or another run.
    Waiting,
    /// A person has paused it.
    Paused,
    /// Every step is done.
    Completed,
    /// A step failed.
    Failed,
    /// A person stopped it.
    Cancelled,
}

impl Status {
    /// The name used in JSON and on screens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of `run`: running while a built-in works for it, else queued when it waits for a slot.
    pub fn of(run: &Run) -> Self {
        let any = |test: fn(&Stand) -> bool| run.live.iter().any(|live| test(&live.stand));
        match &run.phase {
            Phase::Held { .. } => Self::Queued,
            Phase::Paused { .. } => Self::Paused,
            Phase::Finished { end: End::Completed, .. } => Self::Completed,
            Phase::Finished { end: End::Failed { .. }, .. } => Self::Failed,
            Phase::Finished { end: End::Cancelled { .. }, .. } => Self::Cancelled,
            Phase::Open if any(|stand| matches!(stand, Stand::Performer { .. })) => Self::Running,
            Phase::Open if any(|stand| matches!(stand, Stand::Slot)) => Self::Queued,
            Phase::Open => Self::Waiting,
        }
    }

    /// Whether the run is over.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The projection of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The run.
    pub run: RunId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The SOP.
    pub sop: SopName,
    /// The author's version of it.
    pub version: String,
    /// The newest entry it was made from; a store keeps the head with the greatest.
    pub seq: u64,
    /// Where the run stands.
    pub status: Status,
    /// The step it stands at.
    pub step: u32,
    /// The revision of the open gate, when it waits on an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<u32>,
    /// The sweep looks at it from this time on if nothing moved it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Since when it waits for a person: it is in the inbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<Timestamp>,
    /// Since when it waits for a slot or to begin: it is in its SOP's queue, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Timestamp>,
    /// The event that started it.
    pub event: EventId,
    /// The door the event came in at.
    pub source: Source,
    /// When it started.
    pub started_at: Timestamp,
    /// When this projection was made.
    pub updated_at: Timestamp,
    /// Why it failed or was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The end of the minute that `at` is in.
///
/// A deadline only catches outcomes that were lost, and the sweep comes once a minute; steps that follow
/// each other within a minute then keep their place in the index, and no index entry is paid for.
fn next_minute(at: Timestamp) -> Timestamp {
    const MINUTE_MS: i64 = 60_000;
    Timestamp::from_millis(at.as_millis().div_euclid(MINUTE_MS).saturating_add(1) * MINUTE_MS)
}

impl Head {
    /// The projection of `run`, a run of `sop`, as entry `seq`, appended at `at`, left it.
    pub fn of(sop: &Definition, run: &Run, seq: u64, at: Timestamp) -> Self {
        let is_over = run.is_finished();
        let asks = run.live.iter().find(|live| live.stand.awaits_people() && !run.is_paused());
        let gate = asks.and_then(|live| live.stand.gate()).map(|gate| gate.gate);
        let reason = match &run.phase {
            Phase::Finished { end: End::Failed { reason } | End::Cancelled { reason }, .. } => {
                Some(reason.clone())
            }
            Phase::Finished { end: End::Completed, .. }
            | Phase::Held { .. }
            | Phase::Open
            | Phase::Paused { .. } => None,
        };
        Self {
            run: run.identity.id.clone(),
            tenant: run.identity.tenant.clone(),
            sop: run.identity.sop.clone(),
            version: run.identity.version.clone(),
            seq,
            status: Status::of(run),
            step: asks.map_or_else(|| run.step(), |live| live.step),
            gate,
            due: due(sop, run),
            inbox: asks.map(|live| live.since).filter(|_| !is_over),
            queue: queued_since(run),
            event: run.identity.event.clone(),
            source: run.identity.source,
            started_at: run.identity.started_at,
            updated_at: at,
            reason,
        }
    }

    /// Whether anything that a list shows or an index sorts by differs from `other`.
    pub fn differs(&self, other: &Self) -> bool {
        self.status != other.status
            || self.step != other.step
            || self.gate != other.gate
            || (self.due, self.inbox, self.queue) != (other.due, other.inbox, other.queue)
            || self.reason != other.reason
    }
}

fn queued_since(run: &Run) -> Option<Timestamp> {
    match run.phase {
        Phase::Held { since, .. } => Some(since),
        Phase::Open => {
            let slots = run.live.iter().filter(|live| matches!(live.stand, Stand::Slot));
            slots.map(|live| live.since).min()
        }
        Phase::Paused { .. } | Phase::Finished { .. } => None,
    }
}

/// When the sweep is to look: to the minute for what only catches lost outcomes, ahead of what was too far
/// away for a message when it was set, at its instant for the rest.
fn due(sop: &Definition, run: &Run) -> Option<Timestamp> {
    let run_is_timed = matches!(run.phase, Phase::Held { .. } | Phase::Open);
    let steps = run.live.iter().filter_map(|live| {
        let at = run.due(live)?;
        let has_own = sop.step(live.step).is_some_and(|step| step.timeout_secs.is_some());
        let is_net = matches!(live.stand, Stand::Performer { .. }) && !has_own;
        Some(if is_net { next_minute(at) } else { seen_from(live.since, at) })
    });
    let started = run.identity.started_at;
    let whole = run.deadline.filter(|_| run_is_timed).map(|at| seen_from(started, at));
    steps.chain(whole).min()
}

/// Where a timer that was set for `at`, at `since` or later, stands in the index: one that may have been too
/// far away for a delayed message stands [`LOOK_AHEAD_MS`] before its time, so that one is sent for it.
fn seen_from(since: Timestamp, at: Timestamp) -> Timestamp {
    let had_message = at.millis_since(since) <= i64::from(DELAY_SECS_MAX) * 1_000;
    if had_message { at } else { at.plus_millis(-LOOK_AHEAD_MS) }
}
