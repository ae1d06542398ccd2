//! A second reading of the language, written to be plain: it walks a procedure and asks chance how each try
//! goes. The engine, driven by the same chance, has to come by the same steps.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use sop_core::definition::{Definition, StepKind};
use sop_core::engine::{Answer, Fact, Input, Run, Stand};

use super::random::cases;
use super::{Play, done, failed, no, outcome, report, sop_of, yes};

/// What a step asks of the way so far.
#[derive(Debug, Clone, Copy)]
enum Asks {
    /// A field of the event.
    Field(bool),
    /// How a step has come to its end.
    State(u32, Word),
    /// The contrary.
    NotState(u32, Word),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Done,
    Failed,
    Skipped,
    Denied,
}

impl Word {
    /// As conditions see it.
    fn text(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed | Self::Denied => "failed",
            Self::Skipped => "skipped",
        }
    }
}

type Ends = BTreeMap<u32, Word>;

impl Asks {
    fn text(self) -> String {
        match self {
            Self::Field(yes) => format!("$.event.{} == true", if yes { "yes" } else { "no" }),
            Self::State(step, word) => format!("$.steps.{step}.state == \"{}\"", word.text()),
            Self::NotState(step, word) => format!("!($.steps.{step}.state == \"{}\")", word.text()),
        }
    }

    fn holds(self, ends: &Ends) -> bool {
        let is =
            |step: u32, word: Word| ends.get(&step).is_some_and(|end| end.text() == word.text());
        match self {
            Self::Field(yes) => yes,
            Self::State(step, word) => is(step, word),
            // What is not known holds neither way.
            Self::NotState(step, word) => ends.contains_key(&step) && !is(step, word),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Fails {
    Run,
    On,
    To(u32),
    Again(u32),
}

#[derive(Debug, Clone)]
struct Rule {
    letter: char,
    only_if: Option<Asks>,
    when: Option<Asks>,
    switch: Vec<(Option<Asks>, u32)>,
    next: Option<u32>,
    terminal: bool,
    after: Vec<u32>,
    fails: Fails,
}

impl Rule {
    fn is_gated(&self) -> bool {
        self.letter.is_ascii_uppercase() || self.letter == 'c'
    }

    fn keys(&self) -> (char, Value) {
        let mut keys = json!({});
        if let Some(asks) = self.only_if {
            keys["if"] = json!(asks.text());
        }
        if let Some(asks) = self.when {
            keys["when"] = json!(asks.text());
        }
        if !self.switch.is_empty() {
            let cases = self.switch.iter().map(|(asks, next)| match asks {
                Some(asks) => json!({ "condition": asks.text(), "next": next }),
                None => json!({ "next": next }),
            });
            keys["switch"] = cases.collect();
        }
        if let Some(next) = self.next {
            keys["next"] = json!(next);
        }
        keys["terminal"] = json!(self.terminal);
        keys["depends_on"] = json!(self.after);
        match self.fails {
            Fails::Run => {}
            Fails::On => keys["on_failure"] = json!({ "then": "continue" }),
            Fails::To(step) => keys["on_failure"] = json!({ "then": "goto", "step": step }),
            Fails::Again(max) => keys["on_failure"] = json!({ "then": "retry", "max": max }),
        }
        (self.letter, keys)
    }
}

fn definition_of(rules: &[Rule]) -> Definition {
    sop_of(&rules.iter().map(Rule::keys).collect::<Vec<_>>())
}

/// How the `n`th thing that is asked about a step goes.
#[derive(Debug, Clone, Copy)]
struct Chance(u64);

impl Chance {
    fn of(self, what: u64, step: u32, n: u32) -> u64 {
        let mut x = self.0 ^ what << 48 ^ u64::from(step) << 24 ^ u64::from(n);
        for _ in 0..3 {
            x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x ^= x >> 27;
        }
        x
    }

    fn goes_well(self, step: u32, attempt: u32) -> bool {
        !self.of(1, step, attempt).is_multiple_of(3)
    }

    fn is_denied(self, step: u32, visit: u32) -> bool {
        self.of(2, step, visit).is_multiple_of(5)
    }
}

/// The way through a procedure: each end of a step, in order, and the end of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Way {
    ends: Vec<(u32, Word)>,
    end: String,
}

/// Walks a sequence.
fn sequence(rules: &[Rule], chance: Chance) -> Way {
    let mut way = Way::default();
    let (mut latest, mut tries, mut visits) = (Ends::new(), BTreeMap::new(), BTreeMap::new());
    let mut at = 1_u32;
    way.end = loop {
        let Some(rule) = rules.get(at as usize - 1) else { break "completed".into() };
        let visit = visits.entry(at).or_insert(0);
        *visit += 1;
        if *visit > 256 {
            break "failed".into();
        }
        if rule.only_if.is_some_and(|asks| !asks.holds(&latest)) {
            way.ends.push((at, Word::Skipped));
            latest.insert(at, Word::Skipped);
            at += 1;
            continue;
        }
        let tries: &mut u32 = tries.entry(at).or_insert(0);
        *tries += 1;
        let word = if rule.is_gated() && chance.is_denied(at, *visit) {
            Word::Denied
        } else if rule.letter.eq_ignore_ascii_case(&'c') {
            Word::Done
        } else {
            let more = if let Fails::Again(max) = rule.fails { max } else { 0 };
            let last = *tries + more;
            loop {
                if chance.goes_well(at, *tries) {
                    break Word::Done;
                }
                if *tries == last {
                    break Word::Failed;
                }
                *tries += 1;
            }
        };
        way.ends.push((at, word));
        latest.insert(at, word);
        at = match (word, rule.fails) {
            (Word::Done, _) if rule.when.is_none_or(|asks| asks.holds(&latest)) => {
                let case =
                    rule.switch.iter().find(|(asks, _)| asks.is_none_or(|it| it.holds(&latest)));
                match case.map(|(_, next)| *next).or(rule.next) {
                    Some(next) => next,
                    None if rule.terminal => break "completed".into(),
                    None => at + 1,
                }
            }
            (Word::Done, _) | (_, Fails::On) => at + 1,
            (_, Fails::To(step)) => step,
            (Word::Denied, _) => break "cancelled".into(),
            (_, _) => break "failed".into(),
        };
    };
    way
}

/// What a step of a graph is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Gate,
    Work(u32),
    Wait(u32),
}

/// Walks a graph; the `n`th thing that happens happens to the step that chance picks among those under way.
fn graph(rules: &[Rule], chance: Chance) -> Way {
    let mut way = Way::default();
    let (mut ends, mut doing) = (Ends::new(), BTreeMap::<u32, Doing>::new());
    let is_settled = |ends: &Ends, number: u32| match ends.get(&number) {
        Some(Word::Done | Word::Skipped) => true,
        Some(Word::Failed | Word::Denied) => {
            matches!(rules[number as usize - 1].fails, Fails::On)
        }
        None => false,
    };
    for round in 0.. {
        // All that can begin begins.
        while let Some((number, rule)) = (1_u32..).zip(rules).find(|(number, rule)| {
            !ends.contains_key(number)
                && !doing.contains_key(number)
                && rule.after.iter().all(|after| is_settled(&ends, *after))
        }) {
            if rule.only_if.is_some_and(|asks| !asks.holds(&ends)) {
                ends.insert(number, Word::Skipped);
                way.ends.push((number, Word::Skipped));
            } else {
                doing.insert(number, if rule.is_gated() { Doing::Gate } else { Doing::Work(1) });
            }
        }
        if doing.is_empty() {
            way.end = "completed".into();
            break;
        }
        let pick = picked(chance, round, doing.len());
        let (&number, &what) = doing.iter().nth(pick).expect("it is one of them");
        let rule = &rules[number as usize - 1];
        let most = if let Fails::Again(max) = rule.fails { max + 1 } else { 1 };
        let is_checkpoint = rule.letter.eq_ignore_ascii_case(&'c');
        let word = match what {
            Doing::Gate if chance.is_denied(number, 1) => Word::Denied,
            Doing::Gate if is_checkpoint => Word::Done,
            Doing::Gate => {
                doing.insert(number, Doing::Work(1));
                continue;
            }
            Doing::Wait(tries) => {
                doing.insert(number, Doing::Work(tries + 1));
                continue;
            }
            Doing::Work(tries) if chance.goes_well(number, tries) => Word::Done,
            Doing::Work(tries) if tries < most => {
                doing.insert(number, Doing::Wait(tries));
                continue;
            }
            Doing::Work(_) => Word::Failed,
        };
        doing.remove(&number);
        ends.insert(number, word);
        way.ends.push((number, word));
        if !is_settled(&ends, number) {
            way.end = if word == Word::Denied { "cancelled" } else { "failed" }.into();
            break;
        }
    }
    way
}

fn picked(chance: Chance, round: u32, count: usize) -> usize {
    usize::try_from(chance.of(3, 0, round) % count as u64).expect("less than the count")
}

/// Drives the engine by the same chance, and reads off its ledger how steps came to their ends.
fn driven(rules: &[Rule], chance: Chance) -> Way {
    let payload = "{\"yes\":true,\"no\":false}";
    let mut play = Play::start_with(definition_of(rules), Some(payload), false);
    let mut way = Way::default();
    note(&mut way, None, &play);
    let mut secs = 0_i64;
    for round in 0..200_000_u32 {
        if play.run().is_finished() {
            break;
        }
        let pick = picked(chance, round, play.run().live.len());
        let live = play.run().live[pick].clone();
        let (step, attempt) = (live.step, live.attempt);
        let verdict = || if chance.goes_well(step, attempt) { done() } else { failed() };
        let input = match &live.stand {
            Stand::Approval(gate) if chance.is_denied(step, live.visits) => no(gate.gate),
            Stand::Approval(gate) => yes(gate.gate),
            Stand::Person { .. } => report(step, verdict()),
            Stand::Performer { .. } => outcome(step, attempt, verdict()),
            Stand::Retry { until } => {
                // Only this one is looked at: the others' time is not up, or theirs comes first.
                secs = secs.max(until.millis_since(super::EPOCH) / 1_000 + 1);
                Input::Wake
            }
            other => panic!("{other:?}"),
        };
        let before = play.run().clone();
        play.give(secs, "anna", &input).unwrap();
        note(&mut way, Some(&before), &play);
    }
    play.verify();
    let end = play.stands();
    way.end = end.split(' ').next().unwrap_or_default().to_owned();
    way
}

/// Adds the ends that the newest entry tells of: what its fact ended, then what was passed over.
fn note(way: &mut Way, before: Option<&Run>, play: &Play) {
    let entry = &play.last.entry;
    let step_of = |gate: u32| before.and_then(|run| run.gate(gate)).map(|(live, _)| live.step);
    let ended = match &entry.fact {
        Fact::StepCompleted { step, .. } => Some((*step, Word::Done)),
        Fact::StepFailed { step, attempt, .. } => {
            let is_tried_again = play.run().live(*step).is_some_and(|it| it.attempt == *attempt);
            (!is_tried_again).then_some((*step, Word::Failed))
        }
        Fact::Approved { gate, .. } => step_of(*gate)
            .filter(|step| play.sop.step(*step).is_some_and(|it| it.kind == StepKind::Checkpoint))
            .map(|step| (step, Word::Done)),
        Fact::Denied { gate, .. } => step_of(*gate).map(|step| (step, Word::Denied)),
        _ => None,
    };
    way.ends.extend(ended);
    way.ends.extend(entry.asked.iter().filter_map(|answer| match answer {
        Answer::If { step, held: false } => Some((*step, Word::Skipped)),
        _ => None,
    }));
}

fn asks(steps: u32) -> impl Strategy<Value = Asks> {
    let word = prop_oneof![Just(Word::Done), Just(Word::Failed), Just(Word::Skipped)];
    prop_oneof![
        any::<bool>().prop_map(Asks::Field),
        (1..=steps, word.clone()).prop_map(|(step, word)| Asks::State(step, word)),
        (1..=steps, word).prop_map(|(step, word)| Asks::NotState(step, word)),
    ]
}

fn maybe<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::weighted(0.35, strategy)
}

fn rule(number: u32, steps: u32, is_graph: bool) -> BoxedStrategy<Rule> {
    let letters = prop::sample::select(vec!['d', 'n', 'c', 'D', 'N', 'd', 'n']);
    let fails = prop_oneof![
        2 => Just(Fails::Run),
        2 => Just(Fails::On),
        1 => (1..4_u32).prop_map(Fails::Again),
        1 => (1..=steps).prop_map(move |step| if is_graph { Fails::On } else { Fails::To(step) }),
    ];
    let switch = vec((maybe(asks(steps)), 1..=steps), 0..3);
    let after = vec(1..=steps, 0..3);
    (
        letters,
        (maybe(asks(steps)), maybe(asks(steps)), switch),
        (maybe(1..=steps), prop::bool::weighted(0.15), after, fails),
    )
        .prop_map(move |(letter, (only_if, when, switch), (next, terminal, after, fails))| {
            // Which steps may come before which: a shuffle, so that dependencies go both ways in the text.
            let place = |number: u32| (number * 3 + 1) % 8;
            let mut after: Vec<u32> =
                after.into_iter().filter(|it| place(*it) < place(number)).collect();
            after.sort_unstable();
            after.dedup();
            // Retries that wait are looked at one at a time, so that both wake the same.
            let fails = match fails {
                Fails::Again(_) if is_graph => Fails::On,
                other => other,
            };
            let plain = Rule {
                letter,
                only_if,
                when: None,
                switch: Vec::new(),
                next: None,
                terminal: false,
                after: Vec::new(),
                fails,
            };
            if is_graph {
                Rule { after, ..plain }
            } else {
                Rule { when, switch, next, terminal, ..plain }
            }
        })
        .boxed()
}

fn rules(is_graph: bool) -> impl Strategy<Value = Vec<Rule>> {
    (1..8_u32).prop_flat_map(move |steps| {
        (1..=steps).map(|number| rule(number, steps, is_graph)).collect::<Vec<_>>()
    })
}

proptest! {
    #![proptest_config(cases(1_500))]

    /// F11: the engine goes the way through a sequence that a plain reading of the language goes.
    #[test]
    fn sequences_agree_with_a_plain_reading(rules in rules(false), seed in any::<u64>()) {
        let chance = Chance(seed);
        let plain = sequence(&rules, chance);
        // Loops are bounded by 256 visits: what long ones share with short ones is tried with those.
        prop_assume!(plain.ends.len() < 200);
        prop_assert_eq!(driven(&rules, chance), plain);
    }

    /// Y9: the engine goes the way through a graph that a plain reading of the language goes.
    #[test]
    fn graphs_agree_with_a_plain_reading(mut rules in rules(true), seed in any::<u64>()) {
        let is_graph = rules.iter().any(|rule| !rule.after.is_empty());
        if !is_graph {
            // Without any dependency it would be a sequence.
            let last = Rule { after: vec![1], only_if: None, ..rules[0].clone() };
            rules.push(last);
        }
        let chance = Chance(seed);
        prop_assert_eq!(driven(&rules, chance), graph(&rules, chance));
    }
}

/// F7: a loop that never ends ends alike in both readings.
#[test]
fn an_endless_loop_ends_alike() {
    let rule = Rule {
        letter: 'n',
        only_if: None,
        when: None,
        switch: vec![(None, 1)],
        next: None,
        terminal: false,
        after: Vec::new(),
        fails: Fails::To(1),
    };
    let plain = sequence(std::slice::from_ref(&rule), Chance(7));
    assert_eq!((plain.ends.len(), plain.end.as_str()), (256, "failed"));
    assert_eq!(driven(&[rule], Chance(7)), plain);
}
