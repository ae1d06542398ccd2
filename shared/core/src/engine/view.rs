//! What a screen or a program is shown of a run.

use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::engine::head::Status;
use crate::engine::state::{How, Run, State};

/// A step's state on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Its turn has not come.
    Todo,
    /// It is being done.
    Now,
    /// It waits on an approval, a person, a timer or a slot.
    Waiting,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Passed over.
    Skipped,
    /// The run ended before it.
    Blocked,
}

/// One step of a run, as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepView {
    /// Its place, from 1.
    pub number: u32,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub state: StepState,
}

/// A run, as shown: the stable part of `sop status --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunView {
    /// The run.
    pub run: String,
    /// The SOP.
    pub sop: String,
    /// The author's version of it.
    pub version: String,
    /// Where the run stands.
    pub status: Status,
    /// What it waits for, in words; absent when it waits for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// The open gate's revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<u32>,
    /// Digest of what the open gate shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// The definition's digest.
    pub definition: String,
    /// The event that started it.
    pub event: String,
    /// The door it came in at.
    pub source: String,
    /// The event's subject.
    pub subject: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339; absent until it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Why it failed or was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its steps, in order.
    pub steps: Vec<StepView>,
}

impl RunView {
    /// How `run`, a run of `sop`, is shown.
    pub fn of(sop: &Definition, run: &Run) -> Self {
        use crate::engine::state::End;
        let (gate, shown) = match &run.state {
            State::AwaitingApproval { gate, shown, .. } => (Some(*gate), Some(shown.to_string())),
            State::Queued { .. }
            | State::AwaitingPerson { .. }
            | State::Performing { .. }
            | State::Sleeping { .. }
            | State::Finished { .. } => (None, None),
        };
        let (finished_at, reason) = match &run.state {
            State::Finished { at, end, .. } => (
                Some(at.to_string()),
                match end {
                    End::Completed => None,
                    End::Failed { reason } | End::Cancelled { reason } => Some(reason.clone()),
                },
            ),
            State::Queued { .. }
            | State::AwaitingApproval { .. }
            | State::AwaitingPerson { .. }
            | State::Performing { .. }
            | State::Sleeping { .. } => (None, None),
        };
        Self {
            run: run.identity.id.to_string(),
            sop: run.identity.sop.to_string(),
            version: run.identity.version.clone(),
            status: Status::of(&run.state),
            waiting_for: waiting_for(&run.state),
            gate,
            shown,
            definition: run.identity.definition.to_string(),
            event: run.identity.event.to_string(),
            source: run.identity.source.to_string(),
            subject: run.identity.subject.clone(),
            started_at: run.identity.started_at.to_string(),
            finished_at,
            reason,
            steps: sop
                .steps
                .iter()
                .map(|step| StepView {
                    number: step.number,
                    title: step.title.clone(),
                    state: step_state(run, step.number),
                })
                .collect(),
        }
    }
}

fn waiting_for(state: &State) -> Option<String> {
    match state {
        State::Queued { step, .. } => Some(format!("a free slot to begin step {step}")),
        State::AwaitingApproval { step, gate, .. } => {
            Some(format!("an approval of step {step} (gate {gate})"))
        }
        State::AwaitingPerson { step, .. } => Some(format!("a person to do step {step}")),
        State::Sleeping { until, .. } => Some(format!("{until}")),
        State::Performing { .. } | State::Finished { .. } => None,
    }
}

fn step_state(run: &Run, number: u32) -> StepState {
    let settled = run.settled.iter().rev().find(|settled| settled.0 == number);
    if let Some(settled) = settled {
        return match settled.1 {
            How::Done => StepState::Done,
            How::Failed => StepState::Failed,
        };
    }
    match &run.state {
        State::Finished { .. } => StepState::Blocked,
        State::Performing { step, .. } if *step == number => StepState::Now,
        State::Queued { step, .. }
        | State::AwaitingApproval { step, .. }
        | State::AwaitingPerson { step, .. }
        | State::Sleeping { step, .. }
            if *step == number =>
        {
            StepState::Waiting
        }
        State::Queued { .. }
        | State::AwaitingApproval { .. }
        | State::AwaitingPerson { .. }
        | State::Performing { .. }
        | State::Sleeping { .. } => StepState::Todo,
    }
}
