//! What moves a run.

use serde::{Deserialize, Serialize};

use crate::engine::state::Stored;
use crate::id::InputId;

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
}

/// One input to a run that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "input")]
pub enum Input {
    /// A slot may be free.
    Admit,
    /// A built-in is through with a step.
    Outcome {
        /// The step.
        step: u32,
        /// Which try.
        attempt: u32,
        /// How it went.
        verdict: Verdict,
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
    /// A person stops the run.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Time has passed.
    Wake,
}

impl Input {
    /// The id of an input that the system itself makes: the same cause gives the same id.
    ///
    /// A person's inputs get their id from the caller.
    pub fn system_id(&self, seq: u64) -> InputId {
        let text = match self {
            Self::Admit => format!("admit-{seq}"),
            Self::Wake => format!("wake-{seq}"),
            Self::Outcome { step, attempt, .. } => format!("outcome-{step}-{attempt}"),
            Self::Report { step, .. } => format!("report-{step}-{seq}"),
            Self::Decide { gate, .. } => format!("decide-{gate}-{seq}"),
            Self::Cancel { .. } => format!("cancel-{seq}"),
        };
        InputId::parse(&text).expect("built from visible ASCII")
    }
}
