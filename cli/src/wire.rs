//! What the API answers, read leniently: a newer host may say more, and new words for states.

use serde::{Deserialize, Serialize};

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Run {
    pub(crate) run: String,
    pub(crate) sop: String,
    #[serde(default)]
    pub(crate) version: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    #[serde(default)]
    pub(crate) waiting_for: Option<String>,
    #[serde(default)]
    pub(crate) gate: Option<u32>,
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Step {
    pub(crate) number: u32,
    pub(crate) title: String,
    pub(crate) state: String,
}

/// What a person can do about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Answer at this gate.
    Gate(u32),
    /// Do this step.
    Step(u32),
    /// Nothing but watch.
    None,
    /// It is over.
    Over,
}

impl Run {
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "cancelled")
    }

    /// The step that waits for somebody to do it.
    ///
    /// A sleeping step waits too; only the words tell them apart.
    pub(crate) fn turn(&self) -> Turn {
        if self.is_finished() {
            return Turn::Over;
        }
        if let Some(gate) = self.gate {
            return Turn::Gate(gate);
        }
        let waits_for_person =
            self.waiting_for.as_deref().is_some_and(|what| what.starts_with("a person"));
        match self.waiting_step() {
            Some(step) if waits_for_person => Turn::Step(step),
            Some(_) | None => Turn::None,
        }
    }

    /// The step it stands at.
    pub(crate) fn waiting_step(&self) -> Option<u32> {
        let at = |state: &str| self.steps.iter().find(|step| step.state == state);
        at("waiting").or_else(|| at("now")).map(|step| step.number)
    }
}

/// One line of a list of runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Head {
    pub(crate) run: String,
    pub(crate) sop: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) step: u32,
    #[serde(default)]
    pub(crate) gate: Option<u32>,
    #[serde(default)]
    pub(crate) source: String,
    #[serde(default)]
    pub(crate) started_at: String,
    #[serde(default)]
    pub(crate) updated_at: String,
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

/// What became of an event for one SOP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) sop: String,
    pub(crate) matched: bool,
    #[serde(default)]
    pub(crate) trigger: Option<String>,
    pub(crate) reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<String>,
}

/// One event of the dispatch log.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    pub(crate) event: String,
    pub(crate) time: String,
    pub(crate) source: String,
    pub(crate) subject: String,
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) detail: Option<Detail>,
}

/// What the log keeps of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Detail {
    #[serde(default)]
    pub(crate) verdicts: Vec<Verdict>,
    #[serde(default)]
    pub(crate) others: usize,
    #[serde(default)]
    pub(crate) payload: Option<String>,
}
