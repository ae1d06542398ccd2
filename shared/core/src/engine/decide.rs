//! What an event or an input means for a run: a transition, or a refusal that says why not.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::definition::{Definition, OnTimeout};
use crate::engine::admission::{SlotChange, slot_change, waits_for_slot};
use crate::engine::ask::{Asked, Blob, Need, Values};
use crate::engine::evolve::{Move, unborn};
use crate::engine::fact::Fact;
use crate::engine::input::{Input, Verdict};
use crate::engine::state::{End, Gate, Heard, Identity, Live, Past, Phase, Run, Stand, Stored};
use crate::id::{Digest, InputId};
use crate::journal::{Entry, FORMAT};
use crate::limits::REASON_CHARS_MAX;
use crate::time::Timestamp;

mod gate;

pub use gate::open_gate;

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
    /// The person is not in the group that decides.
    #[error("only members of `{group}` decide this gate")]
    NotEntitled {
        /// The group.
        group: String,
    },
    /// The person would approve what is their own.
    #[error("who started the run or did the step before may not approve it")]
    OwnWork,
    /// The person has said yes already.
    #[error("{by} has approved this gate before; {votes} of {quorum} have")]
    AlreadyVoted {
        /// Who.
        by: String,
        /// Yeses so far.
        votes: u32,
        /// Yeses it takes.
        quorum: u32,
    },
    /// The step has no field that may be amended.
    #[error("step {step} has no `edit` field: nothing of it may be amended")]
    NotAmendable {
        /// The step.
        step: u32,
    },
    /// What the gate shows is not an object, so it has no fields.
    #[error("what step {step} shows is not an object: `{field}` cannot be amended")]
    NothingToAmend {
        /// The step.
        step: u32,
        /// The field.
        field: String,
    },
    /// The amended arguments are too large.
    #[error("the amended value has {bytes} bytes; at most {bytes_max} are kept")]
    AmendmentTooLarge {
        /// How large they would be.
        bytes: usize,
        /// How large they may be.
        bytes_max: usize,
    },
    /// No step before the gate made a draft that could be made again.
    #[error("there is no draft before gate {gate} that could be revised")]
    NoDraft {
        /// The gate.
        gate: u32,
    },
    /// The draft has been sent back as often as it may be.
    #[error("step {step} was revised {times} times, which is the most: approve or deny")]
    RevisedTooOften {
        /// The step that makes the draft.
        step: u32,
        /// How often.
        times: u32,
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
    /// The step does not wait for an event.
    #[error("step {step} does not wait for an event")]
    EventNotAwaited {
        /// The step.
        step: u32,
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
    /// A person has paused the run.
    #[error("the run is paused: resume it first")]
    Paused,
    /// It is not paused.
    #[error("the run is not paused")]
    NotPaused,
    /// Only a failed run can be retried.
    #[error("the run has not failed: only the failed step of a failed run can be retried")]
    NotFailed,
}

/// What was decided: an entry to append and what it does to the SOP's counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The entry.
    pub entry: Entry,
    /// What it does to the SOP's admission counter, in the same write.
    pub slot: Option<SlotChange>,
    /// Texts that have to be in the store before the entry, which names them.
    pub blobs: Vec<Blob>,
}

/// What came of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// The run moves.
    Moves(Box<Transition>),
    /// It stays as it is, and why.
    Refused(Refusal),
    /// That depends on these values: decide again with them.
    Needs(BTreeSet<Need>),
}

/// Who and what an input came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The input's id.
    pub input: InputId,
    /// `event`, `executor`, `clock`, `admission`, or a person's subject.
    pub by: String,
}

/// What starts a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// What never changes about it.
    pub identity: Identity,
    /// The event's payload.
    pub payload: Option<Stored>,
    /// Ends of steps that it takes over from the run it takes up again.
    pub reused: Vec<Past>,
}

/// What an input or a start is decided with.
#[derive(Debug, Clone)]
pub struct Given<'v> {
    /// Who and what it comes from.
    pub cause: Cause,
    /// The present instant.
    pub now: Timestamp,
    /// Whether no slot is free.
    pub queued: bool,
    /// The values at hand.
    pub values: &'v Values,
}

/// The first transition of a run.
///
/// With `queued`, or when the append that takes the slot finds the SOP full, the run waits for a slot
/// where it would otherwise begin a built-in's step. Never [`Decided::Refused`].
pub fn start(sop: &Definition, beginning: Beginning, given: Given<'_>) -> Decided {
    let Beginning { identity, payload, reused } = beginning;
    let run = unborn(sop, identity);
    let fact = Fact::Started { payload, reused };
    let asked = Asked::of(given.values);
    made(sop, (&run, None), fact, given, asked)
}

/// Decides what `input` means for `run`, whose newest entry has the seq and hash `newest`.
pub fn decide(
    sop: &Definition,
    run: &Run,
    newest: (u64, Digest),
    input: &Input,
    given: Given<'_>,
) -> Decided {
    let mut asked = Asked::of(given.values);
    let fact = fact(sop, run, input, &given.cause.by, given.now, &mut asked);
    if !asked.missing.is_empty() {
        return Decided::Needs(asked.missing);
    }
    match fact {
        Ok(fact) => {
            let mut decided = made(sop, (run, Some(newest)), fact, given, asked);
            if let Decided::Moves(transition) = &mut decided {
                transition.entry.ran = input.ran();
            }
            decided
        }
        Err(refusal) => Decided::Refused(refusal),
    }
}

/// The transition that `fact` is, unless it depends on values that are not at hand.
fn made(
    sop: &Definition,
    before: (&Run, Option<(u64, Digest)>),
    fact: Fact,
    given: Given<'_>,
    mut asked: Asked<'_>,
) -> Decided {
    let Given { cause, now, queued, .. } = given;
    let (run, newest) = before;
    let seq = newest.map_or(0, |(seq, _)| seq + 1);
    asked.bring(seq, fact.brings());
    let moving = Move {
        sop,
        run: run.clone(),
        seq,
        at: now,
        queued,
        by: &cause.by,
        asked: &mut asked,
        going: None,
    };
    let after = moving.apply(&fact);
    if !asked.missing.is_empty() {
        return Decided::Needs(asked.missing);
    }
    let slot = slot_change(sop, newest.map(|_| run), &after);
    let queued = queued && waits_for_slot(&after);
    let Cause { input, by } = cause;
    let entry = Entry {
        v: FORMAT,
        seq,
        at: now,
        input,
        by,
        fact,
        queued,
        ran: None,
        asked: asked.answers,
        prev: newest.map(|(_, hash)| hash),
        after,
    };
    Decided::Moves(Box::new(Transition { entry, slot, blobs: asked.blobs }))
}

/// The run after the entry's fact, worked out from the run before it alone; `None` when what the entry
/// says it asked does not fit.
pub fn replay(sop: &Definition, before: Option<&Run>, entry: &Entry) -> Option<Run> {
    let run = match before {
        Some(run) => run.clone(),
        None => unborn(sop, entry.after.identity.clone()),
    };
    let mut asked = Asked::replay(&entry.asked);
    let moving = Move {
        sop,
        run,
        seq: entry.seq,
        at: entry.at,
        queued: entry.queued,
        by: &entry.by,
        asked: &mut asked,
        going: None,
    };
    let after = moving.apply(&entry.fact);
    (!asked.misled && asked.is_spent()).then_some(after)
}

/// What happened, judged by the state alone. Every pair of state and input has its arm.
fn fact(
    sop: &Definition,
    run: &Run,
    input: &Input,
    by: &str,
    now: Timestamp,
    asked: &mut Asked<'_>,
) -> Result<Fact, Refusal> {
    match (&run.phase, input) {
        (Phase::Finished { end: End::Failed { .. }, step, .. }, Input::Retry) => {
            Ok(Fact::Retried { step: *step })
        }
        (Phase::Finished { end: End::Completed | End::Cancelled { .. }, .. }, Input::Retry) => {
            Err(Refusal::NotFailed)
        }
        (Phase::Finished { .. }, _) => Err(Refusal::AlreadyFinished),
        (_, Input::Retry) => Err(Refusal::NotFailed),
        (_, Input::Cancel { reason }) => Ok(Fact::Cancelled { reason: cut(reason) }),

        (Phase::Held { .. } | Phase::Open, Input::Pause) => Ok(Fact::Paused),
        (Phase::Paused { .. }, Input::Pause) => Err(Refusal::Paused),
        (Phase::Paused { .. }, Input::Resume) => Ok(Fact::Resumed),
        (Phase::Held { .. } | Phase::Open, Input::Resume) => Err(Refusal::NotPaused),

        (Phase::Held { .. }, Input::Admit) => Ok(Fact::Admitted),
        (Phase::Open, Input::Admit) => {
            let waits = run.live.iter().any(|live| matches!(live.stand, Stand::Slot));
            if waits { Ok(Fact::Admitted) } else { Err(Refusal::NotQueued) }
        }
        (Phase::Paused { .. }, Input::Admit) => Err(Refusal::NotQueued),

        (Phase::Paused { .. }, Input::Decide { .. }) => Err(Refusal::Paused),
        (Phase::Held { .. } | Phase::Open, Input::Decide { gate, decision }) => {
            gate::decide(sop, run, *gate, decision, by, asked)
        }

        (_, Input::Wake) => woken(sop, run, now),
        (_, Input::Report { step, verdict }) => reported(run, *step, verdict),
        (_, Input::Outcome { step, attempt, verdict, .. }) => {
            outcome(run, *step, *attempt, verdict)
        }
        (_, Input::Event { step, event, payload }) => {
            // Nor does the event count that started the run, when it comes again.
            let is_known = |heard: &Heard| (heard.step, &heard.event) == (*step, event);
            let is_new = !run.heard.iter().any(is_known) && run.identity.event != *event;
            match run.live(*step) {
                Some(Live { stand: Stand::Event { .. }, attempt, .. }) if is_new => {
                    Ok(Fact::EventCame {
                        step: *step,
                        attempt: *attempt,
                        event: event.clone(),
                        output: payload.clone(),
                    })
                }
                Some(_) | None => Err(Refusal::EventNotAwaited { step: *step }),
            }
        }
    }
}

/// A person is through with a step, or has found out what became of it.
fn reported(run: &Run, step: u32, verdict: &Verdict) -> Result<Fact, Refusal> {
    match run.live(step) {
        Some(Live { stand: Stand::Person { .. } | Stand::Unknown, attempt, .. }) => {
            Ok(told(step, *attempt, verdict))
        }
        Some(_) | None => Err(Refusal::NotAwaited { step }),
    }
}

fn outcome(run: &Run, step: u32, attempt: u32, verdict: &Verdict) -> Result<Fact, Refusal> {
    match run.live(step) {
        Some(Live {
            stand: Stand::Performer { .. } | Stand::Child { .. }, attempt: now, ..
        }) if *now == attempt => Ok(told(step, attempt, verdict)),
        // It did get through after all.
        Some(Live { stand: Stand::Unknown, attempt: now, .. })
            if *now == attempt && !matches!(verdict, Verdict::Unknown { .. }) =>
        {
            Ok(told(step, attempt, verdict))
        }
        Some(_) | None => Err(Refusal::OutcomeNotAwaited { step, attempt }),
    }
}

fn told(step: u32, attempt: u32, verdict: &Verdict) -> Fact {
    match verdict {
        Verdict::Completed { output } => {
            Fact::StepCompleted { step, attempt, output: output.clone() }
        }
        Verdict::Failed { reason } => Fact::StepFailed { step, attempt, reason: cut(reason) },
        Verdict::Unknown { reason } => Fact::OutcomeUnknown { step, attempt, reason: cut(reason) },
    }
}

/// What the time that has come first, brings.
fn woken(sop: &Definition, run: &Run, now: Timestamp) -> Result<Fact, Refusal> {
    let Some(at) = run.wake_at() else { return Err(Refusal::NotSleeping) };
    if now < at {
        return Err(Refusal::TooEarly { at });
    }
    let Some(live) = run.live.iter().find(|live| run.due(live) == Some(at)) else {
        return Ok(Fact::TimedOut);
    };
    Ok(due(sop, live, at))
}

fn due(sop: &Definition, live: &Live, at: Timestamp) -> Fact {
    use crate::definition::Delivery;
    let (step, attempt) = (live.step, live.attempt);
    let secs = at.millis_since(live.since) / 1_000;
    let authored = sop.step(step);
    match &live.stand {
        Stand::Timer { .. } | Stand::Retry { .. } => Fact::Woke { step },
        Stand::Approval(Gate { gate, .. }) => {
            let action = authored.map(|step| sop.policy(step).on_timeout);
            Fact::GateTimedOut { gate: *gate, action: action.unwrap_or(OnTimeout::Escalate) }
        }
        Stand::Performer { .. }
            if authored.is_some_and(|step| step.delivery == Delivery::AtMostOnce) =>
        {
            let reason = format!("no outcome within {secs} s");
            Fact::OutcomeUnknown { step, attempt, reason }
        }
        Stand::Performer { .. } => {
            let reason = format!("timed out: no outcome within {secs} s");
            Fact::StepFailed { step, attempt, reason }
        }
        Stand::Person { .. } => {
            let reason = format!("timed out: nobody did it within {secs} s");
            Fact::StepFailed { step, attempt, reason }
        }
        Stand::Event { .. } => {
            let reason = format!("timed out: no event within {secs} s");
            Fact::StepFailed { step, attempt, reason }
        }
        Stand::Child { .. } => {
            let reason = format!("timed out: the run it started took longer than {secs} s");
            Fact::StepFailed { step, attempt, reason }
        }
        Stand::Slot | Stand::Unknown => {
            unreachable!("time does not move a step that waits for a slot or a person")
        }
    }
}

pub(super) fn cut(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}
