//! What operators do with a run: pause, resume, retry, cancel; and the queue it waits in.

use serde_json::json;
use sop_core::definition::AdmissionPolicy;
use sop_core::engine::{Input, Refusal, SlotChange, outstanding};

use super::{
    Play, at, cancel, definition, done, event_id, failed, no, outcome, report, sop_of, yes,
};

fn changes(slot: Option<&SlotChange>) -> [i32; 4] {
    slot.map_or([0; 4], |slot| [slot.active, slot.waiting, slot.open, slot.pending])
}

/// O1, O2: while a run is paused what is under way ends and counts, and nothing begins; when it is resumed
/// it goes on where it is.
#[test]
fn nothing_begins_while_a_run_is_paused() {
    for (letters, input, then) in [
        ("nn", outcome(1, 1, done()), "2 performer"),
        ("dd", report(1, done()), "2 person"),
        ("es", Input::Event { step: 1, event: event_id(1), payload: None }, "2 child"),
        ("sD", outcome(1, 1, done()), "2 approval 1"),
        ("d", report(1, done()), "completed at 1"),
    ] {
        let play = Play::start(definition(letters));
        let play = play.all(&[(1, "anna", Input::Pause), (2, "executor", input)]);
        assert_eq!(play.stands(), "paused: ", "{letters}");
        assert!(outstanding(&play.sop, play.run()).is_empty());
        let play = play.all(&[(3, "anna", Input::Resume)]);
        assert_eq!(play.stands(), then, "{letters}");
        play.verify();
    }
    let graph = sop_of(&[('d', json!({})), ('d', json!({})), ('d', json!({ "depends_on": [1] }))]);
    let play = Play::start(graph).all(&[(1, "anna", Input::Pause), (2, "anna", report(1, done()))]);
    assert_eq!(play.stands(), "paused: 2 person");
    assert_eq!(play.all(&[(3, "anna", Input::Resume)]).stands(), "2 person, 3 person");
}

/// O3: gates are not decided while a run is paused.
#[test]
fn no_gate_is_decided_while_a_run_is_paused() {
    let mut play = Play::start(definition("C")).all(&[(1, "anna", Input::Pause)]);
    for decision in [yes(1), no(1), yes(9)] {
        assert_eq!(play.give(2, "anna", &decision), Err(Refusal::Paused));
    }
    play.all(&[(3, "anna", Input::Resume), (4, "anna", yes(1))]).verify();
}

/// O4: a step that fails while its run is paused fails the run, or is tried again after it is resumed.
#[test]
fn a_failure_counts_while_a_run_is_paused() {
    let play = Play::start(definition("n"));
    let play = play.all(&[(1, "anna", Input::Pause), (2, "executor", outcome(1, 1, failed()))]);
    assert_eq!(play.stands(), "failed at 1: step 1 failed: r");
    let retry = json!({ "on_failure": { "then": "retry", "max": 1 } });
    let mut play = Play::start(sop_of(&[('n', retry)]))
        .all(&[(1, "anna", Input::Pause), (2, "executor", outcome(1, 1, failed()))]);
    assert_eq!(play.stands(), "paused: 1 retry");
    assert_eq!(play.give(900, "clock", &Input::Wake), Err(Refusal::NotSleeping));
    let play = play.all(&[(901, "anna", Input::Resume), (901, "clock", Input::Wake)]);
    assert_eq!(play.stands(), "1 performer");
    play.verify();
}

/// O5: the time-outs of people, gates and events and of the whole run stand still while a run is paused;
/// those of built-ins and of runs it started do not, and a `wait` ends when it says.
#[test]
fn time_outs_of_people_stand_still() {
    let mut governed = sop_of(&[('C', json!({ "policy": "ops" }))]);
    governed.policies.get_mut("ops").unwrap().timeout_secs = Some(60);
    let timed = |letter| sop_of(&[(letter, json!({ "timeout_secs": 60 }))]);
    let mut whole = definition("d");
    whole.timeout_secs = Some(60);
    for (name, sop, shifted) in [
        ("gate", governed, true),
        ("person", timed('d'), true),
        ("event", timed('e'), true),
        ("run", whole, true),
        ("performer", timed('n'), false),
        ("child", timed('s'), false),
    ] {
        let play = Play::start(sop).all(&[(10, "anna", Input::Pause), (35, "anna", Input::Resume)]);
        let due = if shifted { at(85) } else { at(60) };
        assert_eq!(play.run().wake_at(), Some(due), "{name}");
        // A clock that went back meanwhile brings nothing forward.
        let play = play.all(&[(40, "anna", Input::Pause), (30, "anna", Input::Resume)]);
        assert_eq!(play.run().wake_at(), Some(due), "{name}");
        play.verify();
    }
    let play = Play::start(definition("wd"));
    let play = play.all(&[(1, "anna", Input::Pause), (50, "anna", Input::Resume)]);
    assert_eq!(play.all(&[(50, "clock", Input::Wake)]).stands(), "2 person");
}

/// O6, L2: a run that is paused leaves the queue, gives back what it waits in, and takes its place again
/// when it is resumed; one that has not begun does not count as begun.
#[test]
fn a_paused_run_leaves_the_queue() {
    let mut sop = definition("n");
    sop.max_concurrent = Some(1);
    let mut play = Play::start_with(sop, None, true);
    assert_eq!(changes(play.last.slot.as_ref()), [0, 1, 0, 0]);
    play.give(1, "anna", &Input::Pause).unwrap();
    assert_eq!(changes(play.last.slot.as_ref()), [0, -1, 0, 0]);
    assert_eq!(play.give(1, "admission", &Input::Admit), Err(Refusal::NotQueued));
    play.give_at(2, "anna", &Input::Resume, true).unwrap();
    assert_eq!(
        (changes(play.last.slot.as_ref()), play.stands().as_str()),
        ([0, 1, 0, 0], "1 slot")
    );
    play.give(3, "admission", &Input::Admit).unwrap();
    assert_eq!(changes(play.last.slot.as_ref()), [1, -1, 0, 0]);
    play.verify();

    let mut sop = definition("Nd");
    sop.admission_policy = AdmissionPolicy::Hold;
    sop.max_pending_approvals = Some(1);
    let mut play = Play::start_with(sop, None, true);
    assert_eq!(
        (changes(play.last.slot.as_ref()), play.stands().as_str()),
        ([0, 1, 0, 0], "held before 1")
    );
    play.give(1, "anna", &Input::Pause).unwrap();
    let slot = play.last.slot.clone().unwrap();
    assert_eq!(
        (changes(Some(&slot)), slot.open_max, slot.pending_max),
        ([0, -1, 0, 0], None, None)
    );
    play.give_at(2, "anna", &Input::Resume, true).unwrap();
    assert_eq!(play.stands(), "held before 1");
    play.give(3, "admission", &Input::Admit).unwrap();
    let slot = play.last.slot.clone().unwrap();
    assert_eq!(
        (changes(Some(&slot)), slot.open_max, slot.pending_max),
        ([0, -1, 1, 1], Some(1), Some(1))
    );
    assert_eq!(slot.latest.as_ref(), Some(&play.run().identity.id));
    play.give(4, "anna", &Input::Pause).unwrap();
    assert_eq!(changes(play.last.slot.as_ref()), [0; 4], "it has begun, and waits at its gate");
    let play = play.all(&[(5, "anna", Input::Resume), (6, "anna", no(1))]);
    assert_eq!(changes(play.last.slot.as_ref()), [0, 0, -1, -1]);
    play.verify();
}

/// L5: a run keeps its slot from one built-in's step to the next, and gives it back while it waits.
#[test]
fn a_slot_is_kept_between_built_ins() {
    let mut sop = definition("nnwn");
    (sop.max_concurrent, sop.max_concurrent_total) = (Some(1), Some(9));
    let mut play = Play::start(sop);
    let slot = play.last.slot.clone().unwrap();
    assert_eq!((slot.active, slot.active_max, slot.total_max), (1, Some(1), Some(9)));
    play.give(1, "executor", &outcome(1, 1, done())).unwrap();
    assert_eq!(play.last.slot, None);
    play.give(2, "executor", &outcome(2, 1, done())).unwrap();
    assert_eq!(changes(play.last.slot.as_ref()), [-1, 0, 0, 0]);
    play.give_at(12, "clock", &Input::Wake, true).unwrap();
    assert_eq!(
        (changes(play.last.slot.as_ref()), play.stands().as_str()),
        ([0, 1, 0, 0], "4 slot")
    );
}

/// O7: a failed run's step is done again when an operator says so: a new try, a new visit, a new gate, a new
/// time-out; runs that completed or were cancelled stay as they are.
#[test]
fn a_failed_step_is_done_again() {
    let mut sop = definition("dND");
    sop.timeout_secs = Some(100);
    let mut play = Play::start(sop).all(&[
        (1, "anna", report(1, done())),
        (2, "anna", yes(1)),
        (3, "executor", outcome(2, 1, failed())),
    ]);
    assert_eq!(play.stands(), "failed at 2: step 2 failed: r");
    assert_eq!(play.give(3, "anna", &cancel()), Err(Refusal::AlreadyFinished));
    play.give(500, "anna", &Input::Retry).unwrap();
    assert_eq!((play.stands().as_str(), play.run().wake_at()), ("2 approval 2", Some(at(600))));
    assert_eq!(play.give(501, "anna", &Input::Retry), Err(Refusal::NotFailed));
    let mut play = play.all(&[(502, "anna", yes(2))]);
    assert!(play.give(503, "executor", &outcome(2, 1, done())).is_err(), "of the first try");
    play.give(503, "executor", &outcome(2, 2, done())).unwrap();
    assert_eq!(play.stands(), "3 approval 3");
    play.verify();
    for last in [cancel(), no(3)] {
        let mut play = play.clone().all(&[(504, "anna", last)]);
        assert_eq!(play.give(505, "anna", &Input::Retry), Err(Refusal::NotFailed));
    }
    let mut play = play.all(&[(504, "anna", yes(3)), (505, "anna", report(3, done()))]);
    assert_eq!(play.give(506, "anna", &Input::Retry), Err(Refusal::NotFailed));
}

/// D8, D11, O8: a cancellation ends any run that is not over, with a reason of at most 1000 characters.
#[test]
fn any_run_can_be_cancelled() {
    for letters in ["d", "C", "n", "w", "e", "s"] {
        for pause in [false, true] {
            let mut play = Play::start(definition(letters));
            if pause {
                play.give(1, "anna", &Input::Pause).unwrap();
            }
            let reason = "\u{e9}".repeat(2_000);
            let play = play.all(&[(2, "anna", Input::Cancel { reason })]);
            let expected = format!("cancelled at 1: {}", "\u{e9}".repeat(1_000));
            assert_eq!(play.stands(), expected, "{letters}");
            assert_eq!(play.past(), "1 stopped");
            play.verify();
        }
    }
}

/// L4, L8: a run is measured by the limits of its own definition, and one that comes back from a wait takes a
/// free slot at once, whoever waits.
#[test]
fn a_run_that_comes_back_takes_a_free_slot() {
    for max in [1, 7] {
        let mut sop = definition("wn");
        sop.max_concurrent = Some(max);
        let play = Play::start(sop).all(&[(10, "clock", Input::Wake)]);
        assert_eq!(play.stands(), "2 performer");
        let slot = play.last.slot.clone().unwrap();
        assert_eq!((changes(Some(&slot)), slot.active_max), ([1, 0, 0, 0], Some(max)));
    }
}

/// T12: the sweep is led to a run at the very instant that something is due, and 75 s before it where that was
/// too far away for a message; only what catches lost outcomes is looked at when its minute is over.
#[test]
fn the_sweep_is_led_to_the_instant() {
    let due = |letter, keys| {
        let play = Play::start(sop_of(&[(letter, keys)]));
        let entry = &play.last.entry;
        sop_core::engine::Head::of(&play.sop, play.run(), entry.seq, entry.at).due
    };
    assert_eq!(due('w', json!({})), Some(at(10)));
    assert_eq!(due('d', json!({ "timeout_secs": 61 })), Some(at(61)));
    assert_eq!(due('n', json!({ "timeout_secs": 61 })), Some(at(61)));
    assert_eq!(due('d', json!({ "timeout_secs": 900 })), Some(at(900)));
    assert_eq!(due('d', json!({ "timeout_secs": 901 })), Some(at(901 - 75)));
    assert_eq!(due('n', json!({ "timeout_secs": 7_200 })), Some(at(7_200 - 75)));
    assert_eq!(due('n', json!({})), Some(at(360)), "of the 300 s that a built-in has");
    assert_eq!(due('d', json!({})), None);
}
