//! Which steps wait for a yes.

use sop_core::definition::{Definition, ExecutionMode, Priority, StepKind};
use sop_core::engine::{Input, Stand};

use super::{Play, definition, done, outcome, report, yes};

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

/// G1, G2, G3: mode, priority, place, confirmation, kind and the step's own mode, in every combination: a
/// step waits if any of them asks for it, and no mode of its own takes that back.
#[test]
fn a_step_waits_when_anything_asks_for_it() {
    let mut combinations = 0;
    for mode in MODES {
        for priority in PRIORITIES {
            for own in [None].into_iter().chain(MODES.map(Some)) {
                for letter in ["d", "c", "n", "w", "e", "s", "D", "C", "N", "W", "E", "S"] {
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
                        let waits = waits(sop, number);
                        assert_eq!(waits, expected, "{mode:?} {priority:?} {own:?} {letters}");
                        combinations += 1;
                    }
                }
            }
        }
    }
    assert_eq!(combinations, 5 * 4 * 6 * 12 * 2);
}

/// Whether a run that comes to step `number` waits for an approval there.
fn waits(sop: Definition, number: u32) -> bool {
    let mut play = Play::start(sop);
    for _ in 0..3 {
        let live = &play.run().live[0];
        let input = match &live.stand {
            Stand::Approval(_) if live.step == number => return true,
            Stand::Approval(gate) => yes(gate.gate),
            Stand::Performer { .. } if live.step < number => {
                outcome(live.step, live.attempt, done())
            }
            _ => return false,
        };
        play.give(0, "anna", &input).unwrap();
    }
    panic!("it comes to step {number}");
}

/// G5, G6: a gate stands before its step: nothing of the step begins until somebody approves; then a
/// checkpoint is done, and any other step begins.
#[test]
fn nothing_of_a_step_begins_before_its_gate_is_passed() {
    for (letter, then) in [
        ('D', "1 person"),
        ('N', "1 performer"),
        ('W', "1 timer"),
        ('E', "1 event"),
        ('S', "1 child"),
        ('C', "completed at 1"),
    ] {
        let mut play = Play::start(definition(&letter.to_string()));
        assert_eq!(play.stands(), "1 approval 1", "{letter}");
        for early in [outcome(1, 1, done()), report(1, done()), Input::Wake, Input::Admit] {
            assert!(play.give(1000, "executor", &early).is_err(), "{letter} {early:?}");
        }
        assert!(sop_core::engine::outstanding(&play.sop, play.run()).is_empty());
        play.give(1, "anna", &yes(1)).unwrap();
        assert_eq!(play.stands(), then, "{letter}");
        play.verify();
    }
}
