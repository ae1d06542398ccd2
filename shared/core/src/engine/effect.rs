//! What is to be done outside, as a pure function of the state.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::{Definition, Delivery, Route, Step};
use crate::engine::evolve::child_event;
use crate::engine::state::{Gate, Live, Parent, Phase, Place, Run, Stand};
use crate::id::{EventId, RunId, SopName, Tenant};
use crate::time::Timestamp;

/// What makes one try of one step one thing: handed on to whatever the step touches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectKey {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: u32,
    /// Which try, from 1.
    pub attempt: u32,
}

impl std::fmt::Display for EffectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.run, self.step, self.attempt)
    }
}

/// What a step gets from the steps before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gets {
    /// One value; null when absent.
    One(Option<Place>),
    /// An object with the values of the steps that it depends on, by number.
    Each(Vec<(u32, Option<Place>)>),
}

/// One thing to do outside, fully decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "effect")]
pub enum Effect {
    /// A built-in does a step.
    Perform {
        /// Which try of which step of which run.
        key: EffectKey,
        /// The built-in.
        capability: String,
        /// Its authored input.
        with: Value,
        /// The entry that holds `with` rendered, where it has templates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<u64>,
        /// The step's own input.
        gets: Gets,
        /// The entry that holds what an approver asked to be changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guidance: Option<u64>,
        /// Whether it may be done again.
        #[serde(default, skip_serializing_if = "Delivery::is_default")]
        delivery: Delivery,
        /// After this instant its outcome no longer counts.
        deadline: Timestamp,
        /// W3C `traceparent`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
    },
    /// A run is started that a step waits for.
    StartChild {
        /// Which try of which step of which run it works for.
        parent: Parent,
        /// The event that starts it.
        event: EventId,
        /// When it was decided.
        at: Timestamp,
        /// The step's authored input.
        with: Value,
        /// The entry that holds `with` rendered, where it has templates.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        args: Option<u64>,
        /// W3C `traceparent`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
    },
    /// The run that started this one is told how it ended.
    TellParent {
        /// This run.
        run: RunId,
        /// Whom.
        parent: Parent,
    },
    /// A run that worked for this one is cancelled.
    CancelChild {
        /// Which.
        run: RunId,
        /// This run.
        parent: RunId,
    },
    /// People are told of an open gate.
    Notify {
        /// The run.
        run: RunId,
        /// The gate's revision.
        gate: u32,
        /// The step before which it stands.
        step: u32,
        /// Times it has escalated: 0 for the first word of it.
        escalations: u32,
        /// Where word is sent.
        routes: Vec<Route>,
    },
    /// The run is looked at again at `at`.
    Wake {
        /// The run.
        run: RunId,
        /// When.
        at: Timestamp,
    },
    /// The SOP's queue is looked at.
    AdmitNext {
        /// Whose.
        tenant: Tenant,
        /// Of which SOP.
        sop: SopName,
    },
}

/// What is outstanding in `run`'s state. Doing it twice does no harm that its key does not prevent.
pub fn outstanding(sop: &Definition, run: &Run) -> Vec<Effect> {
    let mut effects = Vec::new();
    if sop.has_queue() && !run.live.iter().any(|it| matches!(it.stand, Stand::Performer { .. })) {
        let (tenant, sop) = (run.identity.tenant.clone(), run.identity.sop.clone());
        effects.push(Effect::AdmitNext { tenant, sop });
    }
    let id = &run.identity.id;
    let wake = |at: Timestamp| Effect::Wake { run: id.clone(), at };
    effects.extend(
        run.orphans
            .iter()
            .map(|orphan| Effect::CancelChild { run: orphan.clone(), parent: id.clone() }),
    );
    match &run.phase {
        Phase::Finished { .. } => {
            if let Some(parent) = run.identity.parent.clone() {
                effects.push(Effect::TellParent { run: id.clone(), parent });
            }
            return effects;
        }
        Phase::Held { .. } | Phase::Open => effects.extend(run.deadline.map(wake)),
        Phase::Paused { .. } => {}
    }
    for live in &run.live {
        let Some(step) = sop.step(live.step) else { continue };
        effects.extend(of_step(sop, run, live, step));
        // A built-in's own bound only catches outcomes that were lost: the sweep sees to it.
        let is_bound = matches!(live.stand, Stand::Performer { .. }) && step.timeout_secs.is_none();
        effects.extend(run.due(live).filter(|_| !is_bound).map(wake));
    }
    effects
}

/// What is outstanding after a transition, `after`, and was not `before` it.
pub fn newly_outstanding(before: &[Effect], after: &[Effect]) -> Vec<Effect> {
    let is_new =
        |effect: &&Effect| matches!(effect, Effect::AdmitNext { .. }) || !before.contains(effect);
    after.iter().filter(is_new).cloned().collect()
}

fn of_step(sop: &Definition, run: &Run, live: &Live, step: &Step) -> Option<Effect> {
    let id = &run.identity.id;
    let with = || step.with.clone().unwrap_or(Value::Null);
    match &live.stand {
        Stand::Performer { deadline } => Some(Effect::Perform {
            key: EffectKey { run: id.clone(), step: live.step, attempt: live.attempt },
            capability: step.capability.clone().unwrap_or_default(),
            with: with(),
            args: live.args,
            gets: gets(sop, run, step),
            guidance: live.guidance,
            delivery: step.delivery,
            deadline: *deadline,
            trace: run.identity.trace.clone(),
        }),
        Stand::Child { .. } => Some(Effect::StartChild {
            parent: Parent {
                run: id.clone(),
                step: live.step,
                attempt: live.attempt,
                depth: run.identity.depth() + 1,
            },
            event: child_event(run, live.step, live.attempt, live.since),
            at: live.since,
            with: with(),
            args: live.args,
            trace: run.identity.trace.clone(),
        }),
        Stand::Approval(gate) => notify(sop, id, step, gate),
        Stand::Slot
        | Stand::Person { .. }
        | Stand::Timer { .. }
        | Stand::Retry { .. }
        | Stand::Event { .. }
        | Stand::Unknown => None,
    }
}

fn notify(sop: &Definition, run: &RunId, step: &Step, gate: &Gate) -> Option<Effect> {
    let policy = sop.policy(step);
    let routes = match gate.escalations {
        1.. if !policy.escalation.is_empty() => policy.escalation,
        _ => policy.request,
    };
    (!routes.is_empty()).then(|| Effect::Notify {
        run: run.clone(),
        gate: gate.gate,
        step: step.number,
        escalations: gate.escalations,
        routes,
    })
}

/// What `step` of `run` gets: the last step's output in a sequence, those of the steps that it depends on in
/// a graph; the event's payload when there is none before it.
pub fn gets(sop: &Definition, run: &Run, step: &Step) -> Gets {
    let value = |number: u32| run.past(number).and_then(|past| past.value.clone());
    match step.depends_on.as_slice() {
        [] if sop.is_graph() => Gets::One(Some(Place::own(0))),
        [] => Gets::One(run.value()),
        [only] => Gets::One(value(*only)),
        several => Gets::Each(several.iter().map(|number| (*number, value(*number))).collect()),
    }
}

/// What a completed `run` gives: what its last step gave; of a graph, what the steps gave that no other
/// depends on.
pub fn result_of(sop: &Definition, run: &Run) -> Gets {
    if !sop.is_graph() {
        return Gets::One(run.value());
    }
    let is_last = |step: &&Step| !sop.steps.iter().any(|it| it.depends_on.contains(&step.number));
    let value = |step: &Step| run.past(step.number).and_then(|past| past.value.clone());
    let last: Vec<&Step> = sop.steps.iter().filter(is_last).collect();
    match last.as_slice() {
        [only] => Gets::One(value(only)),
        several => Gets::Each(several.iter().map(|step| (step.number, value(step))).collect()),
    }
}
