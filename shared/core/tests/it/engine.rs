//! How runs move: every pair of state and input, every gate, every admission; and whole runs.

use std::collections::BTreeMap;

use sop_core::definition::{AdmissionPolicy, Definition, ExecutionMode, Priority, Step, StepKind};
use sop_core::engine::{Cause, Identity, Input, Refusal, Run, State, Transition, decide, start};
use sop_core::event::Source;
use sop_core::id::{Digest, EventId, InputId, RunId, SopName, Tenant};
use sop_core::time::Timestamp;

mod admission;
mod gates;
mod pairs;
mod random;
mod trace;

const EPOCH: Timestamp = Timestamp::from_millis(1_772_352_000_000);

fn at(secs: i64) -> Timestamp {
    EPOCH.plus_millis(secs * 1_000)
}

fn step(number: u32, kind: StepKind, capability: Option<&str>) -> Step {
    Step {
        number,
        title: format!("Step {number}"),
        body: String::new(),
        kind,
        suggested_tools: Vec::new(),
        requires_confirmation: false,
        capability: capability.map(str::to_owned),
        with: (capability == Some("wait")).then(|| serde_json::json!({ "seconds": 10 })),
        ..Step::default()
    }
}

/// `d` is done by a person, `c` a checkpoint, `n` the built-in `noop`, `w` a wait of ten seconds; in
/// upper case with a confirmation.
fn steps(letters: &str) -> Vec<Step> {
    (1..)
        .zip(letters.chars())
        .map(|(number, letter)| {
            let mut step = match letter.to_ascii_lowercase() {
                'd' => step(number, StepKind::Execute, None),
                'c' => step(number, StepKind::Checkpoint, None),
                'n' => step(number, StepKind::Capability, Some("noop")),
                'w' => step(number, StepKind::Capability, Some("wait")),
                other => panic!("no step is called {other}"),
            };
            step.requires_confirmation = letter.is_ascii_uppercase();
            step
        })
        .collect()
}

fn definition(letters: &str) -> Definition {
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
        admission_policy: AdmissionPolicy::Queue,
        max_pending_approvals: None,
        delegation: None,
        input: None,
        timeout_secs: None,
        triggers: Vec::new(),
        steps: steps(letters),
        policies: BTreeMap::new(),
        max_concurrent_total: None,
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
        started_at: EPOCH,
        trace: None,
    }
}

fn cause(text: &str) -> Cause {
    Cause { input: InputId::parse(text).unwrap(), by: "test".into() }
}

fn started(sop: &Definition, queued: bool) -> Transition {
    start(sop, identity(sop), None, cause("event"), EPOCH, queued)
}

/// Applies `input` as entry `seq + 1`.
fn apply(
    sop: &Definition,
    before: &Transition,
    input: &Input,
    now: Timestamp,
    queued: bool,
) -> Result<Transition, Refusal> {
    let sealed = before.entry.seal();
    let newest = (sealed.seq, sealed.hash);
    let id = format!("input-{}", sealed.seq + 1);
    decide(sop, &before.entry.after, newest, input, cause(&id), now, queued)
}

fn run_at(sop: &Definition, state: State, gates: u32) -> Run {
    Run { identity: identity(sop), gates, settled: Vec::new(), state }
}

fn nothing() -> Digest {
    Digest::of(b"")
}
