//! Who decides at a gate, and what each answer does.

use serde_json::{Value, json};
use sop_core::definition::{Definition, OnTimeout, Policy, Route};
use sop_core::engine::{
    Decision, Effect, Fact, Input, Refusal, Stand, Stored, newly_outstanding, outstanding,
};

use super::{
    Play, amend, at, definition, done, failed, gave, identity, no, outcome, policy, report, revise,
    sop_of, yes,
};

/// An SOP whose last step is gated by policy `ops`, changed by `change`.
fn governed(steps: &[(char, Value)], change: impl FnOnce(&mut Policy)) -> Definition {
    let mut sop = sop_of(steps);
    let mut policy = policy();
    change(&mut policy);
    sop.policies.insert("ops".into(), policy);
    sop.steps.last_mut().unwrap().policy = Some("ops".into());
    sop
}

fn at_gate(letter: char, keys: Value, change: impl FnOnce(&mut Policy)) -> Play {
    Play::start(governed(&[(letter, keys)], change))
}

fn refused(fact: Result<Fact, Refusal>) -> Refusal {
    match fact {
        Ok(Fact::Refused { refusal, .. }) => refusal,
        other => panic!("{other:?} is no refusal on the ledger"),
    }
}

/// D12: only members of the policy's group decide, whatever they say; a gate without a policy is decided by
/// anyone. What is refused for who said it is on the ledger and changes nothing else.
#[test]
fn only_members_decide() {
    for decision in [yes(1), no(1), amend(1, json!(1)), revise(1)] {
        let mut play = at_gate('C', json!({}), |_| {});
        let before = play.run().clone();
        let refusal = refused(play.give(1, "eve", &decision));
        assert_eq!(refusal, Refusal::NotEntitled { group: "ops".into() });
        assert_eq!(play.run().live, before.live);
        assert_eq!((play.run().refusals, play.last.slot.is_none()), (1, true));
        assert!(
            newly_outstanding(
                &outstanding(&play.sop, &before),
                &outstanding(&play.sop, play.run())
            )
            .is_empty()
        );
        play.verify();
    }
    let play = Play::start(definition("C")).all(&[(1, "eve", yes(1))]);
    assert_eq!(play.stands(), "completed at 1");
    let empty = |policy: &mut Policy| policy.members.clear();
    let mut play = at_gate('C', json!({}), empty);
    refused(play.give(1, "anna", &yes(1)));
}

/// D13: at most 32 refused decisions are on a run's ledger; the rest are refused without an entry.
#[test]
fn a_flood_of_refused_decisions_is_bounded() {
    let mut play = at_gate('C', json!({}), |_| {});
    for _ in 0..32 {
        refused(play.give(1, "eve", &yes(1)));
    }
    let answer = play.give(1, "eve", &yes(1));
    assert_eq!(answer, Err(Refusal::NotEntitled { group: "ops".into() }));
    assert_eq!((play.entries.len(), play.run().refusals), (33, 32));
    let play = play.all(&[(2, "anna", yes(1))]);
    assert_eq!(play.stands(), "completed at 1");
    play.verify();
}

/// D14, D15: a gate opens when as many different people have said yes as the quorum says; a second yes of
/// one person is refused.
#[test]
fn a_quorum_is_of_different_people() {
    let mut play = at_gate('C', json!({}), |policy| policy.quorum = 3);
    assert!(matches!(play.give(1, "anna", &yes(1)), Ok(Fact::Voted { gate: 1, .. })));
    let again = Refusal::AlreadyVoted { by: "anna".into(), votes: 1, quorum: 3 };
    assert_eq!(play.give(2, "anna", &yes(1)), Err(again));
    assert!(matches!(play.give(3, "ben", &yes(1)), Ok(Fact::Voted { .. })));
    refused(play.give(4, "eve", &yes(1)));
    assert_eq!(play.stands(), "1 approval 1");
    assert!(matches!(play.give(5, "carl", &yes(1)), Ok(Fact::Approved { .. })));
    assert_eq!(play.stands(), "completed at 1");
    play.verify();
    // One no is enough.
    let play = at_gate('C', json!({}), |policy| policy.quorum = 3);
    let play = play.all(&[(1, "anna", yes(1)), (2, "ben", no(1))]);
    assert_eq!(play.stands(), "cancelled at 1: denied: r");
}

/// D16: with `no_self_approval` neither who started the run nor who did the work before says yes, also not
/// by an amendment; they may deny.
#[test]
fn nobody_approves_their_own() {
    let strict = |policy: &mut Policy| policy.no_self_approval = true;
    let keys = json!({ "edit": "a" });
    let of = |steps: &[(char, Value)]| {
        let sop = governed(steps, strict);
        let identity = sop_core::engine::Identity { actor: Some("anna".into()), ..identity(&sop) };
        Play::start_as(sop, identity, Some("{\"a\":1}"), false)
    };
    let mut play = of(&[('C', keys.clone())]);
    assert_eq!(refused(play.give(1, "anna", &yes(1))), Refusal::OwnWork);
    assert_eq!(refused(play.give(1, "anna", &amend(1, json!(2)))), Refusal::OwnWork);
    assert_eq!(play.clone().all(&[(2, "ben", yes(1))]).stands(), "completed at 1");
    assert_eq!(play.all(&[(2, "anna", no(1))]).stands(), "cancelled at 1: denied: r");

    // Who did the work, also when a built-in came after.
    let mut play = of(&[('d', json!({})), ('n', json!({})), ('C', keys)])
        .all(&[(1, "ben", report(1, done())), (2, "executor", outcome(2, 1, done()))]);
    assert_eq!(refused(play.give(3, "ben", &yes(1))), Refusal::OwnWork);
    assert_eq!(play.all(&[(4, "carl", yes(1))]).stands(), "completed at 3");

    // In a graph, any of those whose work the gate judges, and nobody else.
    let steps = [
        ('d', json!({})),
        ('d', json!({})),
        ('d', json!({})),
        ('n', json!({ "depends_on": [1] })),
        ('C', json!({ "depends_on": [4, 2] })),
    ];
    let mut play = of(&steps).all(&[
        (1, "ben", report(1, done())),
        (2, "carl", report(2, done())),
        (3, "dora", report(3, done())),
        (4, "executor", outcome(4, 1, done())),
    ]);
    for by in ["anna", "ben", "carl"] {
        assert_eq!(refused(play.give(5, by, &yes(1))), Refusal::OwnWork, "{by}");
    }
    let play = play.all(&[(6, "dora", yes(1))]);
    assert_eq!(play.stands(), "completed at 5");
    play.verify();
}

/// D17: an amendment changes the `edit` field of what the gate shows, keeps both values on the ledger, and
/// is a yes to the result: the step runs with it.
#[test]
fn an_amendment_changes_the_arguments() {
    let with = json!({ "url": "https://a", "body": "x" });
    let mut play = at_gate('N', json!({ "with": with, "edit": "body" }), |_| {});
    let fact = play.give(1, "anna", &amend(1, json!({ "y": 1 }))).unwrap();
    let Fact::Amended { field, before, after, output, .. } = fact else { panic!("{fact:?}") };
    assert_eq!((field.as_str(), before, output), ("body", Some(Stored::of("\"x\"")), None));
    assert_eq!(after, Stored::of("{\"y\":1}"));
    assert_eq!(play.stands(), "1 performer");
    let effects = outstanding(&play.sop, play.run());
    let [Effect::Perform { args: Some(seq), .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(play.args(1, *seq).value, json!({ "url": "https://a", "body": { "y": 1 } }));
    play.verify();
}

/// D18: steps that the engine itself carries out go by what the approver made of them.
#[test]
fn amended_waits_and_starts_go_by_the_amendment() {
    let play = at_gate('W', json!({ "edit": "seconds" }), |_| {});
    let play = play.all(&[(1, "anna", amend(1, json!(100)))]);
    assert_eq!(play.run().wake_at(), Some(at(101)));
    play.verify();
    let child = |play: &Play| match &play.run().live[0].stand {
        Stand::Child { run, .. } => run.clone(),
        other => panic!("{other:?}"),
    };
    let authored = at_gate('S', json!({ "edit": "sop" }), |_| {}).all(&[(1, "anna", yes(1))]);
    let play = at_gate('S', json!({ "edit": "sop" }), |_| {});
    let play = play.all(&[(1, "anna", amend(1, json!("z")))]);
    assert_ne!(child(&authored), child(&play));
    play.verify();
    // What an approver wrote is no template: it is not filled in.
    let with = json!({ "ms": "{{ event.ms }}" });
    let sop = governed(&[('W', json!({ "with": with, "edit": "ms" }))], |_| {});
    let play = Play::start_with(sop, Some("{\"ms\":5000}"), false);
    let play = play.all(&[(1, "anna", amend(1, json!("{{ event.ms }}")))]);
    assert!(play.stands().starts_with("failed at 1"), "{}", play.stands());
    play.verify();
}

/// D19: where a quorum is asked for, an amendment opens a new gate for the result, at which it is the first
/// yes; votes for what was shown before count for nothing. So it is for steps and for checkpoints.
#[test]
fn a_quorum_says_yes_to_the_amended() {
    for (letter, keys, end) in [
        ('N', json!({ "with": { "a": 1 }, "edit": "a" }), "1 performer"),
        ('C', json!({ "edit": "a" }), "completed at 1"),
    ] {
        let sop = governed(&[(letter, keys)], |policy| policy.quorum = 2);
        let mut play = Play::start_with(sop, Some("{\"a\":1,\"b\":2}"), false);
        play.give(1, "anna", &yes(1)).unwrap();
        let shown = play.run().gate(1).map(|(_, gate)| gate.shown);
        play.give(2, "ben", &amend(1, json!(7))).unwrap();
        assert_eq!(play.stands(), "1 approval 2", "{letter}");
        let (_, gate) = play.run().gate(2).unwrap();
        assert_ne!(Some(gate.shown), shown);
        assert_eq!(gate.votes, ["ben"]);
        let again = play.give(3, "ben", &yes(2));
        assert!(matches!(again, Err(Refusal::AlreadyVoted { votes: 1, quorum: 2, .. })));
        assert_eq!(play.give(3, "carl", &yes(1)), Err(Refusal::Superseded { named: 1, open: 2 }));
        // An amendment of the amended begins with it.
        play.give(4, "carl", &amend(2, json!({ "c": 3 }))).unwrap();
        assert_eq!(play.stands(), "1 approval 3");
        play.give(5, "anna", &yes(3)).unwrap();
        assert_eq!(play.stands(), end);
        if letter == 'C' {
            let value = play.value_at(play.run().value().as_ref());
            assert_eq!(value, json!({ "a": { "c": 3 }, "b": 2 }));
        }
        play.verify();
    }
}

/// D20: what an approver writes in the place of a secret stands there; other secrets stay where they belong.
#[test]
fn an_amendment_and_secrets() {
    let with = json!({ "a/b": "x {{ secret(\"one\") }}", "other": "{{ secret(\"two\") }}" });
    let play = at_gate('N', json!({ "with": with, "edit": "a/b" }), |_| {});
    let play = play.all(&[(1, "anna", amend(1, json!("plain {{ secret(\"three\") }}")))]);
    let args = play.args(1, play.run().live[0].args.unwrap());
    assert_eq!(args.value, json!({ "a/b": "plain {{ secret(\"three\") }}", "other": "***" }));
    let pointers: Vec<&str> = args.secrets.iter().map(|it| it.pointer.as_str()).collect();
    assert_eq!(pointers, ["/other"]);
    play.verify();
}

/// D21: what cannot be amended is refused: no `edit` field, nothing that has fields, too large a result.
#[test]
fn amendments_that_are_refused() {
    let mut play = at_gate('N', json!({ "with": { "a": 1 } }), |_| {});
    assert_eq!(play.give(1, "anna", &amend(1, json!(1))), Err(Refusal::NotAmendable { step: 1 }));
    let mut play = at_gate('E', json!({ "edit": "topic" }), |_| {});
    assert_eq!(play.give(1, "anna", &amend(1, json!("a"))), Err(Refusal::NotAmendable { step: 1 }));
    for payload in [None, Some("[1]"), Some("7"), Some("text"), Some("null")] {
        let sop = governed(&[('C', json!({ "edit": "a" }))], |_| {});
        let mut play = Play::start_with(sop, payload, false);
        let refusal = Refusal::NothingToAmend { step: 1, field: "a".into() };
        assert_eq!(play.give(1, "anna", &amend(1, json!(1))), Err(refusal), "{payload:?}");
    }
    let mut play = at_gate('N', json!({ "with": {}, "edit": "a" }), |_| {});
    let most = "x".repeat(256 * 1024 - "{\"a\":\"\"}".len());
    let too_much = amend(1, json!(format!("{most}x")));
    assert!(matches!(play.give(1, "anna", &too_much), Err(Refusal::AmendmentTooLarge { .. })));
    play.give(1, "anna", &amend(1, json!(most))).unwrap();
    assert_eq!(play.args(1, play.run().live[0].args.unwrap()).value["a"], json!(most));
    assert!(play.last.entry.seal().body.len() < 10_000, "what is large is kept apart");
    play.verify();
}

/// D22: a revision has the step that made the draft done again with the guidance, at most three times; then
/// the gate comes again, and the old one is superseded.
#[test]
fn a_draft_is_revised_at_most_three_times() {
    let mut play = Play::start(governed(&[('n', json!({})), ('C', json!({}))], |_| {}));
    for round in 1..=4 {
        play.give(1, "executor", &outcome(1, round, gave(&json!(round)))).unwrap();
        assert_eq!(play.stands(), format!("2 approval {round}"));
        let answer = play.give(2, "anna", &revise(round));
        if round == 4 {
            assert_eq!(answer, Err(Refusal::RevisedTooOften { step: 1, times: 3 }));
            break;
        }
        assert_eq!(play.stands(), "1 performer");
        let live = &play.run().live[0];
        assert_eq!((live.guidance, live.revisions), (Some(play.last.entry.seq), round));
        assert_eq!(play.give(2, "anna", &yes(round)), Err(Refusal::GateNotOpen { named: round }));
    }
    assert_eq!(play.give(3, "anna", &yes(1)), Err(Refusal::Superseded { named: 1, open: 4 }));
    let play = play.all(&[(3, "anna", yes(4))]);
    assert_eq!(
        (play.stands().as_str(), play.value_at(play.run().value().as_ref())),
        ("completed at 2", json!(4))
    );
    play.verify();
}

/// D23: only a step that a person or a built-in did just before can be revised.
#[test]
fn what_cannot_be_revised() {
    let skip = json!({ "if": "exists($.event.never)" });
    let keep_on = json!({ "on_failure": { "then": "continue" } });
    for (steps, inputs) in [
        (vec![('C', json!({}))], vec![]),
        (vec![('d', skip), ('C', json!({}))], vec![]),
        (vec![('c', json!({})), ('C', json!({}))], vec![(1, "anna", yes(1))]),
        (vec![('d', keep_on), ('C', json!({}))], vec![(1, "anna", report(1, failed()))]),
        (vec![('C', json!({})), ('d', json!({ "depends_on": [1] }))], vec![]),
        (
            vec![('d', json!({})), ('d', json!({})), ('C', json!({ "depends_on": [1, 2] }))],
            vec![(1, "anna", report(1, done())), (1, "anna", report(2, done()))],
        ),
        // Another step has gone on with it.
        (
            vec![
                ('d', json!({})),
                ('n', json!({ "depends_on": [1] })),
                ('C', json!({ "depends_on": [1] })),
            ],
            vec![(1, "anna", report(1, done()))],
        ),
    ] {
        let mut play = Play::start(sop_of(&steps)).all(&inputs);
        let gate = play.run().gates;
        let answer = play.give(2, "anna", &revise(gate));
        assert_eq!(answer, Err(Refusal::NoDraft { gate }), "{}", play.told());
    }
    // In a graph the one step that the gated one depends on.
    let steps = [('n', json!({})), ('d', json!({})), ('C', json!({ "depends_on": [1] }))];
    let play = Play::start(sop_of(&steps));
    let play = play.all(&[(1, "executor", outcome(1, 1, done())), (2, "anna", revise(1))]);
    assert_eq!(play.stands(), "1 performer, 2 person");
    let play = play.all(&[(3, "executor", outcome(1, 2, done()))]);
    assert_eq!(play.stands(), "2 person, 3 approval 2");
    play.verify();
}

/// D24: a draft that was gated is gated again when it is revised: an approval is used once.
#[test]
fn a_revised_draft_passes_its_gate_again() {
    let play = Play::start(definition("NC")).all(&[
        (1, "anna", yes(1)),
        (2, "executor", outcome(1, 1, done())),
        (3, "anna", revise(2)),
    ]);
    assert_eq!(play.stands(), "1 approval 3");
    let play = play.all(&[(4, "anna", yes(3))]);
    assert_eq!(play.stands(), "1 performer");
    play.verify();
}

/// D24: two revisions after each other, of steps that are both gated, lose count of no try.
#[test]
fn the_draft_of_a_draft_may_be_revised() {
    let play = Play::start(definition("DNC")).all(&[
        (1, "anna", yes(1)),
        (2, "anna", report(1, done())),
        (3, "anna", yes(2)),
        (4, "executor", outcome(2, 1, done())),
        (5, "anna", revise(3)),
        (6, "anna", revise(4)),
        (7, "anna", yes(5)),
        (8, "anna", report(1, done())),
        (9, "anna", yes(6)),
    ]);
    assert_eq!(play.stands(), "2 performer");
    assert_eq!(play.run().live[0].attempt, 2);
    play.all(&[(10, "executor", outcome(2, 2, done()))]).verify();
}

/// D1: a decision counts only at the gate whose revision it names.
#[test]
fn a_decision_names_its_gate() {
    let mut play = Play::start(definition("cDc"));
    play.give(1, "anna", &yes(1)).unwrap();
    for (named, refusal) in [
        (0, Refusal::GateNotOpen { named: 0 }),
        (1, Refusal::Superseded { named: 1, open: 2 }),
        (3, Refusal::GateNotOpen { named: 3 }),
    ] {
        for decision in [yes(named), no(named), amend(named, json!(1)), revise(named)] {
            assert_eq!(play.give(2, "anna", &decision), Err(refusal.clone()));
        }
    }
    play.give(3, "anna", &yes(2)).unwrap();
    assert_eq!(play.give(4, "anna", &yes(2)), Err(Refusal::GateNotOpen { named: 2 }));
    assert_eq!(play.give(4, "anna", &yes(3)), Err(Refusal::NotWaiting));
}

/// D4: a denial ends the run as cancelled, unless its step says `goto` or `continue`; it is never tried
/// again.
#[test]
fn a_denial_follows_on_failure() {
    for (on_failure, expected) in [
        (json!({ "then": "fail" }), "cancelled at 1: denied: r"),
        (json!({ "then": "retry", "max": 3 }), "cancelled at 1: denied: r"),
        (json!({ "then": "continue" }), "2 person"),
        (json!({ "then": "goto", "step": 3 }), "3 person"),
    ] {
        for letter in ['D', 'C', 'N', 'W', 'S'] {
            let keys = json!({ "on_failure": on_failure });
            let sop = sop_of(&[(letter, keys), ('d', json!({})), ('d', json!({}))]);
            let play = Play::start(sop).all(&[(1, "anna", no(1))]);
            assert_eq!(play.stands(), expected, "{letter} {on_failure}");
            assert_eq!(play.past(), "1 denied");
            play.verify();
        }
    }
}

/// G9, G10, G11: a gate that nobody decides in time escalates, cancels the run, or opens, as its policy
/// says; each escalation sets the clock anew and tells the escalation routes.
#[test]
fn gates_time_out_as_their_policy_says() {
    let timed = |on_timeout| {
        move |policy: &mut Policy| {
            (policy.timeout_secs, policy.on_timeout) = (Some(60), on_timeout);
            policy.quorum = 2;
            policy.request = vec![Route::Mqtt { topic: "request".into() }];
            policy.escalation = vec![Route::Mqtt { topic: "escalation".into() }];
        }
    };
    let told = |play: &Play| {
        let effects = outstanding(&play.sop, play.run()).into_iter();
        let mut told = effects.filter_map(|effect| match effect {
            Effect::Notify { escalations, routes, .. } => Some((escalations, routes)),
            _ => None,
        });
        told.next()
    };
    let route = |topic: &str| vec![Route::Mqtt { topic: topic.into() }];

    let mut play = at_gate('D', json!({}), timed(OnTimeout::Escalate));
    assert_eq!(told(&play), Some((0, route("request"))));
    play.give(1, "anna", &yes(1)).unwrap();
    assert_eq!(play.give(59, "clock", &Input::Wake), Err(Refusal::TooEarly { at: at(60) }));
    play.give(61, "clock", &Input::Wake).unwrap();
    assert_eq!(told(&play), Some((1, route("escalation"))));
    assert_eq!((play.stands().as_str(), play.run().wake_at()), ("1 approval 1", Some(at(121))));
    play.give(121, "clock", &Input::Wake).unwrap();
    assert_eq!(told(&play), Some((2, route("escalation"))));
    // The yes that was said before still counts.
    assert_eq!(play.all(&[(122, "ben", yes(1))]).stands(), "1 person");

    let play = at_gate('D', json!({}), timed(OnTimeout::Cancel)).all(&[(60, "clock", Input::Wake)]);
    assert_eq!(play.stands(), "cancelled at 1: nobody decided gate 1 in time");
    play.verify();
    let play = at_gate('D', json!({}), timed(OnTimeout::AutoApprove));
    let play = play.all(&[(60, "clock", Input::Wake)]);
    assert_eq!(play.stands(), "1 person");
    play.verify();
    // Without a time-out a gate waits for ever.
    assert_eq!(at_gate('D', json!({}), |_| {}).run().wake_at(), None);
}

/// G8: what an approver is shown is named by a digest that differs with the run, the definition, the gate,
/// the step and the rendered arguments; the entry of the decision carries it.
#[test]
fn an_approval_names_what_was_shown() {
    let sop = sop_of(&[('N', json!({ "with": { "a": "{{ event.a }}" } }))]);
    let shown = |play: &Play| play.run().gate(1).map(|(_, gate)| gate.shown).unwrap();
    let mut play = Play::start_with(sop.clone(), Some("{\"a\":1}"), false);
    let mut all =
        vec![shown(&play), shown(&Play::start_with(sop.clone(), Some("{\"a\":2}"), false))];
    let mut other = sop.clone();
    other.description.push('!');
    all.push(shown(&Play::start_with(other, Some("{\"a\":1}"), false)));
    let id =
        sop_core::id::RunId::derive(&Default::default(), &sop.name, &super::event_id(1), at(0));
    let identity = sop_core::engine::Identity { id, ..identity(&sop) };
    all.push(shown(&Play::start_as(sop, identity, Some("{\"a\":1}"), false)));
    let distinct: std::collections::BTreeSet<String> =
        all.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), all.len());
    let comment = Some("c".repeat(2_000));
    let yes = Input::Decide { gate: 1, decision: Decision::Approve { comment } };
    let Fact::Approved { shown, comment, .. } = play.give(1, "anna", &yes).unwrap() else {
        panic!()
    };
    assert_eq!((shown, comment.unwrap().len()), (all[0], 1_000));
}
