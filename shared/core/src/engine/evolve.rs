//! What a run is after a fact. Replaying the facts of a journal gives the state it recorded.

use crate::definition::{Definition, ExecutionMode, Priority, Step, StepKind};
use crate::engine::state::{End, Fact, How, Identity, Run, Settled, State};
use crate::id::Digest;
use crate::limits::ATTEMPT_TIMEOUT_MS;
use crate::time::Timestamp;

/// The run after `fact`, which entry `seq` records at `at`.
///
/// `before` is the run before it, or only its identity for entry 0. With `queued` a run that would
/// begin a built-in's step waits for a slot instead.
pub fn evolve(
    sop: &Definition,
    before: Result<&Run, Identity>,
    fact: &Fact,
    seq: u64,
    at: Timestamp,
    queued: bool,
) -> Run {
    let mut run = match before {
        Ok(run) => run.clone(),
        Err(identity) => Run {
            identity,
            gates: 0,
            settled: Vec::new(),
            state: State::Queued { step: 1, since: at },
        },
    };
    let step = run.step();
    run.state = match fact {
        Fact::Started { .. } => arrive(sop, &mut run, 1, at),
        Fact::Admitted => begin(sop, step, at),
        Fact::Approved { .. } => match sop.step(step).map(|step| step.kind) {
            Some(StepKind::Checkpoint) => settle(sop, &mut run, step, None, at),
            Some(StepKind::Execute | StepKind::Capability) | None => begin(sop, step, at),
        },
        Fact::Denied { reason, .. } => {
            finish(step, End::Cancelled { reason: format!("denied: {reason}") }, at)
        }
        Fact::StepCompleted { step, output, .. } => {
            settle(sop, &mut run, *step, output.as_ref().map(|_| seq), at)
        }
        Fact::Woke { step } => settle(sop, &mut run, *step, None, at),
        Fact::StepFailed { step, reason, .. } => {
            run.settled.push(Settled(*step, How::Failed, seq));
            finish(*step, End::Failed { reason: format!("step {step} failed: {reason}") }, at)
        }
        Fact::Cancelled { reason } => finish(step, End::Cancelled { reason: reason.clone() }, at),
    };
    if queued && let State::Performing { step, .. } = run.state {
        run.state = State::Queued { step, since: at };
    }
    run
}

fn finish(step: u32, end: End, at: Timestamp) -> State {
    State::Finished { step, end, at }
}

/// Step `step` is done: the run goes to the next one. A step that gives nothing hands on what it got.
fn settle(
    sop: &Definition,
    run: &mut Run,
    step: u32,
    output_seq: Option<u64>,
    at: Timestamp,
) -> State {
    let seq = output_seq.unwrap_or_else(|| run.input_seq());
    run.settled.push(Settled(step, How::Done, seq));
    arrive(sop, run, step + 1, at)
}

/// The run comes to step `number`: it ends there, waits at its gate, or begins it.
fn arrive(sop: &Definition, run: &mut Run, number: u32, at: Timestamp) -> State {
    let Some(step) = sop.step(number) else {
        return finish(number - 1, End::Completed, at);
    };
    if !gated(sop, step) {
        return begin(sop, number, at);
    }
    run.gates += 1;
    State::AwaitingApproval { step: number, gate: run.gates, since: at, shown: shown(run, step) }
}

fn begin(sop: &Definition, number: u32, at: Timestamp) -> State {
    let Some(step) = sop.step(number) else {
        return finish(number.saturating_sub(1), End::Completed, at);
    };
    match (step.kind, step.capability.as_deref()) {
        (StepKind::Capability, Some("wait")) => {
            State::Sleeping { step: number, since: at, until: at.plus_millis(wait_ms(step)) }
        }
        (StepKind::Capability, _) => State::Performing {
            step: number,
            attempt: 1,
            since: at,
            deadline: at.plus_millis(ATTEMPT_TIMEOUT_MS),
        },
        (StepKind::Execute | StepKind::Checkpoint, _) => {
            State::AwaitingPerson { step: number, attempt: 1, since: at }
        }
    }
}

/// Whether `step` waits for an approval before it runs: its own keys, the SOP's mode, or its own
/// mode, which can only tighten.
pub(super) fn gated(sop: &Definition, step: &Step) -> bool {
    let by_mode = |mode: ExecutionMode| match mode {
        ExecutionMode::Auto | ExecutionMode::Deterministic => false,
        ExecutionMode::Supervised => step.number == 1,
        ExecutionMode::StepByStep => true,
        ExecutionMode::PriorityBased => match sop.priority {
            Priority::Critical | Priority::High => true,
            Priority::Normal | Priority::Low => step.number == 1,
        },
    };
    step.requires_confirmation
        || step.kind == StepKind::Checkpoint
        || by_mode(sop.execution_mode)
        || step.mode.is_some_and(by_mode)
}

/// Milliseconds a `wait` step waits. Validation has seen to it that it says so.
fn wait_ms(step: &Step) -> i64 {
    let Some(with) = &step.with else { return 0 };
    if let Some(ms) = with.get("ms").and_then(serde_json::Value::as_i64) {
        return ms;
    }
    match with.get("seconds") {
        Some(seconds) => match seconds.as_i64() {
            Some(seconds) => seconds.saturating_mul(1_000),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "validation bounds it far below 2^53"
            )]
            None => (seconds.as_f64().unwrap_or(0.0) * 1_000.0) as i64,
        },
        None => 0,
    }
}

/// Names what an approver is shown: the definition, the step as it stands there, and the run's event.
fn shown(run: &Run, step: &Step) -> Digest {
    let text = format!(
        "{}\n{}\n{}\n{}",
        run.identity.id,
        run.identity.definition,
        run.gates,
        serde_json::to_string(step).expect("a step has only string keys"),
    );
    Digest::of(text.as_bytes())
}
