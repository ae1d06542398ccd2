//! What an event or an input means for a run: a transition, or a refusal that says why not.

use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::engine::admission::{SlotChange, slot_change};
use crate::engine::evolve::evolve;
use crate::engine::input::{Decision, Input, Verdict};
use crate::engine::state::{Fact, Identity, Run, State, Stored};
use crate::id::{Digest, InputId};
use crate::journal::{Entry, FORMAT};
use crate::limits::REASON_CHARS_MAX;
use crate::time::Timestamp;

/// Why an input changes nothing. Never an error: the run is as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "refusal")]
pub enum Refusal {
    /// The run is over.
    #[error("the run is over")]
    AlreadyFinished,
    /// It does not wait for an approval.
    #[error("the run does not wait for an approval")]
    NotWaiting,
    /// It waits at a later gate than the one the decision names.
    #[error("gate {named} is superseded: the run waits at gate {open}")]
    Superseded {
        /// The gate that the decision names.
        named: u32,
        /// The gate that is open.
        open: u32,
    },
    /// The gate that the decision names was decided, or never opened.
    #[error("gate {named} is not open")]
    GateNotOpen {
        /// The gate that the decision names.
        named: u32,
    },
    /// Nobody waits for a report on this step.
    #[error("step {step} does not wait for a person to do it")]
    NotAwaited {
        /// The step that the report names.
        step: u32,
    },
    /// The outcome was counted before, or its try was given up.
    #[error("the outcome of step {step}, attempt {attempt}, is not awaited")]
    OutcomeNotAwaited {
        /// The step.
        step: u32,
        /// The try.
        attempt: u32,
    },
    /// The run has its slot, or needs none.
    #[error("the run is not queued")]
    NotQueued,
    /// It is not time yet.
    #[error("nothing is due before {at}")]
    TooEarly {
        /// When it is.
        at: Timestamp,
    },
    /// The run waits for something that time does not bring.
    #[error("the run does not wait for time to pass")]
    NotSleeping,
}

/// What was decided: an entry to append and what it does to the SOP's counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The entry.
    pub entry: Entry,
    /// What it does to the SOP's admission counter, in the same write.
    pub slot: Option<SlotChange>,
}

/// Who and what an input came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The input's id.
    pub input: InputId,
    /// `event`, `executor`, `clock`, `admission`, or a person's subject.
    pub by: String,
}

/// The first transition of a run.
///
/// With `queued`, or when the append that takes the slot finds the SOP full, the run waits for a slot
/// where it would otherwise begin a built-in's step.
pub fn start(
    sop: &Definition,
    identity: Identity,
    payload: Option<Stored>,
    cause: Cause,
    now: Timestamp,
    queued: bool,
) -> Transition {
    let fact = Fact::Started { payload };
    let after = evolve(sop, Err(identity), &fact, 0, now, queued);
    let queued = queued && matches!(after.state, State::Queued { .. });
    let slot = slot_change(sop, None, &after);
    let Cause { input, by } = cause;
    Transition {
        entry: Entry { v: FORMAT, seq: 0, at: now, input, by, fact, queued, prev: None, after },
        slot,
    }
}

/// Decides what `input` means for `run`, whose newest entry has the seq `seq` and the hash `hash`.
///
/// # Errors
/// A [`Refusal`] when the input changes nothing; the run stays as it is.
pub fn decide(
    sop: &Definition,
    run: &Run,
    newest: (u64, Digest),
    input: &Input,
    cause: Cause,
    now: Timestamp,
    queued: bool,
) -> Result<Transition, Refusal> {
    let fact = fact(run, input, now)?;
    let (seq, hash) = newest;
    let after = evolve(sop, Ok(run), &fact, seq + 1, now, queued);
    let queued = queued && matches!(after.state, State::Queued { .. });
    let slot = slot_change(sop, Some(run), &after);
    let Cause { input, by } = cause;
    Ok(Transition {
        entry: Entry {
            v: FORMAT,
            seq: seq + 1,
            at: now,
            input,
            by,
            fact,
            queued,
            prev: Some(hash),
            after,
        },
        slot,
    })
}

/// What happened, judged by the state alone. Every pair of state and input has its arm.
fn fact(run: &Run, input: &Input, now: Timestamp) -> Result<Fact, Refusal> {
    match (&run.state, input) {
        (State::Finished { .. }, _) => Err(Refusal::AlreadyFinished),
        (_, Input::Cancel { reason }) => Ok(Fact::Cancelled { reason: cut(reason) }),

        (State::Queued { .. }, Input::Admit) => Ok(Fact::Admitted),
        (_, Input::Admit) => Err(Refusal::NotQueued),

        (State::AwaitingApproval { gate, shown, .. }, Input::Decide { gate: named, decision }) => {
            decide_gate(*gate, *shown, *named, decision)
        }
        (_, Input::Decide { gate: named, .. }) if *named >= 1 && *named <= run.gates => {
            Err(Refusal::GateNotOpen { named: *named })
        }
        (_, Input::Decide { .. }) => Err(Refusal::NotWaiting),

        (State::AwaitingPerson { step, attempt, .. }, Input::Report { step: named, verdict })
            if step == named =>
        {
            Ok(reported(*step, *attempt, verdict))
        }
        (_, Input::Report { step, .. }) => Err(Refusal::NotAwaited { step: *step }),

        (
            State::Performing { step, attempt, .. },
            Input::Outcome { step: named, attempt: tried, verdict },
        ) if step == named && attempt == tried => Ok(reported(*step, *attempt, verdict)),
        (_, Input::Outcome { step, attempt, .. }) => {
            Err(Refusal::OutcomeNotAwaited { step: *step, attempt: *attempt })
        }

        (State::Performing { step, attempt, since, deadline }, Input::Wake) => {
            if now < *deadline {
                return Err(Refusal::TooEarly { at: *deadline });
            }
            let secs = deadline.millis_since(*since) / 1_000;
            Ok(Fact::StepFailed {
                step: *step,
                attempt: *attempt,
                reason: format!("timed out: no outcome within {secs} s"),
            })
        }
        (State::Sleeping { step, until, .. }, Input::Wake) => {
            if now < *until {
                return Err(Refusal::TooEarly { at: *until });
            }
            Ok(Fact::Woke { step: *step })
        }
        (
            State::Queued { .. } | State::AwaitingApproval { .. } | State::AwaitingPerson { .. },
            Input::Wake,
        ) => Err(Refusal::NotSleeping),
    }
}

fn decide_gate(gate: u32, shown: Digest, named: u32, decision: &Decision) -> Result<Fact, Refusal> {
    if named < gate && named > 0 {
        return Err(Refusal::Superseded { named, open: gate });
    }
    if named != gate {
        return Err(Refusal::GateNotOpen { named });
    }
    Ok(match decision {
        Decision::Approve { comment } => {
            Fact::Approved { gate, shown, comment: comment.as_deref().map(cut) }
        }
        Decision::Deny { reason } => Fact::Denied { gate, reason: cut(reason) },
    })
}

fn reported(step: u32, attempt: u32, verdict: &Verdict) -> Fact {
    match verdict {
        Verdict::Completed { output } => {
            Fact::StepCompleted { step, attempt, output: output.clone() }
        }
        Verdict::Failed { reason } => Fact::StepFailed { step, attempt, reason: cut(reason) },
    }
}

fn cut(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}
