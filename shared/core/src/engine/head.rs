//! What lists, the inbox and the sweep show of a run: a projection, never the source of a decision.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::state::{End, Run, State};
use crate::event::Source;
use crate::id::{EventId, RunId, SopName, Tenant};
use crate::time::Timestamp;

/// A run's status, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for a free slot.
    Queued,
    /// A built-in works for it.
    Running,
    /// It waits on an approval, a person or a timer.
    Waiting,
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
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of `state`.
    pub const fn of(state: &State) -> Self {
        match state {
            State::Queued { .. } => Self::Queued,
            State::Performing { .. } => Self::Running,
            State::AwaitingApproval { .. }
            | State::AwaitingPerson { .. }
            | State::Sleeping { .. } => Self::Waiting,
            State::Finished { end: End::Completed, .. } => Self::Completed,
            State::Finished { end: End::Failed { .. }, .. } => Self::Failed,
            State::Finished { end: End::Cancelled { .. }, .. } => Self::Cancelled,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which index a head is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "on")]
pub enum Attention {
    /// None: it is over.
    Nothing,
    /// The sweep's: wake it at `at` if nothing moved it before.
    Due {
        /// When.
        at: Timestamp,
    },
    /// People's: it waits for one.
    Inbox {
        /// Since when.
        since: Timestamp,
    },
    /// Its SOP's queue, oldest first.
    Queue {
        /// Since when.
        since: Timestamp,
    },
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
    /// Which index it is in.
    pub attention: Attention,
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
    /// The projection of `run` as entry `seq`, appended at `at`, left it.
    pub fn of(run: &Run, seq: u64, at: Timestamp) -> Self {
        let (attention, gate, reason) = match &run.state {
            State::Queued { since, .. } => (Attention::Queue { since: *since }, None, None),
            State::AwaitingApproval { since, gate, .. } => {
                (Attention::Inbox { since: *since }, Some(*gate), None)
            }
            State::AwaitingPerson { since, .. } => (Attention::Inbox { since: *since }, None, None),
            State::Performing { deadline, .. } => {
                (Attention::Due { at: next_minute(*deadline) }, None, None)
            }
            State::Sleeping { until, .. } => (Attention::Due { at: *until }, None, None),
            State::Finished { end, .. } => (
                Attention::Nothing,
                None,
                match end {
                    End::Completed => None,
                    End::Failed { reason } | End::Cancelled { reason } => Some(reason.clone()),
                },
            ),
        };
        Self {
            run: run.identity.id.clone(),
            tenant: run.identity.tenant.clone(),
            sop: run.identity.sop.clone(),
            version: run.identity.version.clone(),
            seq,
            status: Status::of(&run.state),
            step: run.step(),
            gate,
            attention,
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
            || self.attention != other.attention
            || self.reason != other.reason
    }
}
