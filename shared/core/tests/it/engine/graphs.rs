//! Steps that run as soon as those they depend on have come to their end.

use serde_json::{Value, json};
use sop_core::engine::{Effect, Gets, Place, newly_outstanding, outstanding, result_of};

use super::{Play, done, failed, gave, no, outcome, report, sop_of, yes};

fn on(numbers: &[u32]) -> Value {
    json!({ "depends_on": numbers })
}

/// Y1, Y2: what depends on nothing begins at once, and a join waits for all it depends on.
#[test]
fn steps_begin_together_and_joins_wait() {
    let sop = sop_of(&[('n', json!({})), ('d', json!({})), ('n', on(&[1, 2])), ('d', on(&[1]))]);
    let play = Play::start(sop);
    assert_eq!(play.stands(), "1 performer, 2 person");
    let play = play.all(&[(1, "executor", outcome(1, 1, done()))]);
    assert_eq!(play.stands(), "2 person, 4 person");
    let play = play.all(&[(2, "anna", report(4, done())), (3, "anna", report(2, done()))]);
    assert_eq!(play.stands(), "3 performer");
    let play = play.all(&[(4, "executor", outcome(3, 1, done()))]);
    assert_eq!(
        (play.stands(), play.past()),
        ("completed at 3".into(), "1 done, 4 done, 2 done, 3 done".into())
    );
    play.verify();
}

/// Y3: a skipped step counts as settled, also for steps that stand before it in the text.
#[test]
fn a_skipped_step_is_settled() {
    let skip = |on: &[u32]| json!({ "depends_on": on, "if": "exists($.event.never)" });
    let sop = sop_of(&[('d', on(&[2])), ('d', skip(&[3])), ('d', skip(&[]))]);
    let play = Play::start(sop);
    assert_eq!((play.stands(), play.past()), ("1 person".into(), "3 skipped, 2 skipped".into()));
    play.all(&[(1, "anna", report(1, done()))]).verify();
    let sop = sop_of(&[('d', skip(&[2])), ('d', skip(&[3])), ('d', skip(&[]))]);
    let play = Play::start(sop);
    assert_eq!(play.past(), "3 skipped, 2 skipped, 1 skipped");
    assert_eq!(play.stands(), "completed at 1");
}

/// Y4: a failure ends the run and stops what is under way beside it, unless the step says `continue`.
#[test]
fn a_failure_stops_the_others_or_does_not() {
    let go_on = json!({ "depends_on": [1], "on_failure": { "then": "continue" } });
    let steps =
        [('d', json!({})), ('n', on(&[1])), ('s', go_on), ('d', on(&[2, 3])), ('d', on(&[1]))];
    let begun = Play::start(sop_of(&steps)).all(&[(1, "anna", report(1, done()))]);
    assert_eq!(begun.stands(), "2 performer, 3 child, 5 person");

    let play = begun.clone().all(&[(2, "executor", outcome(2, 1, failed()))]);
    assert_eq!(play.stands(), "failed at 2: step 2 failed: r");
    assert_eq!(play.past(), "1 done, 2 failed, 3 stopped, 5 stopped");
    // The run that it started has nobody to work for any more.
    assert_eq!(play.run().orphans.len(), 1);
    let effects = outstanding(&play.sop, play.run());
    assert!(matches!(effects.as_slice(), [Effect::CancelChild { .. }]), "{effects:?}");
    play.verify();

    let play = begun.all(&[(2, "executor", outcome(3, 1, failed()))]);
    assert_eq!(play.stands(), "2 performer, 5 person");
    let play = play.all(&[
        (3, "executor", outcome(2, 1, done())),
        (4, "anna", report(5, done())),
        (5, "anna", report(4, done())),
    ]);
    assert_eq!(play.stands(), "completed at 4");
    play.verify();
}

/// Y5: a step gets an object of what those it depends on gave, or the one value, or the event's payload; the
/// run gives what the steps gave that no other depends on.
#[test]
fn what_steps_of_a_graph_get_and_give() {
    let sop = sop_of(&[('n', json!({})), ('n', json!({})), ('n', on(&[1, 2])), ('n', on(&[2]))]);
    let gets_of = |play: &Play, number: u32| {
        outstanding(&play.sop, play.run()).into_iter().find_map(|effect| match effect {
            Effect::Perform { key, gets, .. } if key.step == number => Some(gets),
            _ => None,
        })
    };
    let play = Play::start(sop);
    assert_eq!(gets_of(&play, 1), Some(Gets::One(Some(Place::own(0)))));
    let play = play.all(&[
        (1, "executor", outcome(1, 1, gave(&json!(1)))),
        (2, "executor", outcome(2, 1, done())),
    ]);
    let each = Gets::Each(vec![(1, Some(Place::own(1))), (2, None)]);
    assert_eq!((gets_of(&play, 3), gets_of(&play, 4)), (Some(each), Some(Gets::One(None))));
    let play = play.all(&[
        (3, "executor", outcome(4, 1, gave(&json!(4)))),
        (4, "executor", outcome(3, 1, gave(&json!(3)))),
    ]);
    let result = Gets::Each(vec![(3, Some(Place::own(4))), (4, Some(Place::own(3)))]);
    assert_eq!(
        (play.stands().as_str(), result_of(&play.sop, play.run())),
        ("completed at 3", result)
    );
}

/// Y6: several gates may be open at once, each with a revision of its own; each is decided alone.
#[test]
fn gates_are_open_beside_each_other() {
    let sop = sop_of(&[('N', json!({})), ('D', json!({})), ('C', on(&[1]))]);
    let play = Play::start(sop);
    assert_eq!(play.stands(), "1 approval 1, 2 approval 2");
    let play = play.all(&[(1, "anna", yes(2)), (2, "anna", yes(1))]);
    assert_eq!(play.stands(), "1 performer, 2 person");
    let play = play.all(&[(3, "executor", outcome(1, 1, done()))]);
    assert_eq!(play.stands(), "2 person, 3 approval 3");
    let play = play.all(&[(4, "anna", no(3))]);
    assert_eq!(play.stands(), "cancelled at 3: denied: r");
    assert_eq!(play.past(), "1 done, 3 denied, 2 stopped");
    play.verify();
}

/// Y7: a graph of 200 steps at once begins, moves and verifies, and moving one asks nothing of the others
/// again.
#[test]
fn two_hundred_steps_at_once() {
    let mut steps = vec![('n', json!({})); 199];
    let all: Vec<u32> = (1..200).collect();
    steps.push(('d', on(&all)));
    let mut play = Play::start(sop_of(&steps));
    assert_eq!(play.run().live.len(), 199);
    for number in all.iter().rev() {
        let before = play.run().clone();
        play.give(1, "executor", &outcome(*number, 1, done())).unwrap();
        assert!(
            newly_outstanding(
                &outstanding(&play.sop, &before),
                &outstanding(&play.sop, play.run())
            )
            .is_empty()
        );
    }
    assert_eq!(play.stands(), "200 person");
    play.verify();
    assert!(play.sealed.iter().all(|sealed| sealed.body.len() < 100_000));
}

/// Y8: operators' retry begins what failed and what was stopped, and nothing that was done.
#[test]
fn a_failed_graph_is_taken_up_where_it_was() {
    let steps = [('n', json!({})), ('n', json!({})), ('d', json!({})), ('d', on(&[1, 2, 3]))];
    let play = Play::start(sop_of(&steps)).all(&[
        (1, "executor", outcome(1, 1, done())),
        (2, "executor", outcome(2, 1, failed())),
        (3, "anna", super::Input::Retry),
    ]);
    assert_eq!(play.stands(), "2 performer, 3 person");
    let attempts: Vec<u32> = play.run().live.iter().map(|live| live.attempt).collect();
    assert_eq!(attempts, [2, 2]);
    let play = play.all(&[
        (4, "executor", outcome(2, 2, done())),
        (5, "anna", report(3, done())),
        (6, "anna", report(4, done())),
    ]);
    assert_eq!(play.stands(), "completed at 4");
    play.verify();
}

/// J9: of 199 steps that begin at once with arguments of 4000 bytes each, the entry holds a few and names the
/// others; each step has its own, and the engine's own steps have room left.
#[test]
fn an_entry_names_arguments_that_it_has_no_room_for() {
    let after = |with: Value| json!({ "depends_on": [1], "with": with });
    let call = |n: usize| ('n', after(json!({ "n": n, "text": "{{ event.text }}" })));
    let mut steps = vec![('d', json!({}))];
    steps.extend((2..200).map(call));
    steps.push(('w', after(json!({ "ms": "{{ event.ms }}" }))));
    let payload = json!({ "text": "x".repeat(4_000), "ms": 5 }).to_string();
    let mut play = Play::start_with(sop_of(&steps), Some(&payload), false);
    play.give(1, "anna", &report(1, done())).unwrap();
    assert_eq!(play.run().live.len(), 199);
    assert!(play.stands().ends_with("199 performer, 200 timer"), "{}", play.stands());
    let bytes = play.last.entry.seal().body.len();
    assert!((60_000..200_000).contains(&bytes), "{bytes}");
    for number in 2..200 {
        let args = play.args(number, 1).value;
        assert_eq!(
            (&args["n"], args["text"].as_str().map(str::len)),
            (&number.into(), Some(4_000))
        );
    }
    play.verify();
}

/// J9: texts around secrets are in the entry alone, so a step that finds no room for its own fails, with the
/// reason.
#[test]
fn texts_around_secrets_have_their_bound() {
    let with = json!({ "text": "{{ event.text }} {{ secret(\"key\") }}" });
    let keys = json!({ "depends_on": [1], "with": with, "on_failure": { "then": "continue" } });
    let mut steps = vec![('d', json!({}))];
    steps.extend((2..=100).map(|_| ('n', keys.clone())));
    let payload = json!({ "text": "x".repeat(4_000) }).to_string();
    let mut play = Play::start_with(sop_of(&steps), Some(&payload), false);
    play.give(1, "anna", &report(1, done())).unwrap();
    let begun = play.run().live.len();
    assert!((7..17).contains(&begun), "{begun}");
    assert_eq!(play.run().past.len(), 100 - begun);
    assert!(play.last.entry.seal().body.len() < 200_000);
    let told = serde_json::to_string(&play.last.entry.asked).unwrap();
    assert!(told.contains("of 65536 are left for the steps that begin at once"), "{told:.300}");
    play.verify();
}
