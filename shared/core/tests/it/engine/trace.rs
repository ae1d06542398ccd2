//! Whole runs, as their ledger tells them.

use std::fmt::Write;

use sop_core::engine::{Decision, Effect, Input, Transition, Verdict, outstanding};
use sop_core::journal::verify;

use super::{apply, at, definition, started};

fn yes(gate: u32) -> Input {
    Input::Decide { gate, decision: Decision::Approve { comment: Some("fine".into()) } }
}

fn outcome(step: u32) -> Input {
    Input::Outcome { step, attempt: 1, verdict: Verdict::Completed { output: None } }
}

fn line(sop: &sop_core::definition::Definition, one: &Transition, text: &mut String) {
    let did = serde_json::to_value(&one.entry.fact).unwrap()["did"].clone();
    let state = serde_json::to_value(&one.entry.after.state).unwrap();
    let slot = one.slot.as_ref().map_or(String::new(), |slot| {
        format!(" active {:+} waiting {:+}", slot.active, slot.waiting)
    });
    let effects: Vec<&str> = outstanding(sop, &one.entry.after)
        .iter()
        .map(|effect| match effect {
            Effect::Perform { .. } => "perform",
            Effect::Wake { .. } => "wake",
            Effect::AdmitNext { .. } => "admit next",
        })
        .collect();
    let (did, is, step) = (did.as_str().unwrap(), state["is"].as_str().unwrap(), &state["step"]);
    writeln!(text, "{} {did} -> {is} {step}{slot} {effects:?}", one.entry.seq).unwrap();
}

/// Plays `inputs`, each at its second and either with a free slot or without one.
fn play(
    letters: &str,
    max_concurrent: Option<u32>,
    full: bool,
    inputs: &[(i64, bool, Input)],
) -> String {
    let mut sop = definition(letters);
    sop.max_concurrent = max_concurrent;
    let mut last = started(&sop, full);
    let (mut text, mut sealed) = (String::new(), vec![last.entry.seal()]);
    line(&sop, &last, &mut text);
    for (secs, full, input) in inputs {
        match apply(&sop, &last, input, at(*secs), *full) {
            Ok(next) => {
                line(&sop, &next, &mut text);
                sealed.push(next.entry.seal());
                last = next;
            }
            Err(refusal) => writeln!(text, "  {refusal}").unwrap(),
        }
    }
    verify(&sealed, &sop).unwrap();
    text
}

#[test]
fn a_run_of_all_kinds_of_steps() {
    let inputs = [
        (1, false, outcome(1)),
        (2, false, outcome(1)),
        (3, false, yes(1)),
        (4, false, Input::Wake),
        (13, false, Input::Wake),
        (14, false, yes(1)),
        (15, false, yes(2)),
        (16, false, Input::Report { step: 4, verdict: Verdict::Completed { output: None } }),
        (17, false, Input::Wake),
    ];
    insta::assert_snapshot!(play("ncwD", None, false, &inputs));
}

#[test]
fn a_run_that_waits_for_slots() {
    let inputs = [
        (1, false, Input::Wake),
        (2, false, Input::Admit),
        (2, false, Input::Admit),
        (3, false, outcome(1)),
        (14, true, Input::Wake),
        (15, false, Input::Admit),
        (315, false, Input::Wake),
        (316, false, outcome(3)),
    ];
    insta::assert_snapshot!(play("nwn", Some(1), true, &inputs));
}

#[test]
fn runs_that_end_early() {
    let deny = Input::Decide { gate: 1, decision: Decision::Deny { reason: "not now".into() } };
    let cancel = Input::Cancel { reason: "no".repeat(2_000) };
    let failed =
        Input::Outcome { step: 1, attempt: 1, verdict: Verdict::Failed { reason: "r".into() } };
    let mut text = play("cn", None, false, &[(1, false, deny.clone()), (2, false, deny)]);
    text += &play("nn", Some(1), true, &[(1, false, cancel.clone())]);
    text += &play("nn", Some(1), false, &[(1, false, cancel), (2, false, outcome(1))]);
    text += &play("nn", Some(1), false, &[(1, false, failed)]);
    text += &play("", Some(1), false, &[]);
    insta::assert_snapshot!(text);
}
