//! What a screen or a program is shown of a run.

use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::engine::head::Status;
use crate::engine::state::{End, How, Live, Phase, Run, Stand};

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

/// What one step of a run waits for, for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// The step.
    pub step: u32,
    /// `slot`, `approval`, `person`, `performer`, `timer`, `retry`, `event`, `child` or `unknown`.
    pub on: String,
    /// Which try of the step.
    pub attempt: u32,
    /// RFC 3339.
    pub since: String,
    /// RFC 3339: when time moves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The open gate's revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<u32>,
    /// Digest of what the gate shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// Who has said yes so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<String>,
    /// Yeses it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// The group that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The field that may be amended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<String>,
    /// The run that it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
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
    /// The same for programs, a step each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaits: Vec<Awaited>,
    /// The first open gate's revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<u32>,
    /// Digest of what that gate shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// The run that started this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The run that this one takes up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The run whose end started this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<String>,
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
        let identity = &run.identity;
        let awaits: Vec<Awaited> = run.live.iter().map(|live| awaited(sop, run, live)).collect();
        let gate = awaits.iter().find(|awaited| awaited.gate.is_some());
        let (finished_at, reason) = match &run.phase {
            Phase::Finished { at, end, .. } => (
                Some(at.to_string()),
                match end {
                    End::Completed => None,
                    End::Failed { reason } | End::Cancelled { reason } => Some(reason.clone()),
                },
            ),
            Phase::Held { .. } | Phase::Open | Phase::Paused { .. } => (None, None),
        };
        Self {
            run: identity.id.to_string(),
            sop: identity.sop.to_string(),
            version: identity.version.clone(),
            status: Status::of(run),
            waiting_for: waiting_for(run),
            gate: gate.and_then(|awaited| awaited.gate),
            shown: gate.and_then(|awaited| awaited.shown.clone()),
            awaits,
            parent: identity.parent.as_ref().map(|parent| parent.run.to_string()),
            origin: identity.origin.as_ref().map(|origin| origin.run.to_string()),
            follows: identity.follows.as_ref().map(|follows| follows.run.to_string()),
            definition: identity.definition.to_string(),
            event: identity.event.to_string(),
            source: identity.source.to_string(),
            subject: identity.subject.clone(),
            started_at: identity.started_at.to_string(),
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

fn awaited(sop: &Definition, run: &Run, live: &Live) -> Awaited {
    let step = sop.step(live.step);
    let mut awaited = Awaited {
        step: live.step,
        on: live.stand.name().to_owned(),
        attempt: live.attempt,
        since: live.since.to_string(),
        until: run.due(live).map(|at| at.to_string()),
        gate: None,
        shown: None,
        votes: Vec::new(),
        quorum: None,
        group: None,
        edit: None,
        run: None,
    };
    match &live.stand {
        Stand::Approval(gate) => {
            let policy = step.map(|step| sop.policy(step)).unwrap_or_default();
            awaited.gate = Some(gate.gate);
            awaited.shown = Some(gate.shown.to_string());
            awaited.votes.clone_from(&gate.votes);
            awaited.quorum = Some(policy.quorum);
            awaited.group = policy.group;
            awaited.edit = step.and_then(|step| step.edit.clone());
        }
        Stand::Child { run, .. } => awaited.run = Some(run.to_string()),
        Stand::Slot
        | Stand::Person { .. }
        | Stand::Performer { .. }
        | Stand::Timer { .. }
        | Stand::Retry { .. }
        | Stand::Event { .. }
        | Stand::Unknown => {}
    }
    awaited
}

fn waiting_for(run: &Run) -> Option<String> {
    match &run.phase {
        Phase::Held { .. } => return Some("its turn to begin".to_owned()),
        Phase::Paused { .. } => return Some("a person to resume it".to_owned()),
        Phase::Finished { .. } => return None,
        Phase::Open => {}
    }
    let waits: Vec<String> = run.live.iter().filter_map(waits_for).collect();
    (!waits.is_empty()).then(|| waits.join("; "))
}

fn waits_for(live: &Live) -> Option<String> {
    let step = live.step;
    Some(match &live.stand {
        Stand::Slot => format!("a free slot to begin step {step}"),
        Stand::Approval(gate) => format!("an approval of step {step} (gate {})", gate.gate),
        Stand::Person { .. } => format!("a person to do step {step}"),
        Stand::Timer { until } => until.to_string(),
        Stand::Retry { until } => format!("{until}, to try step {step} again"),
        Stand::Event { .. } => format!("an event for step {step}"),
        Stand::Child { run, .. } => format!("run {run}, which step {step} started"),
        Stand::Unknown => format!("a person to find out whether step {step} was done"),
        Stand::Performer { .. } => return None,
    })
}

fn step_state(run: &Run, number: u32) -> StepState {
    if let Some(live) = run.live(number) {
        return match live.stand {
            Stand::Performer { .. } => StepState::Now,
            Stand::Slot
            | Stand::Approval(_)
            | Stand::Person { .. }
            | Stand::Timer { .. }
            | Stand::Retry { .. }
            | Stand::Event { .. }
            | Stand::Child { .. }
            | Stand::Unknown => StepState::Waiting,
        };
    }
    match run.past(number).map(|past| past.how) {
        Some(How::Done) => StepState::Done,
        Some(How::Failed | How::Denied) => StepState::Failed,
        Some(How::Skipped) => StepState::Skipped,
        Some(How::Stopped) => StepState::Blocked,
        None => match &run.phase {
            // What a completed run did not come to was not on its way.
            Phase::Finished { end: End::Completed, .. } => StepState::Skipped,
            Phase::Finished { .. } => StepState::Blocked,
            Phase::Held { .. } | Phase::Open | Phase::Paused { .. } => StepState::Todo,
        },
    }
}
