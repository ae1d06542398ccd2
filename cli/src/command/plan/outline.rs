//! What a run would come to, as far as the event decides it.
//!
//! Every gate is taken as approved and every step as done; what depends on what a step gives is left open,
//! and both ways are followed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use sop_core::SopName;
use sop_core::condition::{Condition, Payload};
use sop_core::definition::{Definition, OnFailure, OnTimeout, Step, StepKind};
use sop_core::duration;
use sop_core::engine::{gated, value_of_text};
use sop_core::event::Data;
use sop_core::limits::DEPTH_MAX;
use sop_core::template::{self, Reference, Root};

/// The SOPs of a workspace.
pub(super) type Sops<'a> = BTreeMap<SopName, &'a Definition>;

/// What a start of an SOP leads to.
#[derive(Debug, Serialize)]
pub(super) struct Outline {
    pub(super) sop: String,
    pub(super) version: String,
    /// What starts it.
    pub(super) starts: String,
    /// The steps that it comes to, or may come to.
    pub(super) steps: Vec<Planned>,
    /// The steps that it does not come to.
    pub(super) never: Vec<u32>,
}

/// One step.
#[derive(Debug, Serialize)]
pub(super) struct Planned {
    pub(super) step: u32,
    pub(super) title: String,
    /// The steps it waits for, in a graph.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) after: Vec<u32>,
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    pub(super) only_if: Option<Asked>,
    /// Who has to agree before it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gate: Option<String>,
    /// What is done, its arguments filled in as far as they are known.
    pub(super) does: String,
    /// What follows when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fails: Option<String>,
    /// Where the run goes on, when that is not the step after it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ways: Vec<Way>,
    /// The run that it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) starts: Option<Box<Outline>>,
}

/// A condition and whether it holds.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    pub(super) condition: String,
    pub(super) held: Held,
}

/// Whether something holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Held {
    Yes,
    No,
    /// Nobody can tell yet.
    Open {
        /// What it depends on.
        on: Vec<String>,
    },
}

/// One way out of a step.
#[derive(Debug, Serialize)]
pub(super) struct Way {
    pub(super) text: String,
    /// The step that it leads to; none ends the run.
    pub(super) to: Option<u32>,
    pub(super) held: Held,
}

impl Planned {
    pub(super) fn is_skipped(&self) -> bool {
        self.only_if.as_ref().is_some_and(|asked| asked.held == Held::No)
    }
}

/// The value that a payload stands for.
pub(super) fn value_of(data: &Data) -> Value {
    data.text().map(value_of_text).unwrap_or_default()
}

/// What is known before a run begins.
struct Known<'a> {
    event: Option<&'a Value>,
    document: Value,
}

impl Outline {
    /// What a start of `sop` by an event with the payload `event`, if that is known, leads to.
    pub(super) fn of(
        sops: &Sops<'_>,
        sop: &Definition,
        starts: String,
        event: Option<&Value>,
        depth: u32,
    ) -> Self {
        let about = json!({ "name": sop.name, "version": sop.version, "priority": sop.priority });
        let document = json!({ "event": event, "steps": {}, "run": {}, "sop": about });
        let known = Known { event, document };
        let planned: Vec<Planned> =
            sop.steps.iter().map(|step| known.plan((sops, depth), sop, step)).collect();
        let reached = reached(sop, &planned);
        let never = (1..).zip(&sop.steps).map(|(number, _)| number);
        let never = never.filter(|number| !reached.contains(number)).collect();
        let steps = planned.into_iter().filter(|step| reached.contains(&step.step)).collect();
        Self { sop: sop.name.to_string(), version: sop.version.clone(), starts, steps, never }
    }
}

/// The steps that a run may come to.
fn reached(sop: &Definition, planned: &[Planned]) -> BTreeSet<u32> {
    if sop.is_graph() {
        return sop.steps.iter().map(|step| step.number).collect();
    }
    let (mut reached, mut open) = (BTreeSet::new(), vec![1]);
    while let Some(number) = open.pop() {
        let Some(step) = sop.step(number) else { continue };
        if !reached.insert(number) {
            continue;
        }
        let Some(plan) = planned.iter().find(|plan| plan.step == number) else { continue };
        let may_be_skipped = plan.only_if.as_ref().is_some_and(|asked| asked.held != Held::Yes);
        if may_be_skipped {
            open.push(number + 1);
        }
        if plan.is_skipped() {
            continue;
        }
        if let OnFailure::Goto { step } = step.on_failure {
            open.push(step);
        }
        if step.on_failure == OnFailure::Continue {
            open.push(number + 1);
        }
        let ways: Vec<&Way> = plan.ways.iter().filter(|way| way.held != Held::No).collect();
        open.extend(ways.iter().filter_map(|way| way.to));
        // The last way there is holds whenever none before it does.
        if !ways.iter().any(|way| way.held == Held::Yes) {
            open.push(number + 1);
        }
    }
    reached
}

impl Known<'_> {
    fn plan(&self, (sops, depth): (&Sops<'_>, u32), sop: &Definition, step: &Step) -> Planned {
        let args = step.with.as_ref().map(|with| self.filled(with));
        Planned {
            step: step.number,
            title: step.title.clone(),
            after: step.depends_on.clone(),
            only_if: step.only_if.as_ref().map(|condition| Asked {
                condition: condition.as_str().to_owned(),
                held: self.held(condition),
            }),
            gate: gated(sop, step).then(|| gate(sop, step)),
            does: does(step, args.as_ref()),
            fails: fails(step),
            ways: if sop.is_graph() { Vec::new() } else { self.ways(step) },
            starts: self.child((sops, depth), step, args.as_ref()).map(Box::new),
        }
    }

    /// The run that a step starts.
    fn child(
        &self,
        (sops, depth): (&Sops<'_>, u32),
        step: &Step,
        args: Option<&Value>,
    ) -> Option<Outline> {
        if step.capability.as_deref() != Some("sop.start") || depth >= DEPTH_MAX {
            return None;
        }
        let name = SopName::parse(args?.get("sop")?.as_str()?).ok()?;
        let payload = args?.get("payload").filter(|payload| !template::is_template(payload));
        let nothing = Value::Null;
        let payload = match args?.get("payload") {
            None => Some(&nothing),
            Some(_) => payload,
        };
        let starts = format!("step {}", step.number);
        Some(Outline::of(sops, sops.get(&name)?, starts, payload, depth + 1))
    }

    /// What the unknown ones of `references` refer to.
    fn unknown(&self, references: &[Reference]) -> Vec<String> {
        let mut on = Vec::new();
        for reference in references {
            let what = match &reference.root {
                Root::Event if self.event.is_some() => continue,
                Root::Sop | Root::Secret(_) => continue,
                Root::Event => "the event".to_owned(),
                Root::Output(step) => format!("what step {step} gives"),
                Root::State(step) => format!("how step {step} ends"),
                Root::Run => "the run".to_owned(),
            };
            if !on.contains(&what) {
                on.push(what);
            }
        }
        on
    }

    fn held(&self, condition: &Condition) -> Held {
        let references: Vec<Reference> = condition.references().into_iter().flatten().collect();
        let on = self.unknown(&references);
        if !on.is_empty() {
            return Held::Open { on };
        }
        let holds = condition.holds(&Payload::of_value(self.document.clone()));
        if holds { Held::Yes } else { Held::No }
    }

    /// `value` with the templates filled in whose values are known; the others stand as they are written.
    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if template::is_template_text(text) => {
                let references = template::references(value).unwrap_or_default();
                if !self.unknown(&references).is_empty() {
                    return value.clone();
                }
                template::render(value, &self.document).map_or(value.clone(), |done| done.value)
            }
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), self.filled(value))).collect()
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// The ways out of a step of a sequence, in the order in which they are tried.
    fn ways(&self, step: &Step) -> Vec<Way> {
        let guard = step.when.as_ref().map_or(Held::Yes, |when| self.held(when));
        let said = step.when.as_ref().map(|when| format!(" when {}", when.as_str()));
        let said = said.unwrap_or_default();
        let mut ways = Vec::new();
        let mut is_decided = false;
        for case in &step.switch {
            let held = match &case.condition {
                Some(condition) => and(&guard, self.held(condition)),
                None => guard.clone(),
            };
            let held = if is_decided { Held::No } else { held };
            is_decided |= held == Held::Yes;
            let condition = case
                .condition
                .as_ref()
                .map_or("else".to_owned(), |it| format!("if {}", it.as_str()));
            let text = format!("goes on at step {} {condition}{said}", case.next);
            ways.push(Way { text, to: Some(case.next), held });
        }
        let held = if is_decided { Held::No } else { guard };
        if let Some(next) = step.next {
            ways.push(Way { text: format!("goes on at step {next}{said}"), to: Some(next), held });
        } else if step.terminal {
            ways.push(Way { text: format!("the run is completed{said}"), to: None, held });
        }
        ways
    }
}

fn and(one: &Held, other: Held) -> Held {
    match (one, other) {
        (Held::No, _) | (_, Held::No) => Held::No,
        (Held::Yes, other) => other,
        (Held::Open { on }, Held::Yes) => Held::Open { on: on.clone() },
        (Held::Open { on }, Held::Open { on: more }) => {
            let more = more.into_iter().filter(|it| !on.contains(it));
            Held::Open { on: on.iter().cloned().chain(more).collect() }
        }
    }
}

fn gate(sop: &Definition, step: &Step) -> String {
    let policy = sop.policy(step);
    let who = match (&policy.group, policy.quorum) {
        (None, 1) => "anyone who is known".to_owned(),
        (None, quorum) => format!("{quorum} people who are known"),
        (Some(group), 1) => format!("one of {group} ({})", policy.members.join(", ")),
        (Some(group), quorum) => format!("{quorum} of {group} ({})", policy.members.join(", ")),
    };
    let mut text = format!("waits for an approval by {who}");
    if policy.no_self_approval {
        text.push_str(", not by whoever started it or did the step before");
    }
    if let Some(secs) = policy.timeout_secs {
        let so = match policy.on_timeout {
            OnTimeout::Escalate => "it escalates",
            OnTimeout::Cancel => "the run is cancelled",
            OnTimeout::AutoApprove => "it opens by itself",
        };
        text.push_str(&format!("; after {} {so}", duration::print(secs)));
    }
    text
}

fn does(step: &Step, args: Option<&Value>) -> String {
    let args = args.map(|args| format!(" {args}")).unwrap_or_default();
    let within = step.timeout_secs.map(|secs| format!(", within {}", duration::print(secs)));
    let within = within.unwrap_or_default();
    match step.kind {
        StepKind::Execute => format!("a person does it{within}"),
        StepKind::Checkpoint => "hands on what it got".to_owned(),
        StepKind::Capability => {
            format!("{}{args}{within}", step.capability.as_deref().unwrap_or_default())
        }
    }
}

fn fails(step: &Step) -> Option<String> {
    match step.on_failure {
        OnFailure::Fail => None,
        OnFailure::Retry { max: 1 } => Some("is tried once more when it fails".to_owned()),
        OnFailure::Retry { max } => Some(format!("is tried {max} times more when it fails")),
        OnFailure::Goto { step } => Some(format!("goes on at step {step} when it fails")),
        OnFailure::Continue => Some("goes on when it fails".to_owned()),
    }
}
