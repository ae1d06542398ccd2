//! What a definition says about the way from step to step, and about what goes wrong on it.

use serde::{Deserialize, Serialize};

use crate::condition::Condition;

/// One way out of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What must hold for it; always when absent (`else`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// The step to go to.
    pub next: u32,
}

/// What follows when a step has failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "then")]
pub enum OnFailure {
    /// The run fails.
    #[default]
    Fail,
    /// It is tried up to `max` times more, then the run fails.
    Retry {
        /// Tries after the first: 1 to [`RETRIES_MAX`](crate::limits::RETRIES_MAX).
        max: u32,
    },
    /// The run goes on at another step.
    Goto {
        /// Which.
        step: u32,
    },
    /// The run goes on at the step after it.
    Continue,
}

impl OnFailure {
    /// Whether it is what happens when nothing is said.
    pub fn is_fail(&self) -> bool {
        matches!(self, Self::Fail)
    }
}

/// How long to wait between tries: a random time up to a bound that doubles from try to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The bound before the second try, in milliseconds.
    pub initial_ms: u64,
    /// The bound never exceeds this, in milliseconds.
    pub max_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial_ms: 1_000, max_ms: 300_000 }
    }
}

/// What a crash between doing a step and telling of it may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is done again, under the same key.
    #[default]
    AtLeastOnce,
    /// It is not: a person finds out what became of it.
    AtMostOnce,
}

impl Delivery {
    /// Whether it is what happens when nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How much of a step an agent has earned to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delegation {
    /// A person does it.
    #[default]
    HumanOnly,
    /// A person does it; an agent's proposal is kept beside the result.
    Trialing,
    /// An agent does it, a person accepts.
    AgentSupervised,
    /// An agent's result stands.
    AgentAutonomous,
}

/// What becomes of an event while the SOP is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdmissionPolicy {
    /// Its run waits for a free slot, oldest first.
    #[default]
    Queue,
    /// As `queue`.
    Parallel,
    /// Its run begins when no other run of the SOP is under way, be it executing or waiting.
    Hold,
    /// It starts nothing when a run of the SOP is under way: that run stands for it.
    Coalesce,
    /// It starts nothing.
    Drop,
}

impl AdmissionPolicy {
    /// Whether it is what happens when nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an event that may not start its run at once makes one that waits.
    pub fn queues(self) -> bool {
        match self {
            Self::Queue | Self::Parallel | Self::Hold => true,
            Self::Coalesce | Self::Drop => false,
        }
    }

    /// Whether at most one run of the SOP is under way at a time.
    pub fn is_one_at_a_time(self) -> bool {
        match self {
            Self::Hold | Self::Coalesce => true,
            Self::Queue | Self::Parallel | Self::Drop => false,
        }
    }
}
