//! What moves a run.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::state::Stored;
use crate::id::{EventId, InputId};
use crate::time::Timestamp;

/// A person's answer at a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "say")]
pub enum Decision {
    /// Go on.
    Approve {
        /// What the person adds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// Do not.
    Deny {
        /// Why.
        reason: String,
    },
    /// Go on, with the step's `edit` field changed.
    Amend {
        /// The field's new value.
        value: Value,
    },
    /// Have the step that made the draft done again.
    Revise {
        /// What is to be changed.
        guidance: String,
    },
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Verdict {
    /// Done.
    Completed {
        /// What it gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Stored>,
    },
    /// Failed.
    Failed {
        /// Why.
        reason: String,
    },
    /// Whether it was done cannot be found out, and it may not be done twice.
    Unknown {
        /// How that came.
        reason: String,
    },
}

/// One input to a run that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "input")]
pub enum Input {
    /// A slot may be free.
    Admit,
    /// A built-in, or the run that a step started, is through with it.
    Outcome {
        /// The step.
        step: u32,
        /// Which try.
        attempt: u32,
        /// How it went.
        verdict: Verdict,
        /// When it was at work, where it tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ran: Option<Ran>,
    },
    /// A person is through with a step.
    Report {
        /// The step.
        step: u32,
        /// How it went.
        verdict: Verdict,
    },
    /// A person answers at a gate.
    Decide {
        /// The revision of the gate that the person saw.
        gate: u32,
        /// The answer.
        decision: Decision,
    },
    /// An event that a step waits for.
    Event {
        /// The step.
        step: u32,
        /// The event.
        event: EventId,
        /// Its payload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<Stored>,
    },
    /// A person stops the run for a while.
    Pause,
    /// A person lets a paused run go on.
    Resume,
    /// A person has the step that a run failed at done again.
    Retry,
    /// A person stops the run for good.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Time has passed.
    Wake,
}

/// When a built-in was at work: for whoever looks for where time went. Nothing is decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// When it began, by its own clock.
    pub began: Timestamp,
    /// Milliseconds that it took.
    pub ms: u32,
}

impl Input {
    /// When the built-in that it comes from was at work.
    pub fn ran(&self) -> Option<Ran> {
        match self {
            Self::Outcome { ran, .. } => *ran,
            Self::Admit
            | Self::Report { .. }
            | Self::Decide { .. }
            | Self::Event { .. }
            | Self::Pause
            | Self::Resume
            | Self::Retry
            | Self::Cancel { .. }
            | Self::Wake => None,
        }
    }

    /// The id of an input that the system itself makes: the same cause gives the same id.
    ///
    /// A person's inputs get their id from the caller.
    pub fn system_id(&self, seq: u64) -> InputId {
        let text = match self {
            Self::Admit => format!("admit-{seq}"),
            Self::Wake => format!("wake-{seq}"),
            // It may come to light after all.
            Self::Outcome { step, attempt, verdict: Verdict::Unknown { .. }, .. } => {
                format!("unknown-{step}-{attempt}")
            }
            Self::Outcome {
                step,
                attempt,
                verdict: Verdict::Completed { .. } | Verdict::Failed { .. },
                ..
            } => {
                format!("outcome-{step}-{attempt}")
            }
            Self::Report { step, .. } => format!("report-{step}-{seq}"),
            Self::Decide { gate, .. } => format!("decide-{gate}-{seq}"),
            Self::Event { step, event, .. } => format!("event-{step}-{event}"),
            Self::Pause => format!("pause-{seq}"),
            Self::Resume => format!("resume-{seq}"),
            Self::Retry => format!("retry-{seq}"),
            Self::Cancel { .. } => format!("cancel-{seq}"),
        };
        InputId::parse(&text).expect("built from visible ASCII")
    }
}
