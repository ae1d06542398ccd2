//! Waiting: for a while, until a time, for an event, for another run.

use serde_json::{Value, json};
use sop_core::engine::{Effect, Identity, Input, Parent, Refusal, Stand, outstanding};

use super::{
    Play, at, cancel, done, event_id, failed, gave, identity, outcome, report, sop_of, yes,
};

fn due(with: Value, payload: &str) -> Result<i64, String> {
    let sop = sop_of(&[('d', json!({})), ('w', json!({ "with": with }))]);
    let play = Play::start_with(sop, Some(payload), false);
    let play = play.all(&[(100, "anna", report(1, done()))]);
    play.verify();
    match play.run().wake_at() {
        Some(due) => Ok(due.millis_since(at(0))),
        None => Err(play.stands()),
    }
}

/// T9: a `wait` lasts the time it names, counted from when the run comes to it, or until the instant it
/// names; templates fill both in, and what they make no time of fails the step.
#[test]
fn waits_end_when_they_say() {
    for (with, payload, expected) in [
        (json!({ "seconds": 10 }), "{}", 110_000),
        (json!({ "ms": 1_500 }), "{}", 101_500),
        (json!({ "duration": "2h" }), "{}", 7_300_000),
        (json!({ "until": "2026-03-01T09:00:00Z" }), "{}", 3_600_000),
        (json!({ "until": "2026-03-01T07:00:00Z" }), "{}", -3_600_000),
        (json!({ "seconds": "{{ event.n }}" }), "{\"n\":7}", 107_000),
        (json!({ "duration": "{{ event.n }}m" }), "{\"n\":3}", 280_000),
        (json!({ "until": "{{ event.at }}" }), "{\"at\":\"2026-03-01T10:00:00+01:00\"}", 3_600_000),
    ] {
        assert_eq!(due(with.clone(), payload), Ok(expected), "{with} {payload}");
    }
    for (with, payload) in [
        (json!({ "until": "{{ event.at }}" }), "{\"at\":\"tomorrow\"}"),
        (json!({ "until": "{{ event.at }}" }), "{}"),
        (json!({ "seconds": "{{ event.n }}" }), "{\"n\":\"7\"}"),
        (json!({ "seconds": "{{ event.n }}" }), "{\"n\":1.5}"),
        (json!({ "seconds": "{{ event.n }}" }), "{\"n\":99999999999}"),
        (json!({ "ms": "{{ event.n }}" }), "{\"n\":9223372036854775807}"),
        (json!({ "duration": "{{ event.n }}" }), "{\"n\":\"-1s\"}"),
        (json!({ "until": "{{ event.at }}" }), "{\"at\":\"9999-01-01T00:00:00Z\"}"),
    ] {
        let failed = due(with.clone(), payload).unwrap_err();
        assert!(failed.starts_with("failed at 2: step 2 failed: "), "{with} {payload}: {failed}");
    }
}

/// T1: a `wait` never ends early, and a clock that went back ends none.
#[test]
fn a_wait_never_ends_early() {
    let mut play = Play::start(sop_of(&[('w', json!({})), ('d', json!({}))]));
    for secs in [0, 9, -1_000, 5] {
        let answer = play.give(secs, "clock", &Input::Wake);
        assert_eq!(answer, Err(Refusal::TooEarly { at: at(10) }));
    }
    assert_eq!(play.all(&[(10, "clock", Input::Wake)]).stands(), "2 person");
}

/// T10: the event that a step waits for ends its wait, and its payload is what the step gives; the same event
/// does not end the wait of the next visit, nor does the one that started the run.
#[test]
fn an_event_ends_one_wait() {
    let came = |n: u8| Input::Event {
        step: 1,
        event: event_id(n),
        payload: Some(sop_core::engine::Stored::of("{\"ok\":true}")),
    };
    let steps = [('e', json!({})), ('d', json!({ "next": 1 }))];
    let mut play = Play::start(sop_of(&steps));
    let not_awaited = Err(Refusal::EventNotAwaited { step: 1 });
    assert_eq!(play.give(1, "event", &came(7)), not_awaited, "it started the run");
    play.give(1, "event", &came(1)).unwrap();
    assert_eq!(play.value_at(play.run().value().as_ref()), json!({ "ok": true }));
    assert_eq!(play.give(1, "event", &came(1)), not_awaited);
    play.give(2, "anna", &report(2, done())).unwrap();
    assert_eq!(play.stands(), "1 event");
    assert_eq!(play.give(2, "event", &came(1)), not_awaited);
    play.give(2, "event", &came(2)).unwrap();
    assert_eq!(play.stands(), "2 person");
    // Whichever comes again, and however many came in between.
    for visit in 3..20 {
        play.give(2, "anna", &report(2, done())).unwrap();
        for heard in 1..visit {
            assert_eq!(play.give(2, "event", &came(heard)), not_awaited, "{heard} at {visit}");
            // The one that started the run has number 7.
            if heard == 5 {
                assert_eq!(play.give(2, "event", &came(7)), not_awaited);
            }
        }
        let new = if visit == 7 { 100 } else { visit };
        play.give(2, "event", &came(new)).unwrap();
    }
    play.verify();
}

/// T10: a wait that ended otherwise forgets no event, and steps that wait at the same time each have their own.
#[test]
fn an_event_is_remembered_for_its_step() {
    let came = |step: u32, n: u8| Input::Event { step, event: event_id(n), payload: None };
    let not_awaited = |step| Err(Refusal::EventNotAwaited { step });
    let timed = json!({ "timeout_secs": 10, "on_failure": { "then": "goto", "step": 2 } });
    let mut play = Play::start(sop_of(&[('e', timed), ('d', json!({ "next": 1 }))]));
    play.give(1, "event", &came(1, 1)).unwrap();
    play.give(1, "anna", &report(2, done())).unwrap();
    play.give(11, "clock", &Input::Wake).unwrap();
    assert_eq!(play.stands(), "2 person", "the second wait timed out");
    play.give(11, "anna", &report(2, done())).unwrap();
    assert_eq!(play.give(11, "event", &came(1, 1)), not_awaited(1));
    play.give(11, "event", &came(1, 2)).unwrap();
    play.verify();

    let after = json!({ "depends_on": [1] });
    let mut play = Play::start(sop_of(&[('d', json!({})), ('e', after.clone()), ('e', after)]));
    play.give(1, "anna", &report(1, done())).unwrap();
    assert_eq!(play.stands(), "2 event, 3 event");
    play.give(1, "event", &came(2, 1)).unwrap();
    assert_eq!(play.give(1, "event", &came(2, 1)), not_awaited(2));
    play.give(1, "event", &came(3, 2)).unwrap();
    assert!(play.run().is_finished());
    play.verify();
}

/// T11: what a `wait.event` step waits for is named by its filter, its condition and the rendered key; two
/// runs that wait for different keys wait for different events.
#[test]
fn events_are_told_apart_by_their_key() {
    let key = |topic: &str, payload: &str| {
        let with = json!({ "source": "mqtt", "topic": topic,
            "correlate": { "event": "$.order_id", "key": "{{ event.order_id }}" } });
        let play =
            Play::start_with(sop_of(&[('e', json!({ "with": with }))]), Some(payload), false);
        play.verify();
        match &play.run().live[0].stand {
            Stand::Event { key, .. } => *key,
            other => panic!("{other:?}"),
        }
    };
    let one = key("a", "{\"order_id\":1}");
    assert_eq!(one, key("a", "{\"order_id\":1}"));
    assert_ne!(one, key("a", "{\"order_id\":2}"));
    assert_ne!(one, key("a", "{\"order_id\":\"1\"}"));
    assert_ne!(one, key("b", "{\"order_id\":1}"));
}

/// C1, C2, C3: `sop.start` starts a run under an id that follows from run, step and try, waits for it, and
/// gives what it gave; a child that fails fails the step.
#[test]
fn a_step_waits_for_the_run_it_started() {
    let steps =
        [('s', json!({ "with": { "sop": "y", "payload": "{{ event.a }}" } })), ('d', json!({}))];
    let begun = Play::start_with(sop_of(&steps), Some("{\"a\":1}"), false);
    let Stand::Child { run: child, .. } = begun.run().live[0].stand.clone() else { panic!() };
    let effects = outstanding(&begun.sop, begun.run());
    let [Effect::StartChild { parent, event, at: since, args: Some(args), .. }] =
        effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!((parent.step, parent.attempt, parent.depth), (1, 1, 1));
    let name = sop_core::id::SopName::parse("y").unwrap();
    let tenant = &begun.run().identity.tenant;
    assert_eq!(sop_core::id::RunId::derive(tenant, &name, event, *since), child);
    assert_eq!(begun.args(1, *args).value, json!({ "sop": "y", "payload": 1 }));

    let play = begun.clone().all(&[(1, "executor", outcome(1, 1, gave(&json!({ "b": 2 }))))]);
    assert_eq!(play.value_at(play.run().value().as_ref()), json!({ "b": 2 }));
    play.verify();
    let play = begun.clone().all(&[(1, "executor", outcome(1, 1, failed()))]);
    assert_eq!(play.stands(), "failed at 1: step 1 failed: r");
    // Cancelling the parent cancels the child.
    let play = begun.all(&[(1, "anna", cancel())]);
    let parent = play.run().identity.id.clone();
    let effects = outstanding(&play.sop, play.run());
    assert_eq!(effects, [Effect::CancelChild { run: child, parent }]);
    play.verify();
}

/// C1: a run may be started with as much as an event may carry.
#[test]
fn a_run_is_started_with_a_large_payload() {
    let with = json!({ "sop": "y", "payload": "{{ event.a }}" });
    for letter in ['s', 'S'] {
        let payload = json!({ "a": "x".repeat(200_000) }).to_string();
        let sop = sop_of(&[(letter, json!({ "with": with }))]);
        let mut play = Play::start_with(sop, Some(&payload), false);
        if letter == 'S' {
            play.give(1, "anna", &yes(1)).unwrap();
        }
        assert_eq!(play.stands(), "1 child");
        play.verify();
    }
}

/// C4: a run that a step started tells it of its end, however it ends, and each time it ends.
#[test]
fn a_child_tells_its_parent() {
    let sop = sop_of(&[('D', json!({}))]);
    let run = identity(&sop_of(&[('d', json!({}))])).id;
    let parent = Parent { run, step: 1, attempt: 1, depth: 3 };
    let identity = Identity { parent: Some(parent.clone()), ..identity(&sop) };
    let begun = Play::start_as(sop, identity, None, false);
    let tells = |play: &Play| {
        let effects = outstanding(&play.sop, play.run());
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::TellParent { parent: to, .. } if *to == parent))
    };
    assert!(!tells(&begun));
    let open = begun.clone().all(&[(1, "anna", yes(1))]);
    assert!(!tells(&open));
    for (inputs, ends) in [
        (vec![(1, "anna", cancel())], true),
        (vec![(1, "anna", yes(1)), (2, "anna", report(1, done()))], true),
        (vec![(1, "anna", yes(1)), (2, "anna", report(1, failed()))], true),
        (
            vec![(1, "anna", yes(1)), (2, "anna", report(1, failed())), (3, "anna", Input::Retry)],
            false,
        ),
    ] {
        assert_eq!(tells(&begun.clone().all(&inputs)), ends);
    }
}
