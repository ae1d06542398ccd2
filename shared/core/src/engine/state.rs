//! What a run is, and what can have happened to it.

use serde::{Deserialize, Serialize};

use crate::event::Source;
use crate::id::{Digest, EventId, RunId, SopName, Tenant};
use crate::limits::INLINE_BYTES_MAX;
use crate::time::Timestamp;

/// A payload or an output, as an entry carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// The text itself: at most [`INLINE_BYTES_MAX`] bytes.
    Inline(String),
    /// An item of its own, named by the digest of its bytes.
    Blob {
        /// SHA-256 of the text.
        digest: Digest,
        /// Length of the text in bytes.
        bytes: usize,
        /// The first characters, for people.
        preview: String,
    },
}

/// Characters of a value that its preview shows.
const PREVIEW_CHARS: usize = 120;

impl Stored {
    /// How `text` is carried: inline when it is small, else by digest.
    ///
    /// Whoever gets a [`Stored::Blob`] stores `text` under its digest before it names it.
    pub fn of(text: &str) -> Self {
        if text.len() <= INLINE_BYTES_MAX {
            return Self::Inline(text.to_owned());
        }
        Self::Blob {
            digest: Digest::of(text.as_bytes()),
            bytes: text.len(),
            preview: text.chars().take(PREVIEW_CHARS).collect(),
        }
    }
}

/// What never changes about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The run.
    pub id: RunId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The SOP it is a run of.
    pub sop: SopName,
    /// The author's version of the definition.
    pub version: String,
    /// The definition, by digest: a run keeps the one it started with.
    pub definition: Digest,
    /// The event that started it.
    pub event: EventId,
    /// The door the event came in at.
    pub source: Source,
    /// The event's subject.
    pub subject: String,
    /// When the run was started.
    pub started_at: Timestamp,
    /// W3C `traceparent` of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// How a step came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Done.
    Done,
    /// Failed.
    Failed,
}

/// A step that has come to its end: number, how, and the seq of the entry that holds its output or,
/// when it gave none, what it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled(pub u32, pub How, pub u64);

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "as")]
pub enum End {
    /// Every step is done.
    Completed,
    /// A step failed.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// A person stopped it, or denied a gate.
    Cancelled {
        /// Why, for people.
        reason: String,
    },
}

/// Where a run stands. Each variant carries exactly its facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum State {
    /// It may go on with `step` as soon as the SOP has a free slot.
    Queued {
        /// The step to begin; its gate, if any, has been passed.
        step: u32,
        /// Since when.
        since: Timestamp,
    },
    /// A person has to say yes before `step` begins.
    AwaitingApproval {
        /// The gated step.
        step: u32,
        /// The gate's revision: counts the run's gates from 1. A decision names it.
        gate: u32,
        /// Since when.
        since: Timestamp,
        /// Digest of what the approver is shown: the run (and with it its event), its definition, the gate
        /// and the step as it stands there.
        shown: Digest,
    },
    /// A person has to do `step`.
    AwaitingPerson {
        /// The step.
        step: u32,
        /// Which try this is, from 1.
        attempt: u32,
        /// Since when.
        since: Timestamp,
    },
    /// A built-in does `step`.
    Performing {
        /// The step.
        step: u32,
        /// Which try this is, from 1.
        attempt: u32,
        /// Since when.
        since: Timestamp,
        /// When the try counts as failed.
        deadline: Timestamp,
    },
    /// The built-in `wait` waits.
    Sleeping {
        /// The step.
        step: u32,
        /// Since when.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
    },
    /// It is over.
    Finished {
        /// The step it ended at; 0 when it had none.
        step: u32,
        /// How.
        end: End,
        /// When.
        at: Timestamp,
    },
}

/// A run: what the newest entry of its journal says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What never changes.
    pub identity: Identity,
    /// Gates opened so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gates: u32,
    /// The steps that have come to their end, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settled: Vec<Settled>,
    /// Where it stands.
    pub state: State,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Run {
    /// Whether nothing more can happen to it.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished { .. })
    }

    /// The step it stands at; 0 when the SOP has none.
    pub fn step(&self) -> u32 {
        match self.state {
            State::Queued { step, .. }
            | State::AwaitingApproval { step, .. }
            | State::AwaitingPerson { step, .. }
            | State::Performing { step, .. }
            | State::Sleeping { step, .. }
            | State::Finished { step, .. } => step,
        }
    }

    /// When a `Wake` is due, if nothing else moves the run before.
    pub fn wake_at(&self) -> Option<Timestamp> {
        match self.state {
            State::Performing { deadline, .. } => Some(deadline),
            State::Sleeping { until, .. } => Some(until),
            State::Queued { .. }
            | State::AwaitingApproval { .. }
            | State::AwaitingPerson { .. }
            | State::Finished { .. } => None,
        }
    }

    /// The seq of the entry that holds what the next step gets as its input: the last step's output,
    /// or the event's payload, which entry 0 holds.
    pub fn input_seq(&self) -> u64 {
        self.settled.last().map_or(0, |settled| settled.2)
    }
}

/// What happened: the heart of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "did")]
pub enum Fact {
    /// The event started the run.
    Started {
        /// The event's payload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<Stored>,
    },
    /// A slot became free for it.
    Admitted,
    /// A person approved what the gate showed.
    Approved {
        /// The gate's revision.
        gate: u32,
        /// What was shown, by digest.
        shown: Digest,
        /// What the person said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// A person refused.
    Denied {
        /// The gate's revision.
        gate: u32,
        /// Why.
        reason: String,
    },
    /// A step was done.
    StepCompleted {
        /// The step.
        step: u32,
        /// Which try.
        attempt: u32,
        /// What it gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Stored>,
    },
    /// A step failed.
    StepFailed {
        /// The step.
        step: u32,
        /// Which try.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// A wait was over.
    Woke {
        /// The step.
        step: u32,
    },
    /// A person stopped the run.
    Cancelled {
        /// Why.
        reason: String,
    },
}
