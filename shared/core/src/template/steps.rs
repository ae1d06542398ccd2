//! What each step of an SOP refers to, checked against the steps that can have run before it.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Value, json};

use super::reference::{Reference, Root};
use super::shape::{Shape, shape};
use super::{TemplateError, references};
use crate::condition::Condition;
use crate::definition::{OnFailure, Severity, Step, StepKind};

/// The built-ins that hand their input to the world outside, and so may be given secrets. What the others
/// are given is on the ledger.
const REACH_OUT: &[&str] = &[
    "http.request",
    "mqtt.publish",
    "lambda.invoke",
    "sqs.send",
    "sns.publish",
    "events.put",
    "llm.generate",
    "shell.exec",
];

/// Whether the input of `capability` may hold secrets.
pub fn takes_secrets(capability: &str) -> bool {
    REACH_OUT.contains(&capability)
}

/// The key of a step that a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// `with`.
    With,
    /// `prompt`.
    Prompt,
    /// `if`.
    If,
    /// `when`.
    When,
    /// `switch`, with the place of the case, counted from 0.
    Switch(usize),
}

/// One thing that is wrong with what a step refers to, or may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the step can be used in spite of it.
    pub severity: Severity,
    /// The key of the step.
    pub key: Key,
    /// JSON pointer of the text in the key's value; empty where the value is the text.
    pub pointer: String,
    /// Where, in bytes of that text.
    pub span: Range<usize>,
    /// What is wrong: lower case, no period.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// The steps of an SOP and the ways between them.
#[derive(Debug)]
pub struct Outline<'d> {
    steps: &'d [Step],
    /// JSON Schema of each event's payload, where there is one.
    event: Option<&'d Value>,
    /// The steps that can have run when a step begins, by its place.
    before: Vec<BTreeSet<u32>>,
}

impl<'d> Outline<'d> {
    /// The outline of `steps`, numbered from 1 in their order. `event` is a JSON Schema that each payload
    /// fits, where there is one.
    pub fn new(steps: &'d [Step], event: Option<&'d Value>) -> Self {
        let is_graph = steps.iter().any(|step| !step.depends_on.is_empty());
        let into: Vec<BTreeSet<u32>> = if is_graph {
            steps.iter().map(|step| step.depends_on.iter().copied().collect()).collect()
        } else {
            let mut into = vec![BTreeSet::new(); steps.len()];
            for step in steps {
                for target in ways_out(step) {
                    if let Some(into) = place(target).and_then(|at| into.get_mut(at)) {
                        into.insert(step.number);
                    }
                }
            }
            into
        };
        let before = (0..steps.len()).map(|at| reaching(&into, at)).collect();
        Self { steps, event, before }
    }

    /// What is wrong with what `step` refers to in its `with`, `prompt` and conditions.
    pub fn check_step(&self, step: &Step) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some(with) = &step.with {
            self.texts(step, Key::With, with, &mut found);
        }
        if let Some(prompt) = &step.prompt {
            self.texts(step, Key::Prompt, &json!(prompt), &mut found);
        }
        if let Some(condition) = &step.only_if {
            self.condition(step, Key::If, condition, &mut found);
        }
        if let Some(condition) = &step.when {
            self.condition(step, Key::When, condition, &mut found);
        }
        for (case, at) in step.switch.iter().zip(0..) {
            if let Some(condition) = &case.condition {
                self.condition(step, Key::Switch(at), condition, &mut found);
            }
        }
        found
    }

    fn texts(&self, step: &Step, key: Key, value: &Value, found: &mut Vec<Finding>) {
        match references(value) {
            Ok(references) => found.extend(
                references.iter().filter_map(|reference| self.reference(step, key, reference)),
            ),
            Err(error) => found.push(Finding::of(key, error)),
        }
    }

    fn condition(&self, step: &Step, key: Key, condition: &Condition, found: &mut Vec<Finding>) {
        found.extend(condition.references().into_iter().filter_map(|read| match read {
            Ok(reference) => self.reference(step, key, &reference),
            Err(error) => Some(Finding::of(key, error)),
        }));
    }

    fn reference(&self, step: &Step, key: Key, reference: &Reference) -> Option<Finding> {
        match &reference.root {
            Root::Secret(_) => secret(step, key, reference),
            Root::Event => {
                let schema = self.event?;
                shaped(key, reference, schema, "the payload", "the SOP's `input`")
            }
            Root::Output(number) => {
                let number = *number;
                let wrong = self.order(step, key, reference, number);
                wrong.or_else(|| {
                    let referred = self.steps.get(place(number)?)?;
                    let own = built_in_output(referred);
                    let schema = referred.output.as_ref().or(own.as_ref())?;
                    let whose = match &referred.output {
                        Some(_) => format!("the `output` of step {number}"),
                        None => format!("what the built-in of step {number} gives"),
                    };
                    shaped(key, reference, schema, &format!("the output of step {number}"), &whose)
                })
            }
            Root::State(number) => self.order(step, key, reference, *number),
            Root::Run | Root::Sop => None,
        }
    }

    /// What is wrong with a reference to a step that has not run.
    fn order(&self, step: &Step, key: Key, reference: &Reference, to: u32) -> Option<Finding> {
        let count = self.steps.len();
        if place(to).is_none_or(|at| at >= count) {
            let help = match count {
                1 => "the SOP has one step".to_owned(),
                count => format!("the SOP has steps 1 to {count}"),
            };
            return Some(Finding::error(key, reference, format!("there is no step {to}"), help));
        }
        let before = self.before.get(place(step.number)?)?;
        // A way out is chosen when the step itself is done.
        let is_own_way = to == step.number && matches!(key, Key::When | Key::Switch(_));
        // Of a step that nothing leads to something else is wrong.
        let is_reached = step.number == 1 || !before.is_empty() || self.is_graph();
        if before.contains(&to) || is_own_way || !is_reached {
            return None;
        }
        let message = match to == step.number {
            true => format!("step {to} has no output before it has run"),
            false => format!("step {to} cannot have run before step {}", step.number),
        };
        let help = match self.is_graph() {
            true => format!("add {to} to its `depends_on`, or refer to a step that it depends on"),
            false => "refer to the event, or to a step that comes before".to_owned(),
        };
        Some(Finding::error(key, reference, message, help))
    }

    fn is_graph(&self) -> bool {
        self.steps.iter().any(|step| !step.depends_on.is_empty())
    }
}

/// Where a run may go on after `step`; more rather than fewer where its end decides.
fn ways_out(step: &Step) -> Vec<u32> {
    let mut out: Vec<u32> = step.switch.iter().map(|case| case.next).chain(step.next).collect();
    let has_else = step.switch.iter().any(|case| case.condition.is_none());
    let always_leaves = step.terminal || step.next.is_some() || has_else;
    match step.on_failure {
        OnFailure::Goto { step } => out.push(step),
        OnFailure::Continue => out.push(step.number.saturating_add(1)),
        OnFailure::Fail | OnFailure::Retry { .. } => {}
    }
    if !always_leaves || step.when.is_some() || step.only_if.is_some() {
        out.push(step.number.saturating_add(1));
    }
    out
}

/// The steps from which the one at `at` can be reached, itself only where there is a way round.
fn reaching(into: &[BTreeSet<u32>], at: usize) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> = vec![at];
    while let Some(next) = open.pop() {
        for step in into.get(next).into_iter().flatten() {
            if found.insert(*step) {
                open.extend(place(*step));
            }
        }
    }
    found
}

/// The place of the step of this number.
fn place(number: u32) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

/// What is wrong with a secret where it stands.
fn secret(step: &Step, key: Key, reference: &Reference) -> Option<Finding> {
    let capability = step.capability.as_deref().filter(|_| step.kind == StepKind::Capability);
    let (message, help) = match (key, capability) {
        (Key::With, Some(capability)) if takes_secrets(capability) => return None,
        (Key::With, Some(capability)) => (
            format!("`{capability}` keeps its input on the ledger, where no secret may be"),
            format!("secrets go into {}", "`http.request` and other calls to the outside"),
        ),
        (Key::With, None) => (
            "only a built-in can be given a secret".to_owned(),
            "secrets go into the `with` of a capability step".to_owned(),
        ),
        (Key::Prompt | Key::If | Key::When | Key::Switch(_), _) => (
            "a secret cannot be shown to an approver".to_owned(),
            "leave it out of the `prompt`".to_owned(),
        ),
    };
    Some(Finding::error(key, reference, message, help))
}

/// What a schema says against a reference.
fn shaped(
    key: Key,
    reference: &Reference,
    schema: &Value,
    what: &str,
    whose: &str,
) -> Option<Finding> {
    match shape(schema, &reference.path) {
        Shape::Present | Shape::Unknown => None,
        Shape::Optional(..) if reference.has_default => None,
        Shape::Optional(reason, probable) => {
            let help = match (key, probable) {
                (_, Some(probable)) => format!("did you mean `{probable}`?"),
                (Key::With | Key::Prompt, None) => {
                    "add `| default(...)`, or make the schema require it".to_owned()
                }
                // Where it is missing the condition does not hold, which may well be meant.
                (Key::If | Key::When | Key::Switch(_), None) => return None,
            };
            let message = format!("`{}` may be missing: by {whose}, {reason}", reference.text);
            let severity = Severity::Warning;
            Some(Finding { severity, ..Finding::error(key, reference, message, help) })
        }
        Shape::Impossible(reason, probable) => {
            let message = format!("`{}` never exists: by {whose}, {reason}", reference.text);
            let help = match probable {
                Some(probable) => format!("{what} has `{probable}`"),
                None => format!("look at {whose}"),
            };
            Some(Finding::error(key, reference, message, help))
        }
    }
}

/// The JSON Schema of what a built-in gives, where it gives the same kind of thing always.
fn built_in_output(step: &Step) -> Option<Value> {
    match step.capability.as_deref().filter(|_| step.kind == StepKind::Capability)? {
        "http.request" => Some(json!({
            "type": "object",
            "required": ["status", "headers", "body"],
            "properties": {
                "status": {"type": "integer"},
                "headers": {"type": "object"},
                "body": true,
                "encoding": {"type": "string"},
            },
            "additionalProperties": false,
        })),
        "json.validate" => Some(json!({
            "type": "object",
            "required": ["valid", "value"],
            "properties": {"valid": {"type": "boolean"}, "value": true},
            "additionalProperties": false,
        })),
        _ => None,
    }
}

impl Finding {
    fn of(key: Key, error: TemplateError) -> Self {
        let TemplateError { message, pointer, span, help } = error;
        Self { severity: Severity::Error, key, pointer, span, message, help }
    }

    fn error(key: Key, reference: &Reference, message: String, help: String) -> Self {
        Self {
            severity: Severity::Error,
            key,
            pointer: reference.pointer.clone(),
            span: reference.span.clone(),
            message,
            help: Some(help),
        }
    }
}

#[cfg(test)]
mod tests;
