//! Every pair of state and input, and what comes of it: `docs/transitions.md`.
//!
//! `SOPWITH_BLESS=1` writes the table anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};
use sop_core::definition::{Definition, OnTimeout};
use sop_core::engine::{
    End, Gate, Given, How, Input, Live, Need, Past, Phase, Place, Refusal, Run, Stand, Stored,
    Transition, Verdict, decide, replay, unborn,
};

use super::play::stands;
use super::{
    amend, at, cancel, cause, definition, did, done, event_id, failed, gave, identity, no, nothing,
    outcome, policy, report, revise, settle, sop_of, yes,
};

/// A state: its name, the definition and the run.
type State = (String, Definition, Run);

/// An SOP of three steps of which the second is made of `letter` and `keys`, and a run of it at that step.
fn run_at(letter: char, keys: Value, stand: Stand) -> (Definition, Run) {
    let mut sop = sop_of(&[('d', json!({})), (letter, keys), ('d', json!({}))]);
    sop.max_concurrent = Some(1);
    let policy = sop.policies.get_mut("ops").unwrap();
    (policy.quorum, policy.timeout_secs) = (2, Some(300));
    let mut run = unborn(&sop, identity(&sop));
    run.gates = 2;
    run.phase = Phase::Open;
    run.past.push(Past {
        step: 1,
        how: How::Done,
        value: Some(Place::own(3)),
        visits: 1,
        tries: 1,
        revisions: 0,
        worker: Some("anna".into()),
    });
    run.live.push(Live {
        step: 2,
        attempt: 2,
        since: at(0),
        visits: 1,
        failures: 1,
        revisions: 0,
        args: None,
        guidance: None,
        amended: None,
        stand,
    });
    (sop, run)
}

fn gate(votes: &[&str]) -> Stand {
    let votes = votes.iter().map(|&by| by.to_owned()).collect();
    Stand::Approval(Gate { gate: 2, shown: nothing(), until: Some(at(300)), votes, escalations: 0 })
}

fn open_states() -> Vec<State> {
    let until = Some(at(300));
    let retry = json!({ "on_failure": { "then": "retry", "max": 3 } });
    let once = json!({ "delivery": "at_most_once" });
    let governed = |more: Value| {
        let mut keys = json!({ "policy": "ops", "edit": "a" });
        keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        keys
    };
    let deadline = at(300);
    let child = identity(&definition("d")).id;
    let states = vec![
        ("slot", 'n', json!({}), Stand::Slot),
        ("approval", 'N', governed(json!({ "with": { "a": 1 } })), gate(&[])),
        ("approval, one yes", 'N', governed(json!({ "with": { "a": 1 } })), gate(&["ben"])),
        ("checkpoint", 'C', governed(json!({})), gate(&[])),
        ("person", 'd', json!({}), Stand::Person { until }),
        ("performer", 'n', json!({}), Stand::Performer { deadline }),
        ("performer, once only", 'n', once, Stand::Performer { deadline }),
        ("performer, retry", 'n', retry.clone(), Stand::Performer { deadline }),
        ("timer", 'w', json!({}), Stand::Timer { until: deadline }),
        ("retry", 'n', retry, Stand::Retry { until: deadline }),
        ("event", 'e', json!({}), Stand::Event { key: nothing(), until }),
        ("child", 's', json!({}), Stand::Child { run: child, until }),
        ("unknown", 'n', json!({}), Stand::Unknown),
    ];
    let named = |(name, letter, keys, stand): (&str, char, Value, Stand)| {
        let (sop, run) = run_at(letter, keys, stand);
        (name.to_owned(), sop, run)
    };
    states.into_iter().map(named).collect()
}

fn states() -> Vec<State> {
    let open = open_states();
    let (_, sop, run) = open[4].clone();
    let with = |name: &str, phase: Phase, is_begun: bool| {
        let mut run = run.clone();
        run.live.clear();
        run.phase = phase;
        run.deadline = Some(at(300));
        if !is_begun {
            (run.gates, run.past) = (0, Vec::new());
        }
        (name.to_owned(), sop.clone(), run)
    };
    let (since, reason) = (at(0), "r".to_owned());
    let finished = |end| Phase::Finished { step: 2, end, at: since };
    let mut states = vec![with("held", Phase::Held { since, step: 1 }, false)];
    states.extend(open.clone());
    states.push(with("paused before it began", Phase::Paused { since, held: Some(1) }, false));
    states.push(with("paused, all done", Phase::Paused { since, held: None }, true));
    for (name, sop, mut run) in open {
        run.phase = Phase::Paused { since, held: None };
        states.push((format!("paused, {name}"), sop, run));
    }
    states.push(with("completed", finished(End::Completed), true));
    states.push(with("failed", finished(End::Failed { reason: reason.clone() }), true));
    states.push(with("cancelled", finished(End::Cancelled { reason }), true));
    states
}

/// Every input with the sub-variants that matter: its name, when it comes, and from whom.
fn inputs() -> Vec<(&'static str, i64, &'static str, Input)> {
    let unknown = || Verdict::Unknown { reason: "u".into() };
    let event = |n| Input::Event { step: 2, event: event_id(n), payload: None };
    vec![
        ("admit", 1, "admission", Input::Admit),
        ("outcome: done", 1, "executor", outcome(2, 2, gave(&json!({ "b": 1 })))),
        ("outcome: failed", 1, "executor", outcome(2, 2, failed())),
        ("outcome: unknown", 1, "executor", outcome(2, 2, unknown())),
        ("outcome of an earlier try", 1, "executor", outcome(2, 1, done())),
        ("outcome of a try to come", 1, "executor", outcome(2, 3, done())),
        ("outcome of another step", 1, "executor", outcome(1, 2, done())),
        ("report: done", 1, "anna", report(2, done())),
        ("report: failed", 1, "anna", report(2, failed())),
        ("report: unknown", 1, "anna", report(2, unknown())),
        ("report of another step", 1, "anna", report(3, done())),
        ("approve", 1, "anna", yes(2)),
        ("approve, by who did", 1, "ben", yes(2)),
        ("approve, by an outsider", 1, "eve", yes(2)),
        ("deny", 1, "anna", no(2)),
        ("amend", 1, "anna", amend(2, json!(7))),
        ("revise", 1, "anna", revise(2)),
        ("approve the gate before", 1, "anna", yes(1)),
        ("approve a gate to come", 1, "anna", yes(3)),
        ("approve gate 0", 1, "anna", yes(0)),
        ("event", 1, "event", event(1)),
        ("the event that started it", 1, "event", event(7)),
        (
            "event for another step",
            1,
            "event",
            Input::Event { step: 1, event: event_id(1), payload: None },
        ),
        ("pause", 1, "anna", Input::Pause),
        ("resume", 1, "anna", Input::Resume),
        ("retry", 1, "anna", Input::Retry),
        ("cancel", 1, "anna", cancel()),
        ("wake early", 299, "clock", Input::Wake),
        ("wake", 300, "clock", Input::Wake),
        ("wake by a clock gone back", -100, "clock", Input::Wake),
    ]
}

fn value(need: &Need) -> Option<Value> {
    match need {
        Need::Value(_) => Some(json!({ "a": 1 })),
        Need::Args(_) => None,
    }
}

/// Decides, and checks that whoever replays the entry comes to the same run.
fn decided(state: &State, secs: i64, by: &str, input: &Input) -> Result<Transition, Refusal> {
    let (name, sop, run) = state;
    let transition = settle(
        |values| {
            let given = Given { cause: cause("i", by), now: at(secs), queued: false, values };
            decide(sop, run, (5, nothing()), input, given)
        },
        value,
    )?;
    let entry = &transition.entry;
    assert_eq!((entry.seq, entry.prev), (6, Some(nothing())));
    assert_eq!(replay(sop, Some(run), entry).as_ref(), Some(&entry.after), "{name} {input:?}");
    assert_eq!(entry.after.identity, run.identity);
    Ok(transition)
}

/// How the state is called that a transition leads to.
fn target(run: &Run) -> String {
    let stands = stands(run);
    let stands = stands.split(": r").next().unwrap_or_default();
    let stands = stands.split(": denied").next().unwrap_or_default();
    let stands = stands.split(": step").next().unwrap_or_default();
    stands.split(": timed").next().unwrap_or_default().to_owned()
}

/// The table, and the texts of its refusals.
fn table() -> (String, usize) {
    let mut refusals: BTreeMap<String, String> = BTreeMap::new();
    let (mut text, mut cells) = (String::new(), 0);
    for state in states() {
        writeln!(
            text,
            "\n### {}\n\n| input | what happens | the run then |\n|---|---|---|",
            state.0
        )
        .unwrap();
        for (name, secs, by, input) in inputs() {
            let (happens, then) = match decided(&state, secs, by, &input) {
                Ok(made) => (format!("**{}**", did(&made.entry.fact)), target(&made.entry.after)),
                Err(refusal) => {
                    let tag = serde_json::to_value(&refusal).unwrap()["refusal"].clone();
                    let tag = tag.as_str().unwrap().to_owned();
                    refusals.entry(tag).or_insert_with(|| refusal.to_string());
                    (refusal.to_string(), "as it was".to_owned())
                }
            };
            assert!(!happens.is_empty() && !then.is_empty(), "{} {name}", state.0);
            writeln!(text, "| {name} | {happens} | {then} |").unwrap();
            cells += 1;
        }
    }
    (text, cells)
}

/// R1: each pair of state and input leads to the fact, or the refusal, that the table names; no cell is
/// empty.
#[test]
fn every_pair_has_its_answer() {
    let (table, cells) = table();
    assert_eq!(cells, states().len() * inputs().len());
    println!("{table}");
    let head = format!(
        "# Transitions\n\n\
         What each input does in each state of a run: {} states, {} inputs, {cells} pairs. Step 2 of three is \
         under way, in its\n2nd try; its gate is the 2nd, of a group of four, and takes two yeses; what is \
         timed is due at 300 s. In bold is the\nfact that the ledger gets; else the refusal, which writes \
         nothing. The test `every_pair_has_its_answer` keeps this page\n(`SOPWITH_BLESS=1` writes it \
         anew).\n",
        states().len(),
        inputs().len()
    );
    let page = format!("{head}{table}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/transitions.md");
    if std::env::var_os("SOPWITH_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/transitions.md is another: SOPWITH_BLESS=1 writes it anew");
}

/// R2: what is refused for who asks is on the ledger when the gate is open, and only then.
#[test]
fn only_an_open_gate_writes_refusals_down() {
    for state in states() {
        let written = decided(&state, 1, "eve", &yes(2)).is_ok();
        let is_open = state.2.phase == Phase::Open && state.2.gate(2).is_some();
        assert_eq!(written, is_open, "{}", state.0);
    }
}

/// R3: a pause keeps what is under way, and what is done meanwhile counts.
#[test]
fn what_time_does_to_each_state() {
    let due =
        |state: &State| decided(state, 300, "clock", &Input::Wake).map(|it| did(&it.entry.fact));
    let mut policies = policy();
    policies.on_timeout = OnTimeout::Cancel;
    for (name, mut sop, run) in open_states() {
        sop.policies.insert("ops".into(), policies.clone());
        let expected = match name.as_str() {
            "slot" | "unknown" => Err(Refusal::NotSleeping),
            "approval" | "approval, one yes" | "checkpoint" => Ok("gate_timed_out"),
            "performer, once only" => Ok("outcome_unknown"),
            "timer" | "retry" => Ok("woke"),
            _ => Ok("step_failed"),
        };
        assert_eq!(due(&(name.clone(), sop.clone(), run.clone())), expected.map(str::to_owned));
        // While it is paused, only what is under way outside is timed.
        let mut paused = run;
        paused.phase = Phase::Paused { since: at(0), held: None };
        let outside = name.starts_with("performer") || name == "child";
        let answer = due(&(name.clone(), sop, paused));
        assert_eq!(answer.is_ok(), outside, "{name}");
    }
}

/// R4: what an input brings is stored as it came, and is the step's value.
#[test]
fn what_an_input_brings_is_kept() {
    let states = open_states();
    let state = states.iter().find(|state| state.0 == "performer").unwrap();
    let made = decided(state, 1, "executor", &outcome(2, 2, gave(&json!({ "b": 1 })))).unwrap();
    assert_eq!(made.entry.fact.brings(), Some(&Stored::of("{\"b\":1}")));
    assert_eq!(made.entry.after.value(), Some(Place::own(6)));
}
