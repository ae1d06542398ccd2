//! Which steps wait for a yes.

use sop_core::definition::{ExecutionMode, Priority, StepKind};
use sop_core::engine::State;

use super::{definition, started};

const MODES: [ExecutionMode; 5] = [
    ExecutionMode::Auto,
    ExecutionMode::Supervised,
    ExecutionMode::StepByStep,
    ExecutionMode::PriorityBased,
    ExecutionMode::Deterministic,
];

const PRIORITIES: [Priority; 4] =
    [Priority::Low, Priority::Normal, Priority::High, Priority::Critical];

/// Whether the rules of the product say that a step of an SOP in `mode` waits for a yes.
fn by_mode(mode: ExecutionMode, priority: Priority, number: u32) -> bool {
    match (mode, priority) {
        (ExecutionMode::Auto | ExecutionMode::Deterministic, _) => false,
        (ExecutionMode::StepByStep, _)
        | (ExecutionMode::PriorityBased, Priority::High | Priority::Critical) => true,
        (ExecutionMode::Supervised, _)
        | (ExecutionMode::PriorityBased, Priority::Low | Priority::Normal) => number == 1,
    }
}

/// Mode, priority, place, confirmation, kind and the step's own mode, in every combination: a step
/// waits if any of them asks for it, and no mode of its own takes that back.
#[test]
fn a_step_waits_when_anything_asks_for_it() {
    let mut combinations = 0;
    for mode in MODES {
        for priority in PRIORITIES {
            for own in [None].into_iter().chain(MODES.map(Some)) {
                for letter in ["d", "c", "n", "w", "D", "C", "N", "W"] {
                    for number in [1, 2] {
                        let letters =
                            if number == 1 { letter.to_owned() } else { format!("n{letter}") };
                        let mut sop = definition(&letters);
                        (sop.execution_mode, sop.priority) = (mode, priority);
                        let step = &mut sop.steps[number as usize - 1];
                        step.mode = own;
                        let expected = step.requires_confirmation
                            || step.kind == StepKind::Checkpoint
                            || by_mode(mode, priority, number)
                            || own.is_some_and(|own| by_mode(own, priority, number));
                        assert_eq!(
                            waits(&sop, number),
                            expected,
                            "{mode:?} {priority:?} {own:?} {letters}"
                        );
                        combinations += 1;
                    }
                }
            }
        }
    }
    assert_eq!(combinations, 5 * 4 * 6 * 8 * 2);
}

/// Whether a run that comes to step `number` waits for an approval there.
fn waits(sop: &sop_core::definition::Definition, number: u32) -> bool {
    use sop_core::engine::{Decision, Input, Verdict};
    let mut last = started(sop, false);
    for _ in 0..3 {
        let input = match last.entry.after.state {
            State::AwaitingApproval { step, .. } if step == number => return true,
            State::AwaitingApproval { gate, .. } => {
                Input::Decide { gate, decision: Decision::Approve { comment: None } }
            }
            State::Performing { step, attempt, .. } if step < number => {
                Input::Outcome { step, attempt, verdict: Verdict::Completed { output: None } }
            }
            State::Performing { .. }
            | State::Queued { .. }
            | State::AwaitingPerson { .. }
            | State::Sleeping { .. }
            | State::Finished { .. } => return false,
        };
        last = super::apply(sop, &last, &input, super::EPOCH, false).unwrap();
    }
    panic!("it comes to step {number}");
}
