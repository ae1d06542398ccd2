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
    pub(crate) awaits: Vec<Awaited>,
    #[serde(default)]
    pub(crate) parent: Option<String>,
    #[serde(default)]
    pub(crate) origin: Option<String>,
    #[serde(default)]
    pub(crate) follows: Option<String>,
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

/// What one step of a run waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Awaited {
    pub(crate) step: u32,
    pub(crate) on: String,
    #[serde(default)]
    pub(crate) attempt: u32,
    #[serde(default)]
    pub(crate) since: String,
    #[serde(default)]
    pub(crate) until: Option<String>,
    #[serde(default)]
    pub(crate) gate: Option<u32>,
    #[serde(default)]
    pub(crate) votes: Vec<String>,
    #[serde(default)]
    pub(crate) quorum: Option<u32>,
    #[serde(default)]
    pub(crate) group: Option<String>,
    #[serde(default)]
    pub(crate) edit: Option<String>,
    #[serde(default)]
    pub(crate) run: Option<String>,
}

/// What a person can do about one step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Answer at this gate, which stands before this step.
    Gate(u32, u32),
    /// Do this step, or find out what became of it.
    Step(u32),
}

impl Run {
    pub(crate) fn is_finished(&self) -> bool {
        matches!(self.status.as_str(), "completed" | "failed" | "cancelled")
    }

    /// What people can do about it now, in the order of its steps; nothing while it is paused.
    pub(crate) fn turns(&self) -> Vec<Turn> {
        if self.is_finished() || self.status == "paused" {
            return Vec::new();
        }
        if self.awaits.is_empty() {
            return self.told_in_words().into_iter().collect();
        }
        self.awaits.iter().filter_map(Awaited::turn).collect()
    }

    /// The same, of a host that tells what is awaited in words alone.
    fn told_in_words(&self) -> Option<Turn> {
        let at = |state: &str| self.steps.iter().find(|step| step.state == state);
        let step = at("waiting").or_else(|| at("now")).map(|step| step.number);
        if let Some(gate) = self.gate {
            return Some(Turn::Gate(gate, step.unwrap_or_default()));
        }
        let is_person =
            self.waiting_for.as_deref().is_some_and(|what| what.starts_with("a person"));
        step.filter(|_| is_person).map(Turn::Step)
    }
}

impl Awaited {
    /// What a person can do about it.
    pub(crate) fn turn(&self) -> Option<Turn> {
        match (self.on.as_str(), self.gate) {
            ("approval", Some(gate)) => Some(Turn::Gate(gate, self.step)),
            ("person" | "unknown", _) => Some(Turn::Step(self.step)),
            _ => None,
        }
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
    #[serde(default)]
    pub(crate) payload_base64: Option<String>,
    #[serde(default)]
    pub(crate) actor: Option<String>,
    #[serde(default)]
    pub(crate) trace: Option<String>,
    #[serde(default)]
    pub(crate) replay_of: Option<String>,
    #[serde(default)]
    pub(crate) not_written: Option<usize>,
}
