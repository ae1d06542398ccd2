//! Any definition, any inputs: what always holds.

use proptest::collection::vec;
use proptest::prelude::*;
use sop_core::definition::{Definition, ExecutionMode, Priority};
use sop_core::engine::{Decision, Head, Input, State, Stored, Transition, Verdict, outstanding};
use sop_core::journal::{Sealed, verify};

use super::{apply, at, definition, started};

fn definitions() -> impl Strategy<Value = Definition> {
    let modes = prop_oneof![
        Just(ExecutionMode::Auto),
        Just(ExecutionMode::Supervised),
        Just(ExecutionMode::StepByStep),
        Just(ExecutionMode::PriorityBased),
    ];
    let priorities = prop_oneof![Just(Priority::Low), Just(Priority::Critical)];
    let limits = prop_oneof![Just(None), (1..4_u32).prop_map(Some)];
    ("[dcnwDCNW]{0,6}", modes, priorities, limits, 0..3_u64).prop_map(
        |(letters, mode, priority, max_concurrent, cooldown_secs)| Definition {
            execution_mode: mode,
            priority,
            max_concurrent,
            cooldown_secs,
            ..definition(&letters)
        },
    )
}

fn inputs() -> impl Strategy<Value = Input> {
    let verdicts = prop_oneof![
        Just(Verdict::Completed { output: None }),
        Just(Verdict::Completed { output: Some(Stored::of("{\"a\":1}")) }),
        Just(Verdict::Completed { output: Some(Stored::of(&"x".repeat(5_000))) }),
        Just(Verdict::Failed { reason: "r".into() }),
    ];
    let decisions = prop_oneof![
        4 => Just(Decision::Approve { comment: None }),
        1 => Just(Decision::Deny { reason: "r".into() }),
    ];
    let verdict = verdicts.clone();
    prop_oneof![
        2 => Just(Input::Admit),
        4 => (0..7_u32, 1..3_u32, verdict)
            .prop_map(|(step, attempt, verdict)| Input::Outcome { step, attempt, verdict }),
        4 => (0..7_u32, verdicts).prop_map(|(step, verdict)| Input::Report { step, verdict }),
        4 => (0..7_u32, decisions).prop_map(|(gate, decision)| Input::Decide { gate, decision }),
        1 => Just(Input::Cancel { reason: "r".into() }),
        3 => Just(Input::Wake),
    ]
}

/// An input that the run's state is waiting for, so that runs get somewhere.
fn fitting(state: &State) -> Input {
    let done = || Verdict::Completed { output: None };
    match state {
        State::Queued { .. } => Input::Admit,
        State::AwaitingApproval { gate, .. } => {
            Input::Decide { gate: *gate, decision: Decision::Approve { comment: None } }
        }
        State::AwaitingPerson { step, .. } => Input::Report { step: *step, verdict: done() },
        State::Performing { step, attempt, .. } => {
            Input::Outcome { step: *step, attempt: *attempt, verdict: done() }
        }
        State::Sleeping { .. } | State::Finished { .. } => Input::Wake,
    }
}

/// The slot counters as a store would keep them.
#[derive(Default)]
struct Slots {
    active: i32,
    waiting: i32,
}

fn check(sop: &Definition, before: Option<&Transition>, next: &Transition, slots: &mut Slots) {
    let run = &next.entry.after;
    // Steps settle in order, each once, and the run stands at the next one or at one that failed.
    let numbers: Vec<u32> = run.settled.iter().map(|settled| settled.0).collect();
    let in_order: Vec<u32> = (1..).take(numbers.len()).collect();
    assert_eq!(numbers, in_order);
    assert!(run.settled.iter().all(|settled| settled.2 <= next.entry.seq));
    assert!(run.step() as usize <= sop.steps.len());
    let open = u32::from(matches!(run.state, State::AwaitingApproval { .. }));
    assert!(open <= run.gates && run.gates as usize <= sop.steps.len());
    if let Some(before) = before {
        let run_before = &before.entry.after;
        assert!(!run_before.is_finished(), "what is over stays so");
        assert_eq!(run.identity, run_before.identity);
        assert!(run.gates == run_before.gates || run.gates == run_before.gates + 1);
        assert!(run.settled.starts_with(&run_before.settled));
        let head = |one: &Transition| Head::of(&one.entry.after, one.entry.seq, one.entry.at);
        assert!(head(next).differs(&head(before)), "each transition shows in the head");
    }
    // A run holds a slot exactly while a built-in works for it, and waits for one while it is queued.
    if let Some(slot) = &next.slot {
        slots.active += slot.active;
        slots.waiting += slot.waiting;
        assert_eq!(slot.active_max.is_some(), slot.active == 1);
    }
    let limited = i32::from(sop.max_concurrent.is_some());
    let is = |yes: bool| i32::from(yes) * limited;
    assert_eq!(slots.active, is(matches!(run.state, State::Performing { .. })));
    assert_eq!(slots.waiting, is(matches!(run.state, State::Queued { .. })));
    // Whatever is not over waits for something: an effect, a person, a slot or the time.
    let waits_for_people = matches!(
        run.state,
        State::AwaitingApproval { .. } | State::AwaitingPerson { .. } | State::Queued { .. }
    );
    let asks = !outstanding(sop, run).is_empty() && run.wake_at().is_some();
    assert!(run.is_finished() || waits_for_people || asks, "{:?}", run.state);
    assert!(!run.is_finished() || run.wake_at().is_none());
}

type Played = (Vec<Sealed>, Definition);

/// Plays inputs, with clock jumps, full slots, fitting inputs and repeats.
fn play(sop: Definition, queued: bool, script: &[(Option<Input>, i64, bool)]) -> Played {
    let mut slots = Slots::default();
    let mut last = started(&sop, queued);
    check(&sop, None, &last, &mut slots);
    let mut sealed = vec![last.entry.seal()];
    for (input, secs, full) in script {
        let input = input.clone().unwrap_or_else(|| fitting(&last.entry.after.state));
        let Ok(next) = apply(&sop, &last, &input, at(*secs), *full) else { continue };
        check(&sop, Some(&last), &next, &mut slots);
        sealed.push(next.entry.seal());
        last = next;
        // The same again changes nothing, or it is another fact about a run that moved on.
        if let Err(refusal) = apply(&sop, &last, &input, at(*secs), *full) {
            assert!(!refusal.to_string().is_empty());
        }
    }
    (sealed, sop)
}

fn played() -> impl Strategy<Value = Played> {
    let script = vec((proptest::option::of(inputs()), -100..1_000_i64, any::<bool>()), 0..24);
    (definitions(), any::<bool>(), script)
        .prop_map(|(sop, queued, script)| play(sop, queued, &script))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever comes, the invariants hold and the ledger verifies.
    #[test]
    fn ledgers_verify((sealed, sop) in played()) {
        let verified = verify(&sealed, &sop).unwrap();
        prop_assert_eq!(verified.entries, sealed.len() as u64);
        prop_assert_eq!(verified.head, sealed.last().unwrap().hash);
        for cut in 1..sealed.len() {
            // Taking entries off the end leaves a ledger that holds: only who noted the head down
            // earlier can tell.
            prop_assert!(verify(&sealed[..cut], &sop).is_ok());
        }
    }

    /// A changed byte, a missing, doubled or moved entry does not verify.
    #[test]
    fn tampering_is_found(
        (sealed, sop) in played(),
        place in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        to in 0x20..0x7f_u8,
    ) {
        let place = place.index(sealed.len());
        let mut changed = sealed.clone();
        let mut bytes = changed[place].body.clone().into_bytes();
        let byte = byte.index(bytes.len());
        let was = std::mem::replace(&mut bytes[byte], to);
        changed[place].body = String::from_utf8(bytes).unwrap();
        prop_assert_eq!(verify(&changed, &sop).is_err(), was != to);

        let mut longer = sealed.clone();
        longer.insert(place, sealed[place].clone());
        prop_assert!(verify(&longer, &sop).is_err());
        if place + 1 < sealed.len() {
            let mut shorter = sealed.clone();
            shorter.remove(place);
            prop_assert!(verify(&shorter, &sop).is_err());
            let mut swapped = sealed.clone();
            swapped.swap(place, place + 1);
            prop_assert!(verify(&swapped, &sop).is_err());
        }
        // Even with the hash made to fit, what comes after gives it away.
        if was != to && place + 1 < sealed.len() {
            changed[place].hash = sop_core::id::Digest::of(changed[place].body.as_bytes());
            prop_assert!(verify(&changed, &sop).is_err());
        }
        let mut other = sop.clone();
        other.description.push('!');
        prop_assert!(verify(&sealed, &other).is_err());
        prop_assert!(verify(&[], &sop).is_err());
    }
}
