//! Which steps and branches of an SOP its stories have come to.

use std::collections::BTreeSet;

use sop_core::definition::{Definition, OnFailure, Step};
use sop_core::engine::{Answer, Fact, How, Run, Stand, gated};
use sop_core::id::SopName;
use sop_core::journal::Entry;

/// One of the ways that a step can go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Branch {
    /// The step.
    pub step: u32,
    /// The way, in words.
    pub way: String,
}

/// What stories have come to of one SOP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The SOP.
    pub sop: SopName,
    /// Its steps: how many.
    pub steps: u32,
    /// The steps that runs have come to.
    pub reached: BTreeSet<u32>,
    /// Its branches, in the order of its steps.
    pub branches: Vec<Branch>,
    /// Those that runs have taken.
    pub taken: BTreeSet<Branch>,
}

impl Coverage {
    /// Nothing yet of `sop`.
    pub fn of(sop: &Definition) -> Self {
        let branch = |step: &Step, way: String| Branch { step: step.number, way };
        let ways = |step| ways(sop, step).into_iter().map(move |way| branch(step, way));
        Self {
            sop: sop.name.clone(),
            steps: u32::try_from(sop.steps.len()).unwrap_or(u32::MAX),
            reached: BTreeSet::new(),
            branches: sop.steps.iter().flat_map(ways).collect(),
            taken: BTreeSet::new(),
        }
    }

    /// Adds what `other`, of the same SOP, has come to.
    pub fn add(&mut self, other: &Self) {
        self.reached.extend(&other.reached);
        self.taken.extend(other.taken.iter().cloned());
    }

    /// The steps that no run has come to.
    pub fn missing_steps(&self) -> Vec<u32> {
        (1..=self.steps).filter(|step| !self.reached.contains(step)).collect()
    }

    /// The branches that no run has taken.
    pub fn missing_branches(&self) -> Vec<&Branch> {
        self.branches.iter().filter(|branch| !self.taken.contains(branch)).collect()
    }

    /// Notes what `entry`, after which the run that was `before` is another, has come to.
    pub(super) fn note(&mut self, sop: &Definition, before: Option<&Run>, entry: &Entry) {
        self.reached.extend(entry.after.live.iter().map(|live| live.step));
        for answer in &entry.asked {
            match answer {
                Answer::If { step, held } => self.take(*step, if_way(*held)),
                Answer::When { step, held } => self.take(*step, when_way(*held)),
                Answer::Switch { step, case } => self.take(*step, &case_way(*case)),
                Answer::Rendered { .. } | Answer::Unrenderable { .. } => {}
            }
        }
        let gated = |gate: u32| before.and_then(|run| run.gate(gate)).map(|(live, _)| live.step);
        match &entry.fact {
            Fact::Approved { gate, .. } => self.take_of(gated(*gate), APPROVED),
            Fact::Amended { gate, .. } => self.take_of(gated(*gate), AMENDED),
            Fact::Denied { gate, .. } => self.take_of(gated(*gate), DENIED),
            Fact::GateTimedOut { gate, .. } => self.take_of(gated(*gate), TIMED_OUT),
            Fact::Started { .. }
            | Fact::Admitted
            | Fact::Voted { .. }
            | Fact::Revised { .. }
            | Fact::Refused { .. }
            | Fact::StepCompleted { .. }
            | Fact::StepFailed { .. }
            | Fact::OutcomeUnknown { .. }
            | Fact::Woke { .. }
            | Fact::EventCame { .. }
            | Fact::Paused
            | Fact::Resumed
            | Fact::Retried { .. }
            | Fact::Cancelled { .. }
            | Fact::TimedOut => {}
        }
        self.note_failures(sop, before, &entry.after);
    }

    fn note_failures(&mut self, sop: &Definition, before: Option<&Run>, after: &Run) {
        for live in &after.live {
            if matches!(live.stand, Stand::Retry { .. }) {
                self.take(live.step, TRIED_AGAIN);
            }
        }
        for past in &after.past {
            let is_new = before.and_then(|run| run.past(past.step)) != Some(past);
            if is_new && matches!(past.how, How::Failed | How::Denied) {
                let on_failure = sop.step(past.step).map(|step| step.on_failure);
                self.take_of(Some(past.step), on_failure.map_or("", failure_way));
            }
        }
    }

    fn take_of(&mut self, step: Option<u32>, way: &str) {
        if let Some(step) = step {
            self.take(step, way);
        }
    }

    fn take(&mut self, step: u32, way: &str) {
        let branch = Branch { step, way: way.to_owned() };
        if self.branches.contains(&branch) {
            self.taken.insert(branch);
        }
    }
}

const APPROVED: &str = "approved";
const DENIED: &str = "denied";
const AMENDED: &str = "amended";
const TIMED_OUT: &str = "nobody decides in time";
const TRIED_AGAIN: &str = "tried again";

const fn if_way(held: bool) -> &'static str {
    if held { "if holds" } else { "if does not hold" }
}

const fn when_way(held: bool) -> &'static str {
    if held { "when holds" } else { "when does not hold" }
}

fn case_way(case: Option<u32>) -> String {
    match case {
        Some(case) => format!("case {} of switch", case + 1),
        None => "no case of switch".to_owned(),
    }
}

const fn failure_way(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::Fail => "",
        OnFailure::Retry { .. } => "fails for good",
        OnFailure::Goto { .. } => "fails, and goes to another step",
        OnFailure::Continue => "fails, and goes on",
    }
}

/// The ways that `step` can go.
fn ways(sop: &Definition, step: &Step) -> Vec<String> {
    let mut ways = Vec::new();
    let mut add = |words: &[&str]| ways.extend(words.iter().map(|way| (*way).to_owned()));
    if step.only_if.is_some() {
        add(&[if_way(true), if_way(false)]);
    }
    if gated(sop, step) {
        add(&[APPROVED, DENIED]);
        if step.edit.is_some() {
            add(&[AMENDED]);
        }
        if sop.policy(step).timeout_secs.is_some() {
            add(&[TIMED_OUT]);
        }
    }
    match step.on_failure {
        OnFailure::Fail => {}
        OnFailure::Retry { .. } => add(&[TRIED_AGAIN, failure_way(step.on_failure)]),
        OnFailure::Goto { .. } | OnFailure::Continue => add(&[failure_way(step.on_failure)]),
    }
    if step.when.is_some() {
        add(&[when_way(true), when_way(false)]);
    }
    let cases = u32::try_from(step.switch.len()).unwrap_or(u32::MAX);
    ways.extend((0..cases).map(|case| case_way(Some(case))));
    let has_else = step.switch.iter().any(|case| case.condition.is_none());
    if cases > 0 && !has_else {
        ways.push(case_way(None));
    }
    ways
}
