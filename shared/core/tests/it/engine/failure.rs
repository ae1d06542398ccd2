//! What follows when a step fails, and when it takes too long.

use serde_json::{Value, json};
use sop_core::engine::{Effect, EffectKey, Input, Refusal, Stand, Verdict, outstanding};

use super::{Play, at, done, failed, outcome, report, sop_of};

fn retry(max: u32, backoff: Value) -> Value {
    json!({ "on_failure": { "then": "retry", "max": max }, "backoff": backoff })
}

fn key(play: &Play) -> Option<EffectKey> {
    outstanding(&play.sop, play.run()).into_iter().find_map(|effect| match effect {
        Effect::Perform { key, .. } => Some(key),
        _ => None,
    })
}

/// D10, X1, X2: a failed step fails the run, or the run goes on where the step says.
#[test]
fn a_failure_is_dealt_with_as_the_step_says() {
    for (on_failure, expected) in [
        (json!({ "then": "fail" }), "failed at 1: step 1 failed: r"),
        (json!({ "then": "continue" }), "2 person"),
        (json!({ "then": "goto", "step": 3 }), "3 person"),
        (json!({ "then": "goto", "step": 1 }), "1"),
    ] {
        for letter in ['d', 'n', 's'] {
            let keys = json!({ "on_failure": on_failure });
            let steps = [(letter, keys), ('d', json!({})), ('d', json!({}))];
            let input = match letter {
                'd' => report(1, failed()),
                _ => outcome(1, 1, failed()),
            };
            let play = Play::start(sop_of(&steps)).all(&[(1, "anna", input)]);
            assert!(play.stands().starts_with(expected), "{letter} {on_failure} {}", play.stands());
            assert_eq!(play.past(), "1 failed");
            play.verify();
        }
    }
}

/// X3, X4: `retry:N` tries up to N times more, each under a key of its own, then the run fails; between two
/// tries a random time passes, up to a bound that doubles from try to try and ends at the greatest.
#[test]
fn a_step_is_tried_again_after_a_while() {
    let sop = sop_of(&[('n', retry(6, json!({ "initial_ms": 2_000, "max_ms": 20_000 })))]);
    let mut play = Play::start(sop);
    let mut waits = Vec::new();
    for attempt in 1..=7_u32 {
        let key = key(&play).unwrap();
        assert_eq!((key.step, key.attempt), (1, attempt));
        let now = i64::from(attempt) * 1_000;
        play.give(now, "executor", &outcome(1, attempt, failed())).unwrap();
        if attempt == 7 {
            break;
        }
        assert_eq!(play.stands(), "1 retry");
        let due = play.run().wake_at().unwrap();
        let wait = due.millis_since(at(now));
        let bound = (2_000 << (attempt - 1)).min(20_000);
        assert!((0..=bound).contains(&wait), "try {attempt}: {wait} of {bound}");
        waits.push(wait);
        let early = play.give(now - 1, "clock", &Input::Wake);
        assert_eq!(early, Err(Refusal::TooEarly { at: due }));
        play.give(now + 21, "clock", &Input::Wake).unwrap();
    }
    assert_eq!(play.stands(), "failed at 1: step 1 failed: r");
    play.verify();
    waits.dedup();
    assert_eq!(waits.len(), 6, "the draws differ: {waits:?}");
}

/// X5: the time between two tries depends on run, step and try alone: whoever works it out again finds the
/// same, and two runs find different ones.
#[test]
fn the_jitter_is_the_same_for_the_same_try() {
    let due = |n: u8| {
        let sop = sop_of(&[('n', retry(3, json!({ "initial_ms": 100_000, "max_ms": 100_000 })))]);
        let id = sop_core::id::RunId::derive(
            &sop_core::id::Tenant::default(),
            &sop.name,
            &super::event_id(n),
            at(0),
        );
        let identity = sop_core::engine::Identity { id, ..super::identity(&sop) };
        let play = Play::start_as(sop, identity, None, false);
        play.all(&[(1, "executor", outcome(1, 1, failed()))]).run().wake_at().unwrap()
    };
    assert_eq!(due(1), due(1));
    let mut all: Vec<i64> = (0..100).map(|n| due(n).millis_since(at(1))).collect();
    let mean = all.iter().sum::<i64>() / 100;
    assert!((40_000..60_000).contains(&mean), "full jitter: from nothing to the bound, not {mean}");
    all.sort_unstable();
    all.dedup();
    assert!(all.len() > 95);
}

/// X6: tries are counted over loops and retries together: no key is ever used again; failed tries count for
/// one visit.
#[test]
fn tries_are_counted_over_loops() {
    let mut keys = retry(1, json!({ "initial_ms": 0, "max_ms": 0 }));
    keys["next"] = json!(1);
    let mut play = Play::start(sop_of(&[('n', keys)]));
    for visit in 0..20 {
        let first = visit * 2 + 1;
        play.give(1, "executor", &outcome(1, first, failed())).unwrap();
        play.give(1, "clock", &Input::Wake).unwrap();
        play.give(1, "executor", &outcome(1, first + 1, done())).unwrap();
    }
    assert_eq!(key(&play).map(|key| key.attempt), Some(41));
    play.verify();
}

/// X7: a step that may not be done twice is never tried again because nobody told of it: a person finds out
/// what became of it. What comes to light after all counts.
#[test]
fn what_may_not_be_done_twice_is_not() {
    let mut keys = retry(3, json!({ "initial_ms": 0, "max_ms": 0 }));
    keys["delivery"] = json!("at_most_once");
    let steps = [('n', keys), ('d', json!({}))];
    let mut lost = Play::start(sop_of(&steps)).all(&[(300, "clock", Input::Wake)]);
    assert_eq!(lost.stands(), "1 unknown");
    assert!(outstanding(&lost.sop, lost.run()).is_empty() && lost.run().wake_at().is_none());
    for (input, stands) in [
        (report(1, done()), "2 person"),
        (outcome(1, 1, done()), "2 person"),
        (report(1, failed()), "1 retry"),
        (outcome(1, 1, failed()), "1 retry"),
        (report(1, Verdict::Unknown { reason: "u".into() }), "1 unknown"),
    ] {
        let play = lost.clone().all(&[(301, "anna", input)]);
        assert_eq!(play.stands(), stands);
        play.verify();
    }
    let unknown = outcome(1, 1, Verdict::Unknown { reason: "u".into() });
    assert!(lost.give(301, "executor", &unknown).is_err());
    // The two outcomes of the one try are told apart.
    let late = outcome(1, 1, done());
    assert_ne!(unknown.system_id(3), late.system_id(4));
    // An executor that says so leads to the same.
    let play = Play::start(sop_of(&steps)).all(&[(1, "executor", unknown)]);
    assert_eq!(play.stands(), "1 unknown");
}

/// D9, T6, T7: a step's time-out fails the try; it counts from its beginning, and for people too.
#[test]
fn a_try_that_takes_too_long_has_failed() {
    let cases = [
        ('n', "timed out: no outcome within 60 s"),
        ('d', "timed out: nobody did it within 60 s"),
        ('e', "timed out: no event within 60 s"),
        ('s', "timed out: the run it started took longer than 60 s"),
    ];
    for (letter, reason) in cases {
        let steps = [('d', json!({})), (letter, json!({ "timeout_secs": 60 }))];
        let mut play = Play::start(sop_of(&steps)).all(&[(1_000, "anna", report(1, done()))]);
        let early = play.give(1_059, "clock", &Input::Wake);
        assert_eq!(early, Err(Refusal::TooEarly { at: at(1_060) }));
        play.give(1_060, "clock", &Input::Wake).unwrap();
        assert_eq!(play.stands(), format!("failed at 2: step 2 failed: {reason}"));
        play.verify();
        let mut keys = retry(1, json!({ "initial_ms": 0, "max_ms": 0 }));
        keys["timeout_secs"] = json!(60);
        let play = Play::start(sop_of(&[(letter, keys)]))
            .all(&[(60, "clock", Input::Wake), (60, "clock", Input::Wake)]);
        assert_eq!(play.run().live[0].attempt, 2);
        assert_eq!(play.run().wake_at(), Some(at(120)), "{letter}");
        play.verify();
    }
    let gated = Play::start(sop_of(&[('D', json!({ "timeout_secs": 60 }))]));
    assert_eq!(gated.run().wake_at(), None, "what waits at its gate has not begun");
    // A built-in without a time-out of its own has 300 s, a person all the time there is.
    assert_eq!(Play::start(sop_of(&[('n', json!({}))])).run().wake_at(), Some(at(300)));
    assert_eq!(Play::start(sop_of(&[('d', json!({}))])).run().wake_at(), None);
}

/// T8: a run's time-out fails it wherever it stands, also before it has begun; not while it is paused.
#[test]
fn a_run_that_takes_too_long_has_failed() {
    let reason = "timed out: the run took longer than 100 s";
    for letter in ['d', 'D', 'n', 'e', 's', 'c'] {
        let mut sop = sop_of(&[(letter, json!({}))]);
        sop.timeout_secs = Some(100);
        let play = Play::start(sop).all(&[(100, "clock", Input::Wake)]);
        assert_eq!(play.stands(), format!("failed at 1: {reason}"), "{letter}");
        assert_eq!(play.past(), "1 stopped");
        play.verify();
    }
    let mut sop = sop_of(&[('d', json!({}))]);
    sop.timeout_secs = Some(100);
    sop.max_pending_approvals = Some(1);
    let mut play = Play::start_with(sop, None, true);
    assert_eq!(play.stands(), "held before 1");
    play.give(50, "anna", &Input::Pause).unwrap();
    assert_eq!(play.give(500, "clock", &Input::Wake), Err(Refusal::NotSleeping));
    play.give(500, "anna", &Input::Resume).unwrap();
    assert_eq!(play.give(549, "clock", &Input::Wake), Err(Refusal::TooEarly { at: at(550) }));
    let play = play.all(&[(550, "clock", Input::Wake)]);
    assert_eq!(play.stands(), format!("failed at 1: {reason}"));
    play.verify();
}

/// X8: when the step and the run are due at the same instant, the step is dealt with first.
#[test]
fn what_is_due_at_once_comes_in_order() {
    let mut sop = sop_of(&[('w', json!({})), ('d', json!({}))]);
    sop.timeout_secs = Some(10);
    let play = Play::start(sop).all(&[(10, "clock", Input::Wake)]);
    assert_eq!(play.stands(), "2 person");
    let play = play.all(&[(10, "clock", Input::Wake)]);
    assert!(play.stands().starts_with("failed at 2: timed out"), "{}", play.stands());
}

/// X9: a run that a step started and that took too long is cancelled; the next try starts another.
#[test]
fn a_child_that_takes_too_long_is_an_orphan() {
    let mut keys = retry(1, json!({ "initial_ms": 0, "max_ms": 0 }));
    keys["timeout_secs"] = json!(60);
    let play = Play::start(sop_of(&[('s', keys)]));
    let child = |play: &Play| match &play.run().live[0].stand {
        Stand::Child { run, .. } => run.clone(),
        other => panic!("{other:?}"),
    };
    let first = child(&play);
    let play = play.all(&[(60, "clock", Input::Wake), (60, "clock", Input::Wake)]);
    assert_ne!(child(&play), first);
    assert_eq!(play.run().orphans, [first]);
    // What the first one says now is not awaited.
    let mut late = play.clone();
    assert!(late.give(61, "executor", &outcome(1, 1, done())).is_err());
    play.all(&[(62, "executor", outcome(1, 2, done()))]).verify();
}
