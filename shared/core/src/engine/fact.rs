//! What can have happened to a run.

use serde::{Deserialize, Serialize};

use crate::definition::OnTimeout;
use crate::engine::decide::Refusal;
use crate::engine::state::{Past, Stored};
use crate::id::{Digest, EventId};
use crate::template::SecretAt;

/// What happened: the heart of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "did")]
pub enum Fact {
    /// The event started the run.
    Started {
        /// The event's payload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<Stored>,
        /// Steps whose ends are taken over from the run that this one takes up again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reused: Vec<Past>,
    },
    /// A slot became free for it.
    Admitted,
    /// A person said yes, and more have to.
    Voted {
        /// The gate's revision.
        gate: u32,
        /// What was shown, by digest.
        shown: Digest,
        /// What the person said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// A person said yes, and no more have to.
    Approved {
        /// The gate's revision.
        gate: u32,
        /// What was shown, by digest.
        shown: Digest,
        /// What the person said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// A person changed the field that may be changed, and said yes to the result.
    Amended {
        /// The gate's revision.
        gate: u32,
        /// What was shown before the change, by digest.
        shown: Digest,
        /// The field.
        field: String,
        /// Its value before, in JSON; absent when it had none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Stored>,
        /// Its value after, in JSON.
        after: Stored,
        /// The whole after the change: what a checkpoint hands on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Stored>,
    },
    /// A person sent the draft back: the step that made it is done again.
    Revised {
        /// The gate's revision.
        gate: u32,
        /// The step that is done again.
        step: u32,
        /// What is to be changed.
        guidance: String,
    },
    /// A person refused.
    Denied {
        /// The gate's revision.
        gate: u32,
        /// Why.
        reason: String,
    },
    /// Somebody who may not decide tried to.
    Refused {
        /// The gate's revision.
        gate: u32,
        /// Why not.
        refusal: Refusal,
    },
    /// Nobody decided in time.
    GateTimedOut {
        /// The gate's revision.
        gate: u32,
        /// What its policy says to that.
        action: OnTimeout,
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
    /// A try of a step failed.
    StepFailed {
        /// The step.
        step: u32,
        /// Which try.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// Nobody knows whether a step that may not be done twice was done.
    OutcomeUnknown {
        /// The step.
        step: u32,
        /// Which try.
        attempt: u32,
        /// How that came.
        reason: String,
    },
    /// A wait was over: the step's own, or the one before its next try.
    Woke {
        /// The step.
        step: u32,
    },
    /// The event came that a step waited for.
    EventCame {
        /// The step.
        step: u32,
        /// Which try.
        attempt: u32,
        /// The event.
        event: EventId,
        /// Its payload.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Stored>,
    },
    /// A person stopped the run for a while.
    Paused,
    /// A person let it go on.
    Resumed,
    /// A person had the failed step done again.
    Retried {
        /// The step.
        step: u32,
    },
    /// A person stopped the run for good.
    Cancelled {
        /// Why.
        reason: String,
    },
    /// The whole run took too long.
    TimedOut,
}

impl Fact {
    /// The payload or output that it brings.
    pub fn brings(&self) -> Option<&Stored> {
        match self {
            Self::Started { payload: brought, .. }
            | Self::StepCompleted { output: brought, .. }
            | Self::EventCame { output: brought, .. }
            | Self::Amended { output: brought, .. } => brought.as_ref(),
            Self::Admitted
            | Self::Voted { .. }
            | Self::Approved { .. }
            | Self::Revised { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::GateTimedOut { .. }
            | Self::StepFailed { .. }
            | Self::OutcomeUnknown { .. }
            | Self::Woke { .. }
            | Self::Paused
            | Self::Resumed
            | Self::Retried { .. }
            | Self::Cancelled { .. }
            | Self::TimedOut => None,
        }
    }
}

/// What a transition found when it looked at values: written down, so that replaying the ledger needs no
/// value again and an auditor sees why a run went the way it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "asked")]
pub enum Answer {
    /// Whether a step's `if` held.
    If {
        /// The step.
        step: u32,
        /// Whether it did.
        held: bool,
    },
    /// Whether a step's `when` held.
    When {
        /// The step.
        step: u32,
        /// Whether it did.
        held: bool,
    },
    /// Which way out of a step was the first that held.
    Switch {
        /// The step.
        step: u32,
        /// The case, counted from 0; none held when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        case: Option<u32>,
    },
    /// A step's arguments, rendered.
    Rendered {
        /// The step.
        step: u32,
        /// The arguments, in JSON.
        args: Stored,
        /// Where secrets belong in them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<SecretAt>,
    },
    /// A step's arguments could not be rendered.
    Unrenderable {
        /// The step.
        step: u32,
        /// Why.
        reason: String,
    },
}
