//! Whole runs, as their ledger tells them.

use std::fmt::Write;

use sop_core::engine::{Decision, Effect, Input, outstanding};

use super::{Play, cancel, definition, done, failed, no, outcome, report};

fn yes(gate: u32) -> Input {
    Input::Decide { gate, decision: Decision::Approve { comment: Some("fine".into()) } }
}

fn line(play: &Play, text: &mut String) {
    let slot = play.last.slot.as_ref().map_or(String::new(), |slot| {
        format!(" active {:+} waiting {:+}", slot.active, slot.waiting)
    });
    let effects: Vec<&str> = outstanding(&play.sop, play.run())
        .iter()
        .map(|effect| match effect {
            Effect::Perform { .. } => "perform",
            Effect::StartChild { .. } => "start child",
            Effect::TellParent { .. } => "tell parent",
            Effect::CancelChild { .. } => "cancel child",
            Effect::Notify { .. } => "notify",
            Effect::Wake { .. } => "wake",
            Effect::AdmitNext { .. } => "admit next",
        })
        .collect();
    let entry = &play.last.entry;
    let (did, stands) = (super::did(&entry.fact), play.stands());
    let stands: String = stands.chars().take(80).collect();
    writeln!(text, "{} {did} -> {stands}{slot} {effects:?}", entry.seq).unwrap();
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
    let mut play = Play::start_with(sop, None, full);
    let mut text = String::new();
    line(&play, &mut text);
    for (secs, full, input) in inputs {
        match play.give_at(*secs, "test", input, *full) {
            Ok(_) => line(&play, &mut text),
            Err(refusal) => writeln!(text, "  {refusal}").unwrap(),
        }
    }
    play.verify();
    text
}

#[test]
fn a_run_of_all_kinds_of_steps() {
    let event = Input::Event { step: 5, event: super::event_id(9), payload: None };
    let inputs = [
        (1, false, outcome(1, 1, done())),
        (2, false, outcome(1, 1, done())),
        (3, false, yes(1)),
        (4, false, Input::Wake),
        (13, false, Input::Wake),
        (14, false, yes(1)),
        (15, false, yes(2)),
        (16, false, report(4, done())),
        (17, false, event.clone()),
        (18, false, event),
        (19, false, outcome(6, 1, done())),
        (20, false, Input::Wake),
    ];
    insta::assert_snapshot!(play("ncwDes", None, false, &inputs));
}

#[test]
fn a_run_that_waits_for_slots() {
    let inputs = [
        (1, false, Input::Wake),
        (2, false, Input::Admit),
        (2, false, Input::Admit),
        (3, false, outcome(1, 1, done())),
        (14, true, Input::Wake),
        (15, false, Input::Admit),
        (315, false, Input::Wake),
        (316, false, outcome(3, 1, done())),
    ];
    insta::assert_snapshot!(play("nwn", Some(1), true, &inputs));
}

#[test]
fn runs_that_end_early() {
    let long = Input::Cancel { reason: "no".repeat(2_000) };
    let mut text = play("cn", None, false, &[(1, false, no(1)), (2, false, no(1))]);
    text += &play("nn", Some(1), true, &[(1, false, cancel())]);
    let late = outcome(1, 1, done());
    text += &play("nn", Some(1), false, &[(1, false, long), (2, false, late)]);
    text += &play("nn", Some(1), false, &[(1, false, outcome(1, 1, failed()))]);
    text += &play("", Some(1), false, &[]);
    insta::assert_snapshot!(text);
}
