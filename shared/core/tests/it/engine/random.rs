//! Any definition, any inputs: what always holds.
//!
//! `SOPWITH_CASES` sets how many cases each property is tried with.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use sop_core::definition::{AdmissionPolicy, Definition, ExecutionMode, OnTimeout, Priority};
use sop_core::engine::{
    Effect, EffectKey, Fact, Head, Input, Phase, Run, SlotChange, Stand, Verdict,
    newly_outstanding, outstanding,
};
use sop_core::journal::{Sealed, verify};

use super::{
    Play, amend, cancel, done, failed, gave, no, outcome, policy, report, revise, sop_of, yes,
};

/// How many cases each property is tried with: what takes less than a minute in all, or `SOPWITH_CASES`.
pub(super) fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("SOPWITH_CASES").ok().and_then(|text| text.parse().ok());
    let cases = cases.unwrap_or(default);
    ProptestConfig { cases, max_global_rejects: cases.max(1_024), ..ProptestConfig::default() }
}

type Bits = (u8, u8, u16, u16, u8, u8);

const CONDITIONS: [&str; 6] = [
    "$.event.a == true",
    "$.event.a != true",
    "$.steps.1.state == \"done\"",
    "$.steps.2.output.a > 1",
    "exists($.steps.3.output)",
    "$.run.source == \"webhook\"",
];

/// A step of an SOP of `count` steps, made of chance.
fn step(number: usize, count: usize, is_graph: bool, bits: Bits) -> (char, Value) {
    let (letter, flow, more, time, to, on) = bits;
    let letter = b"dddcnnnnwesDCNWES"[usize::from(letter) % 17] as char;
    let target = |bits: u8| usize::from(bits) % count + 1;
    let condition = |bits: u8| CONDITIONS[usize::from(bits) % CONDITIONS.len()];
    let mut keys = json!({});
    if flow & 3 == 0 {
        keys["if"] = json!(condition(to));
    }
    if is_graph {
        // Of any order: a step depends on steps whose key is less, and the keys are a shuffle.
        let key = |number: usize| (number * 5) % 7;
        let before: Vec<usize> = (1..=count)
            .filter(|other| key(*other) < key(number) && on >> (other % 8) & 1 == 1)
            .collect();
        keys["depends_on"] = json!(before);
    } else {
        match flow >> 2 & 7 {
            0 => keys["next"] = json!(target(to)),
            1 => {
                keys["switch"] = json!([
                    { "condition": condition(to), "next": target(on) }, { "next": target(to) },
                ])
            }
            2 => keys["switch"] = json!([{ "condition": condition(to), "next": target(on) }]),
            3 => keys["terminal"] = json!(true),
            _ => {}
        }
        if flow >> 5 & 1 == 0 {
            keys["when"] = json!(condition(on));
        }
    }
    match more & 7 {
        0 => keys["on_failure"] = json!({ "then": "continue" }),
        1 | 2 => keys["on_failure"] = json!({ "then": "retry", "max": more >> 3 & 3 }),
        3 if !is_graph => keys["on_failure"] = json!({ "then": "goto", "step": target(on) }),
        _ => {}
    }
    if more >> 5 & 3 == 0 {
        keys["backoff"] = json!({ "initial_ms": time, "max_ms": 100_000 });
    }
    if more >> 7 & 1 == 0 {
        keys["policy"] = json!(if more >> 8 & 1 == 0 { "ops" } else { "many" });
    }
    if more >> 9 & 1 == 0 {
        keys["edit"] = json!("a");
    }
    if letter.eq_ignore_ascii_case(&'n') {
        keys["with"] = match more >> 10 & 3 {
            0 => json!({ "a": 1 }),
            1 => json!({ "a": "{{ event.a }}", "b": "{{ steps.1.output | default(0) }}" }),
            2 => json!({ "a": "{{ steps.2.output.a }} {{ secret(\"s\") }}" }),
            _ => Value::Null,
        };
    }
    if letter.eq_ignore_ascii_case(&'w') && more >> 10 & 1 == 1 {
        keys["with"] = json!({ "seconds": "{{ event.secs }}" });
    }
    if more >> 12 & 1 == 0 {
        keys["delivery"] = json!("at_most_once");
    }
    if more >> 13 & 1 == 0 {
        keys["timeout_secs"] = json!(time % 500 + 1);
    }
    (letter, keys)
}

pub(super) fn definitions() -> impl Strategy<Value = Definition> {
    let modes = prop_oneof![
        3 => Just(ExecutionMode::Auto),
        1 => Just(ExecutionMode::Supervised),
        1 => Just(ExecutionMode::StepByStep),
        1 => Just(ExecutionMode::PriorityBased),
    ];
    let steps = vec(any::<Bits>(), 0..6);
    (modes, steps, any::<[u8; 6]>()).prop_map(|(mode, bits, more)| {
        let is_graph = more[0] & 1 == 0;
        let count = bits.len();
        let steps: Vec<(char, Value)> =
            (1..).zip(bits).map(|(number, bits)| step(number, count, is_graph, bits)).collect();
        let maybe = |bits: u8, most: u32| (bits & 1 == 0).then(|| u32::from(bits >> 1) % most + 1);
        let timed = |bits: u8| (bits & 1 == 0).then(|| u64::from(bits) * 3 + 1);
        let policies = [AdmissionPolicy::Queue, AdmissionPolicy::Hold, AdmissionPolicy::Coalesce];
        let mut sop = sop_of(&steps);
        sop.execution_mode = mode;
        sop.priority = if more[0] & 2 == 0 { Priority::Low } else { Priority::Critical };
        sop.admission_policy = policies[usize::from(more[1]) % 3];
        sop.max_concurrent = maybe(more[2], 3);
        sop.max_concurrent_total = maybe(more[3], 3);
        sop.max_pending_approvals = maybe(more[4], 3);
        sop.cooldown_secs = u64::from(more[5] & 1);
        sop.timeout_secs = timed(more[5] >> 1);
        let mut many = policy();
        many.quorum = 2;
        many.no_self_approval = true;
        many.timeout_secs = timed(more[1] >> 2);
        many.on_timeout = [OnTimeout::Escalate, OnTimeout::Cancel, OnTimeout::AutoApprove]
            [usize::from(more[2] >> 3) % 3];
        sop.policies.insert("many".into(), many);
        sop
    })
}

/// An input, made of chance and of where the run stands: kind, two choices, milliseconds that pass (also
/// backwards), and whether no slot is free.
type Act = (u8, u8, u8, i32, bool);

const PEOPLE: [&str; 6] = ["anna", "ben", "carl", "eve", "executor", "clock"];

fn verdict(play: &mut Play, bits: u8) -> Verdict {
    match bits & 7 {
        0 | 1 => done(),
        2 | 3 => gave(&json!({ "a": bits })),
        4 => {
            let text = json!({ "a": bits, "long": "x".repeat(5_000) }).to_string();
            Verdict::Completed { output: Some(play.keep(&text)) }
        }
        5 => Verdict::Unknown { reason: "u".into() },
        _ => failed(),
    }
}

fn decision(gate: u32, bits: u8) -> Input {
    match bits & 15 {
        0 => no(gate),
        1..=3 => amend(gate, json!({ "b": bits })),
        4..=6 => revise(gate),
        _ => yes(gate),
    }
}

/// What the run waits for.
fn fitting(play: &mut Play, (a, b): (u8, u8), secs: &mut i64) -> Input {
    match play.run().phase {
        Phase::Held { .. } => return Input::Admit,
        Phase::Paused { .. } if b & 3 == 0 => return Input::Resume,
        Phase::Finished { .. } => return Input::Retry,
        Phase::Open | Phase::Paused { .. } => {}
    }
    let live = &play.run().live;
    let Some(live) = live.get(usize::from(a) % live.len().max(1)).cloned() else {
        return Input::Resume;
    };
    match live.stand {
        Stand::Slot => Input::Admit,
        Stand::Approval(gate) => decision(gate.gate, b),
        Stand::Person { .. } | Stand::Unknown => report(live.step, verdict(play, b)),
        Stand::Performer { .. } | Stand::Child { .. } => {
            outcome(live.step, live.attempt, verdict(play, b))
        }
        Stand::Event { .. } => {
            Input::Event { step: live.step, event: super::event_id(b), payload: None }
        }
        Stand::Timer { .. } | Stand::Retry { .. } => {
            if let Some(at) = play.run().wake_at() {
                *secs = (*secs).max(at.millis_since(super::EPOCH).div_euclid(1_000) + 1);
            }
            Input::Wake
        }
    }
}

fn input(play: &mut Play, act: Act, last: &Option<Input>, secs: &mut i64) -> Input {
    let (kind, a, b, ..) = act;
    let step = u32::from(a) % 6;
    match kind % 32 {
        0..=15 => fitting(play, (a, b), secs),
        16 | 17 => outcome(step, u32::from(b >> 4) % 4 + 1, verdict(play, b)),
        18 | 19 => report(step, verdict(play, b)),
        20 | 21 => decision(u32::from(a) % (play.run().gates + 2), b),
        22 => Input::Event { step, event: super::event_id(b & 3), payload: None },
        23 | 24 => Input::Wake,
        25 => Input::Pause,
        26 => Input::Resume,
        27 => Input::Admit,
        28 if b < 64 => cancel(),
        // Whatever came last comes again.
        _ => last.clone().unwrap_or(Input::Wake),
    }
}

/// What a reader of all entries knows besides.
#[derive(Default)]
struct Known {
    active: i32,
    waiting: i32,
    open: i32,
    pending: i32,
    /// Every try that was ever asked for.
    keys: BTreeSet<EffectKey>,
    /// Runs that were started: one for each try.
    children: BTreeSet<(u32, u32)>,
    votes: BTreeMap<u32, BTreeSet<String>>,
    /// Who did the last step by hand.
    worker: Option<String>,
}

impl Known {
    fn check(&mut self, sop: &Definition, before: Option<&Run>, play: &Play) {
        let run = play.run();
        self.check_state(sop, run);
        self.check_slot(sop, run, play.last.slot.as_ref());
        self.check_effects(sop, before, run);
        if let Some(before) = before {
            self.check_decision(sop, before, play);
            assert_eq!(run.identity, before.identity);
            assert!(run.gates >= before.gates);
            assert!(before.orphans.iter().all(|orphan| run.orphans.contains(orphan)));
        }
        let head = Head::of(sop, run, play.last.entry.seq, play.last.entry.at);
        assert_eq!(head.status.is_final(), run.is_finished());
    }

    #[expect(clippy::unused_self, reason = "one of four checks")]
    fn check_state(&self, sop: &Definition, run: &Run) {
        let mut numbers: Vec<u32> = run.live.iter().map(|live| live.step).collect();
        assert!(numbers.is_sorted() && numbers.iter().all(|number| sop.step(*number).is_some()));
        assert!(sop.is_graph() || numbers.len() <= 1);
        numbers.extend(run.past.iter().map(|past| past.step));
        let past: BTreeSet<u32> = run.past.iter().map(|past| past.step).collect();
        assert_eq!(past.len(), run.past.len(), "each step has one latest end");
        assert!(run.past.iter().all(|past| past.visits <= 256 && past.revisions <= 3));
        if run.is_finished() {
            assert!(run.live.is_empty() && run.wake_at().is_none());
        }
        // No run is stranded: whatever is not over waits for something that has a name.
        let waits = |stand: &Stand| match stand {
            Stand::Slot | Stand::Approval(_) | Stand::Person { .. } | Stand::Unknown => true,
            Stand::Event { .. } | Stand::Child { .. } => true,
            Stand::Performer { .. } | Stand::Timer { .. } | Stand::Retry { .. } => {
                run.is_paused() || run.wake_at().is_some()
            }
        };
        match run.phase {
            Phase::Open => {
                assert!(!run.live.is_empty() && run.live.iter().all(|it| waits(&it.stand)))
            }
            Phase::Held { .. } => assert!(sop.holds_whole_runs() && run.live.is_empty()),
            Phase::Paused { held, .. } => assert!(held.is_none() || run.live.is_empty()),
            Phase::Finished { .. } => {}
        }
    }

    /// The counters are what the state says, and a change is refused as full where it has to be.
    fn check_slot(&mut self, sop: &Definition, run: &Run, slot: Option<&SlotChange>) {
        if let Some(slot) = slot {
            for delta in [slot.active, slot.waiting, slot.open, slot.pending] {
                assert!((-1..=1).contains(&delta));
            }
            self.active += slot.active;
            self.waiting += slot.waiting;
            self.open += slot.open;
            self.pending += slot.pending;
            assert_eq!(slot.active_max, sop.max_concurrent.filter(|_| slot.active == 1));
            assert_eq!(slot.open_max.is_some(), slot.open == 1);
            assert_eq!(slot.total_max, sop.max_concurrent_total.filter(|_| slot.active != 0));
        }
        let any = |test: fn(&Stand) -> bool| run.live.iter().any(|live| test(&live.stand));
        let is_limited = sop.max_concurrent.is_some() || sop.max_concurrent_total.is_some();
        let is_single = sop.admission_policy.is_one_at_a_time();
        let is_bounded = sop.max_pending_approvals.is_some();
        let waits = match run.phase {
            Phase::Held { .. } => true,
            Phase::Open => any(|stand| matches!(stand, Stand::Slot)),
            Phase::Paused { .. } | Phase::Finished { .. } => false,
        };
        let is_open = matches!(run.phase, Phase::Open | Phase::Paused { held: None, .. });
        let active = any(|stand| matches!(stand, Stand::Performer { .. }));
        let pending = any(|stand| matches!(stand, Stand::Approval(_)));
        let counted = |counts: bool, yes: bool| i32::from(counts && yes);
        assert_eq!(self.active, counted(is_limited, active));
        assert_eq!(self.waiting, counted(is_limited || is_single || is_bounded, waits));
        assert_eq!(self.open, counted(is_single, is_open));
        assert_eq!(self.pending, counted(is_bounded, pending));
    }

    fn check_effects(&mut self, sop: &Definition, before: Option<&Run>, run: &Run) {
        let known = before.map(|before| outstanding(sop, before)).unwrap_or_default();
        let all = outstanding(sop, run);
        let new = newly_outstanding(&known, &all);
        assert!(all.iter().all(|effect| known.contains(effect) || new.contains(effect)));
        assert!(new.iter().all(|effect| all.contains(effect)));
        for effect in new {
            match effect {
                Effect::Perform { key, .. } => {
                    assert!(self.keys.insert(key.clone()), "{key} stands for two things to do");
                }
                Effect::StartChild { parent, .. } => {
                    let is_new = self.children.insert((parent.step, parent.attempt));
                    assert!(is_new, "{parent:?} starts two runs");
                }
                Effect::TellParent { .. }
                | Effect::CancelChild { .. }
                | Effect::Notify { .. }
                | Effect::Wake { .. }
                | Effect::AdmitNext { .. } => {}
            }
        }
        let asked = all.iter().any(|effect| matches!(effect, Effect::Perform { .. }));
        let performs = run.live.iter().any(|it| matches!(it.stand, Stand::Performer { .. }));
        assert_eq!(asked, performs, "whatever a built-in does is asked for");
    }

    /// Every gate is decided by somebody entitled to, and passed by as many as it takes.
    fn check_decision(&mut self, sop: &Definition, before: &Run, play: &Play) {
        let (fact, by) = (&play.last.entry.fact, &play.last.entry.by);
        if let Fact::StepCompleted { step, .. } = fact {
            let live = before.live(*step).expect("it was under way");
            if matches!(live.stand, Stand::Person { .. } | Stand::Unknown) {
                self.worker = Some(by.clone());
            }
        }
        let (gate, is_yes) = match fact {
            Fact::Voted { gate, .. } | Fact::Approved { gate, .. } | Fact::Amended { gate, .. } => {
                (*gate, true)
            }
            Fact::Denied { gate, .. } | Fact::Revised { gate, .. } => (*gate, false),
            _ => return,
        };
        let (live, _) = before.gate(gate).expect("it was open");
        let policy = sop.policy(sop.step(live.step).expect("it is a step"));
        assert!(policy.group.is_none() || policy.members.contains(by), "{by} is no member");
        if !is_yes {
            return;
        }
        if policy.no_self_approval && !sop.is_graph() {
            assert_ne!(Some(by), self.worker.as_ref(), "{by} approves their own");
        }
        let votes = self.votes.entry(gate).or_default();
        let is_first = votes.insert(by.clone());
        assert!(is_first || matches!(fact, Fact::Amended { .. }), "one vote each");
        let count = u32::try_from(votes.len()).expect("few vote");
        match fact {
            Fact::Voted { .. } => assert!(count < policy.quorum),
            Fact::Approved { .. } => assert!(count >= policy.quorum),
            // It is the first yes to what it makes.
            _ if policy.quorum > 1 => {
                let again = play.run().gates;
                assert!(again > gate && play.run().gate(again).is_some());
                self.votes.insert(again, [by.clone()].into());
            }
            _ => {}
        }
    }
}

type Played = (Vec<Sealed>, Definition);

fn play(sop: Definition, queued: bool, payload: u8, acts: &[Act]) -> Played {
    let payload = match payload % 3 {
        0 => None,
        1 => Some("{\"a\":true,\"secs\":7}"),
        _ => Some("{\"a\":1,\"secs\":-1}"),
    };
    let has_queue = sop.has_queue();
    let mut play = Play::start_with(sop, payload, queued && has_queue);
    let sop = play.sop.clone();
    let mut known = Known::default();
    known.check(&sop, None, &play);
    let (mut secs, mut last) = (0_i64, None);
    for act in acts {
        secs += i64::from(act.3);
        let input = input(&mut play, *act, &last, &mut secs);
        let by = match &input {
            Input::Wake => "clock",
            Input::Outcome { .. } => "executor",
            _ => PEOPLE[usize::from(act.2 >> 4) % 4],
        };
        let before = play.run().clone();
        let answer = play.give_at(secs, by, &input, act.4 && has_queue);
        match answer {
            Ok(_) => known.check(&sop, Some(&before), &play),
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
        last = Some(input);
    }
    (play.sealed, sop)
}

fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let secs = prop_oneof![6 => 0..20_i32, 1 => -500..0_i32, 1 => 100..900_i32];
    vec((any::<u8>(), any::<u8>(), any::<u8>(), secs, prop::bool::weighted(0.2)), 0..most)
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// J5, J6, L2, T5, X6: whatever comes, in whatever order and however often, by whatever clock: the ledger
    /// verifies, no run is stranded, each key stands for one thing to do, the counters are what the states
    /// say, and every gate was decided by somebody entitled.
    #[test]
    fn whatever_comes_the_invariants_hold(
        sop in definitions(),
        queued in any::<bool>(),
        payload in any::<u8>(),
        acts in acts(60),
    ) {
        let (sealed, sop) = play(sop, queued, payload, &acts);
        let verified = verify(&sealed, &sop).unwrap();
        prop_assert_eq!(verified.entries, sealed.len() as u64);
        prop_assert_eq!(verified.head, sealed.last().unwrap().hash);
        for cut in [1, sealed.len() / 2].into_iter().filter(|cut| *cut > 0) {
            // Taking entries off the end leaves a ledger that holds: only who noted the head down
            // earlier can tell.
            prop_assert!(verify(&sealed[..cut], &sop).is_ok());
        }
    }
}

proptest! {
    #![proptest_config(cases(300))]

    /// J4: a changed byte, a missing, doubled or moved entry does not verify.
    #[test]
    fn tampering_is_found(
        sop in definitions(),
        acts in acts(24),
        place in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        to in 0x20..0x7f_u8,
    ) {
        let (sealed, sop) = play(sop, false, 1, &acts);
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
