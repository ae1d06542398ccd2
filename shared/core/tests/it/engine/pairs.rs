//! Every pair of state and input, and what comes of it.

use sop_core::engine::{Decision, End, Input, State, Verdict, decide};

use super::{at, cause, definition, nothing, run_at};

fn states() -> Vec<(&'static str, State)> {
    let (since, deadline) = (at(0), at(300));
    vec![
        ("queued", State::Queued { step: 2, since }),
        ("approval", State::AwaitingApproval { step: 2, gate: 2, since, shown: nothing() }),
        ("person", State::AwaitingPerson { step: 2, attempt: 1, since }),
        ("performing", State::Performing { step: 2, attempt: 1, since, deadline }),
        ("sleeping", State::Sleeping { step: 2, since, until: deadline }),
        ("finished", State::Finished { step: 2, end: End::Completed, at: since }),
    ]
}

fn inputs() -> Vec<(&'static str, i64, Input)> {
    let done = || Verdict::Completed { output: None };
    let yes = || Decision::Approve { comment: None };
    let outcome = |step, attempt, verdict| Input::Outcome { step, attempt, verdict };
    vec![
        ("admit", 1, Input::Admit),
        ("outcome done", 1, outcome(2, 1, done())),
        ("outcome failed", 1, outcome(2, 1, Verdict::Failed { reason: "r".into() })),
        ("outcome of another try", 1, outcome(2, 2, done())),
        ("outcome of another step", 1, outcome(1, 1, done())),
        ("report done", 1, Input::Report { step: 2, verdict: done() }),
        (
            "report failed",
            1,
            Input::Report { step: 2, verdict: Verdict::Failed { reason: "r".into() } },
        ),
        ("report of another step", 1, Input::Report { step: 3, verdict: done() }),
        ("approve", 1, Input::Decide { gate: 2, decision: yes() }),
        ("deny", 1, Input::Decide { gate: 2, decision: Decision::Deny { reason: "r".into() } }),
        ("approve the gate before", 1, Input::Decide { gate: 1, decision: yes() }),
        ("approve a gate to come", 1, Input::Decide { gate: 3, decision: yes() }),
        ("approve gate 0", 1, Input::Decide { gate: 0, decision: yes() }),
        ("cancel", 1, Input::Cancel { reason: "r".into() }),
        ("wake early", 299, Input::Wake),
        ("wake", 300, Input::Wake),
        ("wake by a clock gone back", -100, Input::Wake),
    ]
}

/// Each pair leads to the fact, or the refusal, that this table names; `-` is a refusal.
#[test]
fn every_pair_has_its_answer() {
    let sop = definition("dddd");
    let mut table = String::new();
    for (state_name, state) in states() {
        for (input_name, secs, input) in inputs() {
            let run = run_at(&sop, state.clone(), 2);
            let newest = (5, nothing());
            let answer = match decide(&sop, &run, newest, &input, cause("i"), at(secs), false) {
                Ok(transition) => {
                    assert_eq!(transition.entry.seq, 6);
                    assert_eq!(transition.entry.prev, Some(nothing()));
                    let fact = serde_json::to_value(&transition.entry.fact).unwrap();
                    fact["did"].as_str().unwrap().to_owned()
                }
                Err(refusal) => format!("- {refusal}"),
            };
            table.push_str(&format!("{state_name:<11}{input_name:<26}{answer}\n"));
        }
    }
    insta::assert_snapshot!(table);
}
