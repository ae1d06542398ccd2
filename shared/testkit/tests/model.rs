//! The admission and append protocol, model-checked: every order in which three processes can take the steps
//! of three runs of an SOP that runs one at a time, with processes that die between any two steps and messages
//! that come twice.
//!
//! A process is a list of steps, each of which touches what is shared once, as a flow does with its ports. What
//! a step decides is not modelled: it is asked of the engine ([`Rules::of`]), so that the model moves as the
//! engine does. What the flows add (read the counter, append under a condition, send, project, look at the
//! queue) is written down here step by step, after `shared/runtime/src/flow/{start,advance,act}.rs`.
//!
//! Safety holds in every state; liveness is that from every state one is reachable in which each run has come
//! to its end: whatever went wrong, nothing is stranded.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use sop_core::Timestamp;
use sop_core::definition::{Definition, SourceFiles, Workspace, parse};
use sop_core::engine::{
    Beginning, Cause, Decided, Effect, Given, Head, Identity, Input, Refusal, Run, SlotChange,
    Status, Transition, Values, Verdict, decide, outstanding, start,
};
use sop_core::event::Source;
use sop_core::id::{Digest, EventId, InputId, RunId, Tenant};

const RUNS: usize = 3;
const WORKERS: usize = 3;
/// Runs that may be running at once.
const MAX: u8 = 1;
/// Processes that die.
const DEATHS: u8 = 1;
/// Messages of the same text that are sent to a queue at once; redelivery adds to them.
const SAME: usize = 1;
/// Messages that come twice although nobody died.
const TWICE: u8 = 0;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Phase {
    None,
    Queued,
    Performing,
    Done,
}

/// A message of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Message {
    Event(u8),
    Admit(u8),
    Perform(u8),
    Outcome(u8),
    /// The sweep, or a process that found another's work undone, has the run looked at.
    Look(u8),
}

/// What a process does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Step {
    /// Reads the counter, for a start.
    Counter,
    /// Appends the first entry.
    Start { queued: bool },
    /// Reads the newest entry.
    Load,
    /// Appends an entry after the one read.
    Append { seq: u8 },
    /// Reads the head: was the entry acted on?
    Behind { seq: u8, phase: Phase },
    /// Sends what the entry asks for.
    Send { seq: u8, phase: Phase, look: bool },
    /// Writes the head.
    Project { seq: u8, phase: Phase, look: bool },
    /// Reads the head of a run that was asked in vain.
    InVain { seq: u8 },
    /// Reads the counter, to see whether a slot is free.
    Free { not: bool },
    /// Asks one of the runs that the queue's index shows.
    Ask { not: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Worker {
    message: Message,
    step: Step,
}

/// All that is shared, and where each process is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct State {
    /// Newest entry of each run: its seq and what it left.
    runs: [(u8, Phase); RUNS],
    /// Head of each run: the entry it was made from and what that left.
    heads: [Option<(u8, Phase)>; RUNS],
    active: u8,
    waiting: u8,
    messages: Vec<Message>,
    workers: Vec<Worker>,
    deaths: u8,
    twice: u8,
}

/// One transition as the engine decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rule {
    to: Phase,
    active: i8,
    waiting: i8,
    /// Whether the append is refused when all slots are taken.
    bound: bool,
}

/// What the engine decides for the SOP of the model.
#[derive(Debug)]
struct Rules {
    start: Rule,
    start_queued: Rule,
    admit: Rule,
    finish: Rule,
    /// Whether what each phase leaves asks for an effect.
    performs: fn(Phase) -> bool,
}

fn definition() -> Definition {
    let files = SourceFiles {
        directory: "sops/narrow".into(),
        toml: format!(
            "[sop]\nname = \"narrow\"\ndescription = \"d\"\nversion = \"1\"\n\
             execution_mode = \"auto\"\nmax_concurrent = {MAX}\n[[triggers]]\ntype = \"manual\"\n"
        ),
        markdown: Some("# S\n\n## Steps\n\n1. **Do** — it.\n   - capability: noop\n".into()),
    };
    parse(&files, &Workspace::default()).definition.expect("it is right")
}

fn given<'v>(id: &str, now: Timestamp, queued: bool, values: &'v Values) -> Given<'v> {
    let input = InputId::parse(id).expect("visible ASCII");
    Given { cause: Cause { input, by: "model".into() }, now, queued, values }
}

fn moves(decided: Decided) -> Transition {
    match decided {
        Decided::Moves(transition) => *transition,
        other @ (Decided::Refused(_) | Decided::Needs(_)) => panic!("{other:?}"),
    }
}

impl Rules {
    /// Asks the engine about each pair that the model meets.
    fn of(sop: &Definition) -> Self {
        let now = Timestamp::from_millis(1_772_352_000_000);
        let values = Values::default();
        let begin =
            |queued| moves(start(sop, beginning(sop, now), given("start", now, queued, &values)));
        let on = |at: &Transition, input: &Input, queued| {
            let newest = (at.entry.seq, at.entry.seal().hash);
            let given = given("input", now, queued, &values);
            decide(sop, &at.entry.after, newest, input, given)
        };
        let (running, queued) = (begin(false), begin(true));
        let admitted = moves(on(&queued, &Input::Admit, false));
        let verdict = Verdict::Completed { output: None };
        let outcome = Input::Outcome { step: 1, attempt: 1, verdict, ran: None };
        let done = moves(on(&running, &outcome, false));
        // What the model takes for refused is refused.
        for at in [&running, &admitted, &done] {
            assert!(matches!(on(at, &Input::Admit, false), Decided::Refused(_)));
        }
        let early = on(&running, &Input::Wake, false);
        assert!(matches!(early, Decided::Refused(Refusal::TooEarly { .. })));
        assert!(matches!(on(&queued, &outcome, false), Decided::Refused(_)));
        assert!(matches!(on(&queued, &Input::Wake, false), Decided::Refused(Refusal::NotSleeping)));
        for (at, phase) in [
            (&running, Phase::Performing),
            (&queued, Phase::Queued),
            (&admitted, Phase::Performing),
            (&done, Phase::Done),
        ] {
            assert_eq!(phase_of(&at.entry.after), phase);
            let effects = outstanding(sop, &at.entry.after);
            let performs = effects.iter().any(|effect| matches!(effect, Effect::Perform { .. }));
            assert_eq!(performs, performs_in(phase), "{phase:?}");
            let head = Head::of(sop, &at.entry.after, at.entry.seq, now);
            assert_eq!(head.queue.is_some(), phase == Phase::Queued);
            assert_eq!(head.due.is_some(), phase == Phase::Performing);
        }
        Self {
            start: rule(&running),
            start_queued: rule(&queued),
            admit: rule(&admitted),
            finish: rule(&done),
            performs: performs_in,
        }
    }
}

fn performs_in(phase: Phase) -> bool {
    phase == Phase::Performing
}

fn beginning(sop: &Definition, now: Timestamp) -> Beginning {
    let event = EventId::derived(now, &["model"]);
    let tenant = Tenant::default();
    let identity = Identity {
        id: RunId::derive(&tenant, &sop.name, &event, now),
        tenant,
        sop: sop.name.clone(),
        version: sop.version.clone(),
        definition: Digest::of(b"model"),
        event,
        source: Source::Manual,
        subject: "narrow".into(),
        actor: None,
        started_at: now,
        trace: None,
        parent: None,
        origin: None,
        follows: None,
    };
    Beginning { identity, payload: None, reused: Vec::new() }
}

fn phase_of(run: &Run) -> Phase {
    match Status::of(run) {
        Status::Queued => Phase::Queued,
        Status::Running => Phase::Performing,
        Status::Completed => Phase::Done,
        other @ (Status::Waiting | Status::Paused | Status::Failed | Status::Cancelled) => {
            panic!("the SOP never is {other}")
        }
    }
}

fn rule(transition: &Transition) -> Rule {
    let to = phase_of(&transition.entry.after);
    let Some(slot) = &transition.slot else {
        return Rule { to, active: 0, waiting: 0, bound: false };
    };
    let SlotChange { active, waiting, active_max, .. } = slot;
    let small = |n: &i32| i8::try_from(*n).expect("-1, 0 or 1");
    if let Some(max) = active_max {
        assert_eq!(*max, u32::from(MAX));
    }
    Rule { to, active: small(active), waiting: small(waiting), bound: active_max.is_some() }
}

impl State {
    fn first() -> Self {
        Self {
            runs: [(0, Phase::None); RUNS],
            heads: [None; RUNS],
            active: 0,
            waiting: 0,
            messages: (0..RUNS).map(|run| Message::Event(run as u8)).collect(),
            workers: Vec::new(),
            deaths: DEATHS,
            twice: TWICE,
        }
    }

    fn is_settled(&self) -> bool {
        self.runs.iter().all(|(_, phase)| *phase == Phase::Done)
    }

    /// The append of `rule` to `run`, after `seq` when it has entries; `None` when all slots are taken.
    fn append(&mut self, run: usize, seq: u8, rule: Rule) -> Option<(u8, Phase)> {
        if rule.bound && self.active >= MAX {
            return None;
        }
        self.active = self.active.checked_add_signed(rule.active).expect("not below zero");
        self.waiting = self.waiting.checked_add_signed(rule.waiting).expect("not below zero");
        self.runs[run] = (seq, rule.to);
        Some((seq, rule.to))
    }

    /// Puts a message on a queue, unless one of the same text is there: what a second could do, a redelivery of
    /// the first does too, and without a bound two processes that ask each other's runs in vain would make the
    /// space endless.
    fn send(&mut self, message: Message) {
        if self.messages.iter().filter(|other| **other == message).count() < SAME {
            self.messages.push(message);
        }
    }

    /// What must hold now, whatever happens next.
    fn check(&self) {
        let count = |phase| self.runs.iter().filter(|run| run.1 == phase).count();
        assert_eq!(usize::from(self.active), count(Phase::Performing), "a slot leaked: {self:?}");
        assert_eq!(usize::from(self.waiting), count(Phase::Queued), "the count is off: {self:?}");
        assert!(self.active <= MAX, "too many at once: {self:?}");
        for run in 0..RUNS {
            let event = Message::Event(run as u8);
            let is_known = self.messages.contains(&event)
                || self.workers.iter().any(|worker| worker.message == event);
            assert!(is_known || self.runs[run].1 != Phase::None, "an event is lost: {self:?}");
        }
    }

    /// Tells states apart, as far as 128 bits do.
    fn fingerprint(&self) -> u128 {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, self).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        half(0) << 64 | half(1)
    }

    /// The same state with the runs named in the least order, and unordered things in order.
    fn canonical(self) -> Self {
        const ORDERS: [[u8; RUNS]; 6] =
            [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        ORDERS.iter().map(|order| self.renamed(order)).min().expect("there are orders")
    }

    fn renamed(&self, to: &[u8; RUNS]) -> Self {
        let mut renamed = self.clone();
        for (run, name) in to.iter().enumerate() {
            renamed.runs[usize::from(*name)] = self.runs[run];
            renamed.heads[usize::from(*name)] = self.heads[run];
        }
        let message = |message: Message| match message {
            Message::Event(run) => Message::Event(to[usize::from(run)]),
            Message::Admit(run) => Message::Admit(to[usize::from(run)]),
            Message::Perform(run) => Message::Perform(to[usize::from(run)]),
            Message::Outcome(run) => Message::Outcome(to[usize::from(run)]),
            Message::Look(run) => Message::Look(to[usize::from(run)]),
        };
        renamed.messages = self.messages.iter().copied().map(message).collect();
        renamed.messages.sort_unstable();
        for worker in &mut renamed.workers {
            worker.message = message(worker.message);
        }
        renamed.workers.sort_unstable();
        renamed
    }

    /// Every state that can come next.
    fn next(&self, rules: &Rules) -> Vec<Self> {
        let mut next = Vec::new();
        for at in 0..self.messages.len() {
            if at > 0 && self.messages[at] == self.messages[at - 1] {
                continue;
            }
            if self.workers.len() < WORKERS {
                let mut state = self.clone();
                let message = state.messages.remove(at);
                let step = first_step(message);
                state.workers.push(Worker { message, step });
                next.push(state);
            }
            if self.twice > 0 {
                let mut state = self.clone();
                state.messages.push(self.messages[at]);
                state.twice -= 1;
                next.push(state);
            }
        }
        for at in 0..self.workers.len() {
            let mut without = self.clone();
            let worker = without.workers.remove(at);
            if self.deaths > 0 {
                let mut state = without.clone();
                state.messages.push(worker.message);
                state.deaths -= 1;
                next.push(state);
            }
            without.step(worker, rules, &mut next);
        }
        if self.messages.is_empty() && self.workers.is_empty() && !self.is_settled() {
            next.push(self.swept());
        }
        next
    }

    /// The minute's tick, which comes when nothing else moves: asks what the index shows as queued, has
    /// looked at what it shows as due.
    fn swept(&self) -> Self {
        let mut state = self.clone();
        for (run, head) in self.heads.iter().enumerate() {
            match head {
                Some((_, Phase::Queued)) if self.waiting > 0 => {
                    state.send(Message::Admit(run as u8));
                }
                Some((_, Phase::Performing)) => state.send(Message::Look(run as u8)),
                Some((_, Phase::Queued | Phase::Done | Phase::None)) | None => {}
            }
        }
        state
    }

    /// Whether the head of `run` is older than its entry `seq`.
    fn is_behind(&self, run: usize, seq: u8) -> bool {
        self.heads[run].is_none_or(|(head, _)| head < seq)
    }

    /// The state after each run that the queue's index shows, but for `not`, was asked.
    fn asks(&self, not: Option<usize>) -> impl Iterator<Item = Self> {
        let shown = |run: &usize| matches!(self.heads[*run], Some((_, Phase::Queued)));
        (0..RUNS).filter(shown).filter(move |run| Some(*run) != not).map(|run| {
            let mut asked = self.clone();
            asked.send(Message::Admit(run as u8));
            asked
        })
    }

    /// Appends the first entry of `run`; what its process does next, if anything.
    fn begin(&mut self, run: usize, queued: bool, rules: &Rules) -> Option<Step> {
        let rule = if queued { rules.start_queued } else { rules.start };
        match (self.runs[run], self.append_first(run, rule)) {
            (_, Some((seq, phase))) => {
                Some(Step::Send { seq, phase, look: phase == Phase::Queued })
            }
            ((_, Phase::None), None) => Some(Step::Start { queued: true }),
            // The event came before: its run is healed, if nobody has moved it since.
            ((0, phase), None) => Some(Step::Behind { seq: 0, phase }),
            (_, None) => None,
        }
    }

    fn append_first(&mut self, run: usize, rule: Rule) -> Option<(u8, Phase)> {
        if self.runs[run].1 == Phase::None { self.append(run, 0, rule) } else { None }
    }

    /// `worker`, which is not among the workers, takes its next step.
    fn step(self, worker: Worker, rules: &Rules, next: &mut Vec<Self>) {
        let run = run_of(worker.message);
        let mut state = self;
        let goes_on = |mut state: Self, step: Step| {
            state.workers.push(Worker { step, ..worker });
            state
        };
        let (newest, phase) = state.runs[run];
        match worker.step {
            Step::Counter => {
                let queued = state.active >= MAX || state.waiting > 0;
                next.push(goes_on(state, Step::Start { queued }));
            }
            Step::Start { queued } => {
                let to = state.begin(run, queued, rules);
                next.push(match to {
                    Some(step) => goes_on(state, step),
                    None => state,
                });
            }
            Step::Load => {
                let step = match (worker.message, phase) {
                    (Message::Admit(_), Phase::Queued)
                    | (Message::Outcome(_), Phase::Performing) => Step::Append { seq: newest },
                    (Message::Admit(_), _) => Step::InVain { seq: newest },
                    // Of the outcome that ended the run, again: it is seen to that it was acted on.
                    (Message::Outcome(_), Phase::Done) | (Message::Look(_), _) => {
                        Step::Behind { seq: newest, phase }
                    }
                    (Message::Perform(_), Phase::Performing) => {
                        state.send(Message::Outcome(run as u8));
                        return next.push(state);
                    }
                    (Message::Outcome(_) | Message::Perform(_), _) => return next.push(state),
                    (Message::Event(_), _) => unreachable!("an event is not loaded"),
                };
                next.push(goes_on(state, step));
            }
            Step::Append { seq } if seq != newest => next.push(goes_on(state, Step::Load)),
            Step::Append { seq } => {
                let is_admit = matches!(worker.message, Message::Admit(_));
                let rule = if is_admit { rules.admit } else { rules.finish };
                match state.append(run, seq + 1, rule) {
                    Some((seq, phase)) => {
                        let look = rule.active < 0;
                        next.push(goes_on(state, Step::Send { seq, phase, look }));
                    }
                    None => next.push(state),
                }
            }
            Step::Behind { seq, phase } => {
                let step = if state.is_behind(run, seq) {
                    Step::Send { seq, phase, look: true }
                } else {
                    Step::Free { not: false }
                };
                next.push(goes_on(state, step));
            }
            Step::Send { seq, phase, look } => {
                if (rules.performs)(phase) {
                    state.send(Message::Perform(run as u8));
                }
                next.push(goes_on(state, Step::Project { seq, phase, look }));
            }
            Step::Project { seq, phase, look } => {
                if state.is_behind(run, seq) {
                    state.heads[run] = Some((seq, phase));
                }
                next.push(if look { goes_on(state, Step::Free { not: false }) } else { state });
            }
            Step::InVain { seq } => {
                if state.is_behind(run, seq) {
                    state.send(Message::Look(run as u8));
                }
                next.push(goes_on(state, Step::Free { not: true }));
            }
            Step::Free { not } => {
                let has_room = state.waiting > 0 && state.active < MAX;
                next.push(if has_room { goes_on(state, Step::Ask { not }) } else { state });
            }
            Step::Ask { not } => {
                let before = next.len();
                next.extend(state.asks(not.then_some(run)));
                if next.len() == before {
                    next.push(state);
                }
            }
        }
    }
}

fn run_of(message: Message) -> usize {
    match message {
        Message::Event(run)
        | Message::Admit(run)
        | Message::Perform(run)
        | Message::Outcome(run)
        | Message::Look(run) => usize::from(run),
    }
}

fn first_step(message: Message) -> Step {
    match message {
        Message::Event(_) => Step::Counter,
        Message::Admit(_) | Message::Perform(_) | Message::Outcome(_) | Message::Look(_) => {
            Step::Load
        }
    }
}

/// How many of `count` states lead to one of `goals`; each edge is where it leads and where from.
fn reaching(edges: &mut [(u32, u32)], goals: &[u32], count: usize) -> usize {
    edges.sort_unstable();
    let mut reaches = vec![false; count];
    let mut back = goals.to_vec();
    let mut found = 0;
    while let Some(id) = back.pop() {
        if std::mem::replace(&mut reaches[id as usize], true) {
            continue;
        }
        found += 1;
        let from = edges.partition_point(|edge| edge.0 < id);
        back.extend(edges[from..].iter().take_while(|edge| edge.0 == id).map(|edge| edge.1));
    }
    found
}

/// No event is lost, none starts twice, no slot leaks, and from every state each run can still settle.
#[test]
fn the_whole_state_space_is_safe_and_settles() {
    let rules = Rules::of(&definition());
    let first = State::first().canonical();
    let mut known: HashMap<u128, u32> = HashMap::from([(first.fingerprint(), 0)]);
    let mut edges: Vec<(u32, u32)> = Vec::new();
    let mut settled: Vec<u32> = Vec::new();
    let mut left: Vec<(u32, State)> = vec![(0, first)];
    while let Some((id, state)) = left.pop() {
        state.check();
        if state.is_settled() {
            settled.push(id);
        }
        for next in state.next(&rules) {
            let next = next.canonical();
            let count = u32::try_from(known.len()).expect("few enough to number");
            let to = *known.entry(next.fingerprint()).or_insert(count);
            edges.push((to, id));
            if to == count {
                left.push((to, next));
            }
        }
    }
    let stranded = known.len() - reaching(&mut edges, &settled, known.len());
    println!(
        "{} states, {} transitions, {} states settled: {RUNS} runs, {WORKERS} processes, {DEATHS} \
         deaths, {TWICE} messages twice",
        known.len(),
        edges.len(),
        settled.len(),
    );
    assert_eq!(stranded, 0, "from so many states some run could never settle");
    assert!(known.len() > 10_000, "the model has shrunk: {} states", known.len());
}
