//! How runs move: every pair of state and input, every gate, every admission; and whole runs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sop_core::definition::{Definition, ExecutionMode, Policy, Priority, Step};
use sop_core::engine::{
    Cause, Decided, Decision, Fact, Identity, Input, Need, Refusal, Values, Verdict,
};
use sop_core::event::Source;
use sop_core::id::{Digest, EventId, InputId, RunId, SopName, Tenant};
use sop_core::time::Timestamp;

mod admission;
mod failure;
mod flow;
mod gates;
mod graphs;
mod lifecycle;
mod model;
mod pairs;
mod play;
mod policies;
mod random;
mod trace;
mod waits;

use play::Play;

const EPOCH: Timestamp = Timestamp::from_millis(1_772_352_000_000);

fn at(secs: i64) -> Timestamp {
    EPOCH.plus_millis(secs * 1_000)
}

/// Step `number` with the keys of `keys`, in the names of the definition's JSON.
fn step_of(number: u32, keys: &Value) -> Step {
    let mut step = json!({
        "number": number, "title": format!("Step {number}"), "body": "", "kind": "execute",
        "suggested_tools": [], "requires_confirmation": false,
    });
    let fields = step.as_object_mut().unwrap();
    fields.extend(keys.as_object().expect("keys").clone());
    serde_json::from_value(step).unwrap()
}

/// `d` is done by a person, `c` a checkpoint, `n` the built-in `noop`, `w` a wait of ten seconds, `e` a wait
/// for an event, `s` the start of another SOP; in upper case with a confirmation.
fn keys(letter: char) -> Value {
    let mut keys = match letter.to_ascii_lowercase() {
        'd' => json!({}),
        'c' => json!({ "kind": "checkpoint" }),
        'n' => json!({ "kind": "capability", "capability": "noop" }),
        'w' => json!({ "kind": "capability", "capability": "wait", "with": { "seconds": 10 } }),
        'e' => json!({ "kind": "capability", "capability": "wait.event",
            "with": { "source": "mqtt", "topic": "plant/+/ok" } }),
        's' => json!({ "kind": "capability", "capability": "sop.start", "with": { "sop": "y" } }),
        other => panic!("no step is called {other}"),
    };
    if letter.is_ascii_uppercase() {
        keys["requires_confirmation"] = json!(true);
    }
    keys
}

/// An SOP in `auto` mode with a step for each letter.
fn definition(letters: &str) -> Definition {
    sop_of(&letters.chars().map(|letter| (letter, json!({}))).collect::<Vec<_>>())
}

/// An SOP in `auto` mode: each step a letter and the keys it has besides.
fn sop_of(steps: &[(char, Value)]) -> Definition {
    let steps = (1..)
        .zip(steps)
        .map(|(number, (letter, more))| {
            let mut keys = keys(*letter);
            keys.as_object_mut().unwrap().extend(more.as_object().expect("keys").clone());
            step_of(number, &keys)
        })
        .collect();
    Definition {
        name: SopName::parse("x").unwrap(),
        description: "d".into(),
        version: "1".into(),
        priority: Priority::Normal,
        execution_mode: ExecutionMode::Auto,
        cooldown_secs: 0,
        max_concurrent: None,
        timezone: "UTC".into(),
        owner: None,
        workstream: None,
        admission_policy: sop_core::definition::AdmissionPolicy::Queue,
        max_pending_approvals: None,
        delegation: None,
        input: None,
        timeout_secs: None,
        triggers: Vec::new(),
        steps,
        policies: [("ops".to_owned(), policy())].into(),
        max_concurrent_total: None,
    }
}

/// One yes of anna, ben, carl or dora.
fn policy() -> Policy {
    Policy {
        group: Some("ops".into()),
        members: ["anna", "ben", "carl", "dora"].map(str::to_owned).to_vec(),
        ..Policy::default()
    }
}

fn identity(sop: &Definition) -> Identity {
    let (tenant, event) = (Tenant::default(), EventId::from_random(EPOCH, &[7; 10]));
    Identity {
        id: RunId::derive(&tenant, &sop.name, &event, EPOCH),
        tenant,
        sop: sop.name.clone(),
        version: sop.version.clone(),
        definition: sop.digest(),
        event,
        source: Source::Webhook,
        subject: "/sop/x".into(),
        actor: None,
        started_at: EPOCH,
        trace: None,
        parent: None,
        origin: None,
        follows: None,
    }
}

fn event_id(n: u8) -> EventId {
    EventId::from_random(EPOCH, &[n; 10])
}

fn cause(text: &str, by: &str) -> Cause {
    Cause { input: InputId::parse(text).unwrap(), by: by.into() }
}

/// Decides until no value is missing; `value` gives each that is asked for.
fn settle(
    mut decide: impl FnMut(&Values) -> Decided,
    mut value: impl FnMut(&Need) -> Option<Value>,
) -> Result<sop_core::engine::Transition, Refusal> {
    let mut values = Values::default();
    let mut asked: BTreeSet<Need> = BTreeSet::new();
    loop {
        match decide(&values) {
            Decided::Moves(transition) => return Ok(*transition),
            Decided::Refused(refusal) => return Err(refusal),
            Decided::Needs(needs) => {
                for need in needs {
                    assert!(asked.insert(need.clone()), "{need:?} is asked for again");
                    let value = value(&need);
                    values.put(need, value);
                }
            }
        }
    }
}

fn done() -> Verdict {
    Verdict::Completed { output: None }
}

fn gave(output: &Value) -> Verdict {
    Verdict::Completed { output: Some(sop_core::engine::Stored::of(&output.to_string())) }
}

fn failed() -> Verdict {
    Verdict::Failed { reason: "r".into() }
}

fn report(step: u32, verdict: Verdict) -> Input {
    Input::Report { step, verdict }
}

fn outcome(step: u32, attempt: u32, verdict: Verdict) -> Input {
    Input::Outcome { step, attempt, verdict, ran: None }
}

fn yes(gate: u32) -> Input {
    Input::Decide { gate, decision: Decision::Approve { comment: None } }
}

fn no(gate: u32) -> Input {
    Input::Decide { gate, decision: Decision::Deny { reason: "r".into() } }
}

fn amend(gate: u32, value: Value) -> Input {
    Input::Decide { gate, decision: Decision::Amend { value } }
}

fn revise(gate: u32) -> Input {
    Input::Decide { gate, decision: Decision::Revise { guidance: "shorter".into() } }
}

fn cancel() -> Input {
    Input::Cancel { reason: "r".into() }
}

/// A word for what happened.
fn did(fact: &Fact) -> String {
    serde_json::to_value(fact).unwrap()["did"].as_str().unwrap().to_owned()
}

fn nothing() -> Digest {
    Digest::of(b"")
}
