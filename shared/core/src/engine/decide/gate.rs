//! What a person's answer at a gate means.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Refusal, cut};
use crate::definition::{Definition, Step, StepKind};
use crate::engine::ask::{Asked, Need, keep, rendered_of};
use crate::engine::effect::{Gets, gets};
use crate::engine::fact::Fact;
use crate::engine::input::Decision;
use crate::engine::state::{Gate, How, Live, Past, Place, Run, Stored};
use crate::limits::{INLINE_BYTES_MAX, PAYLOAD_BYTES_MAX, REFUSALS_MAX, REVISIONS_MAX};
use crate::template::Rendered;

/// Judges `decision` of `by` on the gate that it names.
pub(super) fn decide(
    sop: &Definition,
    run: &Run,
    named: u32,
    decision: &Decision,
    by: &str,
    asked: &mut Asked<'_>,
) -> Result<Fact, Refusal> {
    let Some((live, gate)) = run.gate(named) else { return Err(not_open(run, named)) };
    let Some(step) = sop.step(live.step) else { return Err(Refusal::NotWaiting) };
    match judge(sop, run, (step, live, gate), decision, by, asked) {
        // Who tries what they may not is on the ledger; a flood of it is not.
        Err(refusal @ (Refusal::NotEntitled { .. } | Refusal::OwnWork))
            if run.refusals < REFUSALS_MAX =>
        {
            Ok(Fact::Refused { gate: named, refusal })
        }
        judged => judged,
    }
}

/// The step whose gate has the revision `named`, with the gate.
///
/// # Errors
/// Why that gate takes no decision, as a decision on it would be answered.
pub fn open_gate(run: &Run, named: u32) -> Result<(&Live, &Gate), Refusal> {
    if run.is_finished() {
        return Err(Refusal::AlreadyFinished);
    }
    run.gate(named).ok_or_else(|| not_open(run, named))
}

fn not_open(run: &Run, named: u32) -> Refusal {
    let open = run.live.iter().find_map(|live| live.stand.gate()).map(|gate| gate.gate);
    match open {
        Some(open) if named < open && named > 0 => Refusal::Superseded { named, open },
        Some(_) => Refusal::GateNotOpen { named },
        None if named >= 1 && named <= run.gates => Refusal::GateNotOpen { named },
        None => Refusal::NotWaiting,
    }
}

type Open<'a> = (&'a Step, &'a Live, &'a Gate);

fn judge(
    sop: &Definition,
    run: &Run,
    open: Open<'_>,
    decision: &Decision,
    by: &str,
    asked: &mut Asked<'_>,
) -> Result<Fact, Refusal> {
    let (step, _, gate) = open;
    let policy = sop.policy(step);
    if !policy.entitles(by) {
        return Err(Refusal::NotEntitled { group: policy.group.unwrap_or_default() });
    }
    let is_own = run.identity.actor.as_deref() == Some(by) || did_before(sop, run, step, by);
    let is_yes = matches!(decision, Decision::Approve { .. } | Decision::Amend { .. });
    if policy.no_self_approval && is_own && is_yes {
        return Err(Refusal::OwnWork);
    }
    let (number, shown) = (gate.gate, gate.shown);
    match decision {
        Decision::Approve { comment } => {
            let votes = u32::try_from(gate.votes.len()).unwrap_or(u32::MAX);
            if gate.votes.iter().any(|voter| voter == by) {
                let (by, quorum) = (by.to_owned(), policy.quorum);
                return Err(Refusal::AlreadyVoted { by, votes, quorum });
            }
            let comment = comment.as_deref().map(cut);
            Ok(if votes + 1 < policy.quorum {
                Fact::Voted { gate: number, shown, comment }
            } else {
                Fact::Approved { gate: number, shown, comment }
            })
        }
        Decision::Deny { reason } => Ok(Fact::Denied { gate: number, reason: cut(reason) }),
        Decision::Amend { value } => amend((sop, run), open, value, asked),
        Decision::Revise { guidance } => revise(sop, run, open, guidance),
    }
}

/// Whether `by` did what the gate before `step` judges: the last step that was done by hand, or in a graph any
/// of those that `step` depends on.
fn did_before(sop: &Definition, run: &Run, step: &Step, by: &str) -> bool {
    let did = |past: &Past| past.worker.as_deref() == Some(by);
    if !sop.is_graph() {
        // What was taken over from another run was done there.
        let last = run.past.iter().rev().find_map(|past| past.worker.as_deref());
        return run.worker.as_deref().or(last) == Some(by);
    }
    let mut before: BTreeSet<u32> = BTreeSet::new();
    let mut open = step.depends_on.clone();
    while let Some(number) = open.pop() {
        if before.insert(number) {
            open.extend(sop.step(number).into_iter().flat_map(|step| &step.depends_on));
        }
    }
    run.past.iter().any(|past| before.contains(&past.step) && did(past))
}

/// The field that may be edited is changed in what the gate shows: a step's arguments, or what a checkpoint
/// hands on.
fn amend(
    (sop, run): (&Definition, &Run),
    (step, live, gate): Open<'_>,
    value: &Value,
    asked: &mut Asked<'_>,
) -> Result<Fact, Refusal> {
    // Which events a step waits for is known beforehand, from the definition.
    let is_fixed = step.capability.as_deref() == Some("wait.event");
    let Some(field) = step.edit.clone().filter(|_| !is_fixed) else {
        return Err(Refusal::NotAmendable { step: step.number });
    };
    let mut rendered = match step.kind {
        StepKind::Checkpoint => {
            let gets = match live.amended {
                Some(seq) => Gets::One(Some(Place::own(seq))),
                None => gets(sop, run, step),
            };
            let value = match gets {
                Gets::One(Some(place)) => asked.look(Need::Value(place)),
                Gets::One(None) => Value::Null,
                Gets::Each(several) => several
                    .into_iter()
                    .map(|(number, place)| {
                        let value = place.map(|place| asked.look(Need::Value(place)));
                        (number.to_string(), value.unwrap_or_default())
                    })
                    .collect(),
            };
            Rendered::plain(value)
        }
        StepKind::Execute | StepKind::Capability => match live.args {
            Some(_) => rendered_of(asked.look(Need::Args(live.step))),
            None => Rendered::plain(step.with.clone().unwrap_or(Value::Null)),
        },
    };
    let Value::Object(fields) = &mut rendered.value else {
        return Err(Refusal::NothingToAmend { step: step.number, field });
    };
    let before = fields.insert(field.clone(), value.clone());
    // What the approver wrote stands as it is, whatever secret stood there.
    let pointer = format!("/{}", field.replace('~', "~0").replace('/', "~1"));
    let is_below = |at: &str| at == pointer || at.starts_with(&format!("{pointer}/"));
    rendered.secrets.retain(|secret| !is_below(&secret.pointer));
    let text = rendered.value.to_string();
    if text.len() > PAYLOAD_BYTES_MAX {
        let (bytes, bytes_max) = (text.len(), PAYLOAD_BYTES_MAX);
        return Err(Refusal::AmendmentTooLarge { bytes, bytes_max });
    }
    let mut stored = |value: &Value| keep(&value.to_string(), INLINE_BYTES_MAX, &mut asked.blobs);
    let (before, after) = (before.as_ref().map(&mut stored), stored(value));
    let output: Option<Stored> = match step.kind {
        StepKind::Checkpoint => Some(stored(&rendered.value)),
        StepKind::Execute | StepKind::Capability => {
            asked.amended = Some(rendered);
            None
        }
    };
    Ok(Fact::Amended { gate: gate.gate, shown: gate.shown, field, before, after, output })
}

/// The step whose result the gate shows is done again.
fn revise(
    sop: &Definition,
    run: &Run,
    (step, _, gate): Open<'_>,
    guidance: &str,
) -> Result<Fact, Refusal> {
    let no_draft = Refusal::NoDraft { gate: gate.gate };
    let is_shared = |number: u32| {
        sop.steps.iter().any(|it| it.number != step.number && it.depends_on.contains(&number))
    };
    let draft = match step.depends_on.as_slice() {
        [] if sop.is_graph() => None,
        [] => run.past.last(),
        // What others have gone on with stays as it was.
        [only] if !is_shared(*only) => run.past(*only),
        [_, ..] => None,
    };
    let Some(draft) = draft.filter(|past| past.how == How::Done) else { return Err(no_draft) };
    let kind = sop.step(draft.step).map(|step| step.kind);
    if !matches!(kind, Some(StepKind::Execute | StepKind::Capability)) {
        return Err(no_draft);
    }
    if draft.revisions >= REVISIONS_MAX {
        return Err(Refusal::RevisedTooOften { step: draft.step, times: draft.revisions });
    }
    Ok(Fact::Revised { gate: gate.gate, step: draft.step, guidance: cut(guidance) })
}
