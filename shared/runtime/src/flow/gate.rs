//! What an approver is shown: exactly what a yes would be for.

use serde_json::Value;
use sop_core::definition::{Definition, Policy, Step, StepKind};
use sop_core::engine::{self, Gate, Gets, Live, Place, Refusal, Run, Values, gets};
use sop_core::id::{Digest, RunId};
use sop_core::time::Timestamp;

use crate::flow::advance::load;
use crate::flow::{FlowError, Host, values};
use crate::port::{Blobs, Catalog, Clock, Journal};

/// An open gate.
#[derive(Debug, Clone, PartialEq)]
pub struct GateShown {
    /// The run.
    pub run: RunId,
    /// The definition that the run keeps.
    pub definition: Digest,
    /// The gate's revision: a decision names it.
    pub gate: u32,
    /// What a decision stands for, by digest.
    pub shown: Digest,
    /// The step, as its author wrote it.
    pub step: Step,
    /// What the approver is asked, filled in.
    pub prompt: Option<String>,
    /// Why that could not be filled in, where it could not.
    pub prompt_problem: Option<String>,
    /// The step's arguments, filled in, with `***` where secrets belong; `None` when it has none.
    pub args: Option<Value>,
    /// What the step gets; of a checkpoint, what it hands on.
    pub input: Value,
    /// Who decides, and how.
    pub policy: Policy,
    /// Who has said yes so far.
    pub votes: Vec<String>,
    /// Times it has escalated.
    pub escalations: u32,
    /// Since when it is open.
    pub since: Timestamp,
    /// When its policy's time-out comes.
    pub until: Option<Timestamp>,
}

impl GateShown {
    /// The value that the step's `edit` field has now; `None` when there is no such field.
    pub fn editable(&self) -> Option<&Value> {
        let whole = match self.step.kind {
            StepKind::Checkpoint => &self.input,
            StepKind::Execute | StepKind::Capability => self.args.as_ref()?,
        };
        whole.get(self.step.edit.as_ref()?)
    }
}

/// What became of the question.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// The gate is open.
    Open(Box<GateShown>),
    /// It is not, and why: as a decision on it would be answered.
    Closed(Refusal),
}

/// What the gate `gate` of `run` shows.
///
/// # Errors
/// [`FlowError::NoRun`] when there is no such run; others when a port fails.
pub async fn gate_shown<S, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    gate: u32,
) -> Result<Shown, FlowError>
where
    S: Journal + Blobs + Catalog,
    C: Clock,
{
    let at = load(host, run).await?;
    let (live, open) = match engine::open_gate(at.run(), gate) {
        Ok(found) => found,
        Err(refusal) => return Ok(Shown::Closed(refusal)),
    };
    match at.sop.step(live.step) {
        Some(step) => {
            let shown = shown(host, (&at.sop, at.run()), step, (live, open)).await?;
            Ok(Shown::Open(Box::new(shown)))
        }
        None => Ok(Shown::Closed(Refusal::NotWaiting)),
    }
}

async fn shown<S: Journal + Blobs, Q, C>(
    host: &Host<S, Q, C>,
    (sop, run): (&Definition, &Run),
    step: &Step,
    (live, open): (&Live, &Gate),
) -> Result<GateShown, FlowError> {
    let id = &run.identity.id;
    let args = match live.args {
        Some(seq) => Some(values::args_at(host, id, seq, live.step).await?.value),
        None => step.with.clone(),
    };
    let gets = match live.amended {
        Some(seq) => Gets::One(Some(Place::own(seq))),
        None => gets(sop, run, step),
    };
    let input = values::input(host, id, &gets).await?;
    let (prompt, prompt_problem) = match prompt(host, (sop, run), step).await? {
        None => (None, None),
        Some(Ok(text)) => (Some(text), None),
        Some(Err(problem)) => (None, Some(problem)),
    };
    Ok(GateShown {
        run: id.clone(),
        definition: run.identity.definition,
        gate: open.gate,
        shown: open.shown,
        step: step.clone(),
        prompt,
        prompt_problem,
        args,
        input,
        policy: sop.policy(step),
        votes: open.votes.clone(),
        escalations: open.escalations,
        since: live.since,
        until: open.until,
    })
}

/// What the gate of `step` asks, filled in, or why it could not be; no secret is ever in it.
pub(super) async fn prompt<S: Journal + Blobs, Q, C>(
    host: &Host<S, Q, C>,
    (sop, run): (&Definition, &Run),
    step: &Step,
) -> Result<Option<Result<String, String>>, FlowError> {
    let mut at_hand = Values::default();
    loop {
        match engine::prompt(sop, run, step, &at_hand) {
            Ok(None) => return Ok(None),
            Ok(Some(filled)) => return Ok(Some(filled.map_err(|error| error.to_string()))),
            // No entry is being decided on, so none brings a value of its own.
            Err(needs) => values::fetch(host, run, (u64::MAX, None), needs, &mut at_hand).await?,
        }
    }
}
