//! The way through a sequence.

use serde_json::{Value, json};
use sop_core::engine::{Gets, Input, Place, result_of};

use super::{Play, done, failed, gave, outcome, report, sop_of, yes};

/// Does whatever step a person has to do next, giving `output` of its number, until nothing is left or
/// `times` are over; tells the steps that were done.
fn walk(play: &mut Play, times: usize, output: impl Fn(u32) -> Value) -> String {
    let mut visited = Vec::new();
    for _ in 0..times {
        let Some(live) = play.run().live.first() else { break };
        let number = live.step;
        visited.push(number.to_string());
        play.give(1, "anna", &report(number, gave(&output(number)))).unwrap();
    }
    visited.join(" ")
}

fn walked(steps: &[(char, Value)], payload: &Value, output: &Value) -> (String, Play) {
    let mut play = Play::start_with(sop_of(steps), Some(&payload.to_string()), false);
    let visited = walk(&mut play, 20, |_| output.clone());
    play.verify();
    (visited, play)
}

/// F1, F2: steps come one after the other; one whose `if` does not hold is skipped, and the step after it is
/// looked at.
#[test]
fn a_step_whose_if_does_not_hold_is_skipped() {
    let steps = [
        ('d', json!({ "if": "$.event.level > 3" })),
        ('d', json!({})),
        ('d', json!({ "if": "$.steps.2.output.ok == true && $.steps.1.state == \"done\"" })),
        ('d', json!({ "if": "$.steps.3.state == \"skipped\"" })),
        ('d', json!({ "if": "exists($.event.no.such)" })),
    ];
    for (level, ok, expected, past) in [
        (9, true, "1 2 3", "1 done, 2 done, 3 done, 4 skipped, 5 skipped"),
        (1, true, "2 4", "1 skipped, 2 done, 3 skipped, 4 done, 5 skipped"),
        (9, false, "1 2 4", "1 done, 2 done, 3 skipped, 4 done, 5 skipped"),
    ] {
        let (visited, play) = walked(&steps, &json!({ "level": level }), &json!({ "ok": ok }));
        assert_eq!((visited.as_str(), play.past().as_str()), (expected, past), "{level} {ok}");
        assert_eq!(play.stands(), "completed at 5");
    }
}

/// F3: all steps may be skipped; the run completes, and gives what it was started with.
#[test]
fn a_run_of_which_all_is_skipped_completes() {
    let steps = ['d', 'n'].map(|letter| (letter, json!({ "if": "exists($.event.x)" })));
    let (visited, play) = walked(&steps, &json!({ "a": 1 }), &Value::Null);
    assert_eq!((visited.as_str(), play.stands().as_str()), ("", "completed at 2"));
    assert_eq!(result_of(&play.sop, play.run()), Gets::One(Some(Place::own(0))));
}

/// F4, F5, F6: `switch` takes the first case that holds, then `next`, then `terminal`, then the step after;
/// `when` guards all of them.
#[test]
fn ways_out_of_a_step() {
    let when = "$.steps.1.output.go == true";
    let switch = json!([
        { "condition": "$.steps.1.output.n > 10", "next": 4 },
        { "condition": "$.steps.1.output.n > 5", "next": 3 },
    ]);
    let with_else = json!([
        { "condition": "$.steps.1.output.n > 10", "next": 4 }, { "next": 5 },
    ]);
    let cases: &[(Value, Value, &str)] = &[
        (json!({}), json!({}), "1 2 3 4 5"),
        (json!({ "next": 4 }), json!({}), "1 4 5"),
        (json!({ "next": 4, "when": when }), json!({ "go": true }), "1 4 5"),
        (json!({ "next": 4, "when": when }), json!({ "go": false }), "1 2 3 4 5"),
        (json!({ "next": 4, "when": when }), json!({ "go": "true" }), "1 2 3 4 5"),
        (json!({ "terminal": true }), json!({}), "1"),
        (json!({ "terminal": true, "when": when }), json!({ "go": true }), "1"),
        (json!({ "terminal": true, "when": when }), json!({}), "1 2 3 4 5"),
        (json!({ "switch": switch }), json!({ "n": 11 }), "1 4 5"),
        (json!({ "switch": switch }), json!({ "n": 7 }), "1 3 4 5"),
        (json!({ "switch": switch }), json!({ "n": 5 }), "1 2 3 4 5"),
        (json!({ "switch": switch, "next": 5 }), json!({ "n": 5 }), "1 5"),
        (json!({ "switch": switch, "next": 5 }), json!({ "n": 7 }), "1 3 4 5"),
        (json!({ "switch": switch, "terminal": true }), json!({ "n": 5 }), "1"),
        (json!({ "switch": switch, "when": when }), json!({ "n": 11 }), "1 2 3 4 5"),
        (json!({ "switch": switch, "when": when }), json!({ "n": 11, "go": true }), "1 4 5"),
        (json!({ "switch": with_else }), json!({ "n": 1 }), "1 5"),
        (json!({ "switch": with_else, "next": 2 }), json!({ "n": 1 }), "1 5"),
    ];
    for (keys, output, expected) in cases {
        let mut steps = vec![('d', keys.clone())];
        steps.extend(vec![('d', json!({})); 4]);
        let (visited, play) = walked(&steps, &json!({}), output);
        assert_eq!(visited, *expected, "{keys} {output}");
        assert!(play.stands().starts_with("completed at"), "{}", play.stands());
    }
}

/// F7: a run comes to a step at most 256 times; the next time fails it, and its state stays small.
#[test]
fn a_loop_is_bounded() {
    let steps = [('d', json!({})), ('d', json!({ "next": 1 }))];
    let mut play = Play::start(sop_of(&steps));
    walk(&mut play, 10_000, |_| Value::Null);
    let expected = "failed at 1: step 1 was come to more than 256 times";
    assert_eq!((play.stands().as_str(), play.entries.len()), (expected, 513));
    assert_eq!(play.run().past.len(), 2);
    assert_eq!(play.run().past(2).map(|past| (past.visits, past.tries)), Some((256, 256)));
    play.verify();
    // Having it done again does not get it out of the loop.
    play.give(2, "anna", &Input::Retry).unwrap();
    assert_eq!(play.stands(), expected);
}

/// F7: a loop may be left by its condition; each visit is a try of its own.
#[test]
fn a_loop_is_left_when_its_condition_no_longer_holds() {
    let steps = [
        ('n', json!({})),
        ('d', json!({ "next": 1, "when": "$.steps.2.output.again == true" })),
        ('d', json!({})),
    ];
    let mut play = Play::start(sop_of(&steps));
    for visit in 1..=50 {
        play.give(1, "executor", &outcome(1, visit, done())).unwrap();
        // What was tried before is no longer awaited.
        assert!(play.give(1, "executor", &outcome(1, visit, done())).is_err());
        play.give(1, "anna", &report(2, gave(&json!({ "again": visit < 50 })))).unwrap();
    }
    assert_eq!(play.stands(), "3 person");
    assert_eq!(play.run().past(1).map(|past| (past.visits, past.tries)), Some((50, 50)));
    play.verify();
}

/// F8: steps that fail as they are come to are gone through in turn; where that finds no end, the run fails
/// with an entry that can be kept.
#[test]
fn a_loop_of_steps_that_cannot_begin_ends() {
    let template = json!({ "x": "{{ event.missing }}" });
    let mut steps: Vec<_> = (0..200)
        .map(|_| ('n', json!({ "with": template, "on_failure": { "then": "continue" } })))
        .collect();
    let (_, play) = walked(&steps, &json!({}), &Value::Null);
    assert_eq!(play.stands(), "completed at 200");
    steps[199].1["on_failure"] = json!({ "then": "goto", "step": 1 });
    let (_, play) = walked(&steps, &json!({}), &Value::Null);
    let reason = "more than 1024 conditions and templates in a row";
    assert!(play.stands().ends_with(reason), "{}", play.stands());
    assert!(play.last.entry.seal().body.len() < 350_000);
    let alone = [('n', json!({ "with": template, "on_failure": { "then": "goto", "step": 1 } }))];
    let (_, play) = walked(&alone, &json!({}), &Value::Null);
    assert_eq!(play.stands(), "failed at 1: step 1 was come to more than 256 times");
}

/// F9: a step gets what the last one gave; one that gave nothing, was skipped or failed hands on what it got.
#[test]
fn values_are_handed_on() {
    let steps = [
        ('d', json!({})),
        ('d', json!({ "if": "exists($.event.never)" })),
        ('d', json!({ "on_failure": { "then": "continue" } })),
        ('c', json!({})),
        ('d', json!({})),
    ];
    let play = Play::start_with(sop_of(&steps), Some("{\"a\":1}"), false);
    let value = |play: &Play| play.value_at(play.run().value().as_ref());
    assert_eq!(value(&play), json!({ "a": 1 }));
    let play = play.all(&[(1, "anna", report(1, gave(&json!({ "b": 2 }))))]);
    assert_eq!((value(&play), play.past().as_str()), (json!({ "b": 2 }), "1 done, 2 skipped"));
    let play = play.all(&[(1, "anna", report(3, failed())), (2, "anna", yes(1))]);
    assert_eq!((value(&play), play.stands().as_str()), (json!({ "b": 2 }), "5 person"));
    let play = play.all(&[(3, "anna", report(5, gave(&json!("c"))))]);
    assert_eq!(value(&play), json!("c"));
    assert_eq!(result_of(&play.sop, play.run()), Gets::One(Some(Place::own(4))));
    play.verify();
}

/// F10: arguments are rendered when the run comes to the step, and are on the ledger; those that cannot be
/// rendered fail the step, without another try.
#[test]
fn arguments_are_rendered_when_the_step_is_come_to() {
    let with = json!({ "to": "{{ event.who }}", "n": "{{ steps.1.output.n }}",
        "key": "{{ secret(\"key\") }}" });
    let keys = json!({ "with": with, "on_failure": { "then": "retry", "max": 3 } });
    let steps = [('d', json!({})), ('n', keys)];
    let (_, play) = walked(&steps[..1], &json!({}), &json!({}));
    assert_eq!(play.stands(), "completed at 1");
    let mut play = Play::start_with(sop_of(&steps), Some("{\"who\":\"x\"}"), false);
    play.give(1, "anna", &report(1, gave(&json!({ "n": 7 })))).unwrap();
    let args = play.args(2, play.run().live[0].args.unwrap());
    assert_eq!(args.value, json!({ "to": "x", "n": 7, "key": "***" }));
    assert_eq!(args.secrets.len(), 1);
    play.verify();
    let mut play = Play::start_with(sop_of(&steps), Some("{}"), false);
    play.give(1, "anna", &report(1, gave(&json!({ "n": 7 })))).unwrap();
    assert!(play.stands().starts_with("failed at 2: step 2 failed: "), "{}", play.stands());
    play.verify();
}
