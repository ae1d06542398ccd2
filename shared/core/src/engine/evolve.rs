//! What a run is after a fact. Replaying the facts of a journal gives the state it recorded.

use crate::definition::{Definition, OnFailure, OnTimeout, StepKind};
use crate::engine::ask::Asked;
use crate::engine::fact::Fact;
use crate::engine::state::{
    End, Heard, How, Identity, Live, Origin, Past, Phase, Place, Run, Stand, Stored,
};
use crate::time::Timestamp;

mod begin;
mod timing;
mod way;

pub(super) use begin::child_event;
pub use begin::gated;

/// A run on its way from one state to the next.
pub(super) struct Move<'m, 'a> {
    pub(super) sop: &'m Definition,
    pub(super) run: Run,
    /// The entry that records the move.
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    /// No slot is free: what would need one waits for it.
    pub(super) queued: bool,
    /// Who the input came from.
    pub(super) by: &'m str,
    pub(super) asked: &'m mut Asked<'a>,
    /// Where the run goes on is being worked out; whether it has to be once more.
    pub(super) going: Option<bool>,
}

/// The run that `identity` names, before it has begun.
pub fn unborn(sop: &Definition, identity: Identity) -> Run {
    let deadline = sop.timeout_secs.map(|secs| timing::after(identity.started_at, secs));
    let step = identity.origin.as_ref().map_or(1, |Origin { from, .. }| *from);
    let since = identity.started_at;
    Run {
        identity,
        gates: 0,
        refusals: 0,
        deadline,
        worker: None,
        orphans: Vec::new(),
        heard: Vec::new(),
        past: Vec::new(),
        live: Vec::new(),
        phase: Phase::Held { since, step },
    }
}

impl Move<'_, '_> {
    /// The run after `fact`.
    pub(super) fn apply(mut self, fact: &Fact) -> Run {
        match fact {
            Fact::Started { reused, .. } => {
                self.run.past.clone_from(reused);
                self.begin_run();
            }
            Fact::Admitted => self.admitted(),
            Fact::Voted { gate, .. } => self.voted(*gate),
            Fact::Approved { gate, .. } => self.approved(*gate),
            Fact::Amended { gate, output, .. } => self.amended(*gate, output.as_ref()),
            Fact::Revised { gate, step, .. } => self.revised(*gate, *step),
            Fact::Denied { gate, reason } => self.denied(*gate, reason),
            Fact::Refused { .. } => self.run.refusals += 1,
            Fact::GateTimedOut { gate, action } => self.gate_timed_out(*gate, *action),
            Fact::StepCompleted { step, output, .. } => {
                let worker = self.worker(*step);
                if worker.is_some() {
                    self.run.worker.clone_from(&worker);
                }
                self.end_step(*step, How::Done, output.is_some());
                if let Some(past) = self.run.past.last_mut() {
                    past.worker = worker;
                }
                self.go_on();
            }
            Fact::EventCame { step, event, output, .. } => {
                self.end_step(*step, How::Done, output.is_some());
                self.run.heard.push(Heard { step: *step, event: event.clone() });
                self.go_on();
            }
            Fact::StepFailed { step, reason, .. } => self.failed(*step, reason),
            Fact::OutcomeUnknown { step, .. } => self.stand(*step, Stand::Unknown),
            Fact::Woke { step } => self.woke(*step),
            Fact::Paused => self.paused(),
            Fact::Resumed => self.resumed(),
            Fact::Retried { step } => self.retried(*step),
            Fact::Cancelled { reason } => {
                self.finish(self.run.step(), End::Cancelled { reason: reason.clone() });
            }
            Fact::TimedOut => {
                let secs = self.sop.timeout_secs.unwrap_or_default();
                let reason = format!("timed out: the run took longer than {secs} s");
                self.finish(self.run.step(), End::Failed { reason });
            }
        }
        self.run
    }

    /// The run begins, unless another one of its SOP is under way.
    fn begin_run(&mut self) {
        let Phase::Held { step, .. } = self.run.phase else { return };
        if self.queued && self.sop.holds_whole_runs() {
            self.run.phase = Phase::Held { since: self.at, step };
            return;
        }
        self.run.phase = Phase::Open;
        self.enter(step);
    }

    /// A slot is free: what waited for it begins.
    fn admitted(&mut self) {
        if matches!(self.run.phase, Phase::Held { .. }) {
            return self.begin_run();
        }
        let waiting: Vec<u32> = self
            .run
            .live
            .iter()
            .filter(|live| matches!(live.stand, Stand::Slot))
            .map(|live| live.step)
            .collect();
        for step in waiting {
            self.perform(step);
        }
    }

    /// Who does `step`, when it is a person.
    fn worker(&self, step: u32) -> Option<String> {
        let by_hand = self.run.live(step).is_some_and(|live| match live.stand {
            Stand::Person { .. } | Stand::Unknown => true,
            Stand::Slot
            | Stand::Approval(_)
            | Stand::Performer { .. }
            | Stand::Timer { .. }
            | Stand::Retry { .. }
            | Stand::Event { .. }
            | Stand::Child { .. } => false,
        });
        by_hand.then(|| self.by.to_owned())
    }

    fn completed(&mut self, step: u32, has_output: bool) {
        self.end_step(step, How::Done, has_output);
        self.go_on();
    }

    fn woke(&mut self, step: u32) {
        match self.run.live(step).map(|live| &live.stand) {
            Some(Stand::Timer { .. }) => self.completed(step, false),
            Some(Stand::Retry { .. }) => {
                if let Some(live) = self.live_mut(step) {
                    live.attempt += 1;
                }
                self.begin(step);
            }
            Some(
                Stand::Slot
                | Stand::Approval(_)
                | Stand::Person { .. }
                | Stand::Performer { .. }
                | Stand::Event { .. }
                | Stand::Child { .. }
                | Stand::Unknown,
            )
            | None => {}
        }
    }

    /// A try of `step` failed: there is another one, or its failure is dealt with as it says.
    fn failed(&mut self, number: u32, reason: &str) {
        let Some(step) = self.sop.step(number) else { return };
        let at = self.at;
        let id = self.run.identity.id.clone();
        let Some(live) = self.live_mut(number) else { return };
        live.failures += 1;
        let given_up = match &live.stand {
            Stand::Child { run, until } if until.is_some_and(|until| until <= at) => {
                Some(run.clone())
            }
            Stand::Child { .. }
            | Stand::Slot
            | Stand::Approval(_)
            | Stand::Person { .. }
            | Stand::Performer { .. }
            | Stand::Timer { .. }
            | Stand::Retry { .. }
            | Stand::Event { .. }
            | Stand::Unknown => None,
        };
        let (attempt, failures) = (live.attempt, live.failures);
        self.run.orphans.extend(given_up);
        if let OnFailure::Retry { max } = step.on_failure
            && failures <= max
        {
            let until = timing::next_try(&id, step, attempt, failures, at);
            return self.stand(number, Stand::Retry { until });
        }
        self.failed_for_good(number, How::Failed, reason);
    }

    /// No more tries: the run ends, or goes on as the step says.
    pub(super) fn failed_for_good(&mut self, number: u32, how: How, reason: &str) {
        let on_failure = self.sop.step(number).map(|step| step.on_failure).unwrap_or_default();
        match on_failure {
            OnFailure::Goto { .. } | OnFailure::Continue => {
                self.end_step(number, how, false);
                self.go_on();
            }
            OnFailure::Fail | OnFailure::Retry { .. } => {
                self.end_step(number, how, false);
                let end = match how {
                    How::Denied => End::Cancelled { reason: format!("denied: {reason}") },
                    How::Done | How::Failed | How::Skipped | How::Stopped => {
                        End::Failed { reason: format!("step {number} failed: {reason}") }
                    }
                };
                self.finish(number, end);
            }
        }
    }

    fn voted(&mut self, gate: u32) {
        let by = self.by.to_owned();
        if let Some(open) = self.gate_mut(gate) {
            open.votes.push(by);
        }
    }

    fn approved(&mut self, gate: u32) {
        let Some(step) = self.run.gate(gate).map(|(live, _)| live.step) else { return };
        self.pass(step);
    }

    /// The gate of `step` is passed.
    fn pass(&mut self, step: u32) {
        match self.sop.step(step).map(|step| step.kind) {
            Some(StepKind::Checkpoint) => self.completed(step, false),
            Some(StepKind::Execute | StepKind::Capability) | None => self.begin(step),
        }
    }

    /// The arguments, or what a checkpoint hands on, are others now. Where more than one must say yes, they
    /// say it to the new ones.
    fn amended(&mut self, gate: u32, output: Option<&Stored>) {
        let Some(number) = self.run.gate(gate).map(|(live, _)| live.step) else { return };
        let Some(step) = self.sop.step(number) else { return };
        if output.is_none() {
            self.asked.amended(step);
        }
        let seq = self.seq;
        if let Some(live) = self.live_mut(number) {
            match output {
                Some(_) => live.amended = Some(seq),
                None => live.args = Some(seq),
            }
        }
        if self.sop.policy(step).quorum <= 1 {
            return self.pass(number);
        }
        let by = self.by.to_owned();
        self.open_gate(number, output);
        if let Some(open) = self.gate_mut(self.run.gates) {
            open.votes.push(by);
        }
    }

    /// The step that made the draft is done again; the gate comes again after it.
    fn revised(&mut self, gate: u32, draft: u32) {
        let Some(shown) = self.run.gate(gate).map(|(live, _)| live.step) else { return };
        self.leave(shown);
        let Some(past) = self.run.past(draft).cloned() else { return };
        self.run.past.retain(|past| past.step != draft);
        let live = Live {
            step: draft,
            attempt: past.tries + 1,
            since: self.at,
            visits: past.visits,
            failures: 0,
            revisions: past.revisions + 1,
            args: None,
            guidance: Some(self.seq),
            amended: None,
            stand: Stand::Slot,
        };
        self.put(live);
        if !self.render(draft) {
            return;
        }
        // Who let it be done once did not let it be done again, otherwise.
        match self.sop.step(draft) {
            Some(step) if gated(self.sop, step) => self.open_gate(draft, None),
            Some(_) | None => self.begin(draft),
        }
    }

    /// Step `number` goes back to before it was come to; its tries, if it had any, stay counted.
    fn leave(&mut self, number: u32) {
        let Some(at) = self.run.live.iter().position(|live| live.step == number) else { return };
        let live = self.run.live.remove(at);
        if live.attempt > 1 && self.run.past(number).is_none() {
            let past = Past {
                step: number,
                how: How::Stopped,
                value: Some(Place::own(0)),
                visits: live.visits,
                tries: live.attempt - 1,
                revisions: live.revisions,
                worker: None,
            };
            // First: what the steps before it gave is still what is handed on.
            self.run.past.insert(0, past);
        }
    }

    fn denied(&mut self, gate: u32, reason: &str) {
        if let Some(step) = self.run.gate(gate).map(|(live, _)| live.step) {
            self.failed_for_good(step, How::Denied, reason);
        }
    }

    fn gate_timed_out(&mut self, gate: u32, action: OnTimeout) {
        match action {
            OnTimeout::AutoApprove => self.approved(gate),
            OnTimeout::Cancel => {
                let step = self.run.gate(gate).map_or(0, |(live, _)| live.step);
                let reason = format!("nobody decided gate {gate} in time");
                self.finish(step, End::Cancelled { reason });
            }
            OnTimeout::Escalate => {
                let Some((live, _)) = self.run.gate(gate) else { return };
                let Some(step) = self.sop.step(live.step) else { return };
                let secs = self.sop.policy(step).timeout_secs;
                let until = secs.map(|secs| timing::after(self.at, secs));
                if let Some(open) = self.gate_mut(gate) {
                    open.escalations += 1;
                    open.until = until;
                }
            }
        }
    }

    /// What waits for a slot leaves the queue; time-outs of people stand still.
    fn paused(&mut self) {
        let held = match self.run.phase {
            Phase::Held { step, .. } => Some(step),
            Phase::Open | Phase::Paused { .. } | Phase::Finished { .. } => None,
        };
        self.run.phase = Phase::Paused { since: self.at, held };
    }

    fn resumed(&mut self) {
        let Phase::Paused { since, held } = self.run.phase else { return };
        let paused_ms = self.at.millis_since(since).max(0);
        let later = |until: &mut Option<Timestamp>| {
            *until = until.map(|until| until.plus_millis(paused_ms));
        };
        later(&mut self.run.deadline);
        for live in &mut self.run.live {
            match &mut live.stand {
                Stand::Approval(gate) => later(&mut gate.until),
                Stand::Person { until } | Stand::Event { until, .. } => later(until),
                Stand::Slot
                | Stand::Performer { .. }
                | Stand::Timer { .. }
                | Stand::Retry { .. }
                | Stand::Child { .. }
                | Stand::Unknown => {}
            }
        }
        if let Some(step) = held {
            self.run.phase = Phase::Held { since: self.at, step };
            return self.begin_run();
        }
        self.run.phase = Phase::Open;
        // What came to its end meanwhile is followed up, what waited for a slot asks for it again.
        self.go_on();
        self.admitted();
    }

    fn retried(&mut self, step: u32) {
        self.run.phase = Phase::Held { since: self.at, step };
        self.run.deadline = self.sop.timeout_secs.map(|secs| timing::after(self.at, secs));
        self.begin_run();
    }

    /// Step `number` is no longer under way.
    fn end_step(&mut self, number: u32, how: How, has_output: bool) {
        let Some(at) = self.run.live.iter().position(|live| live.step == number) else { return };
        let live = self.run.live.remove(at);
        let value = match live.amended.filter(|_| how == How::Done) {
            _ if has_output => Some(Place::own(self.seq)),
            Some(seq) => Some(Place::own(seq)),
            None => self.handed_on(),
        };
        self.note(Past {
            step: number,
            how,
            value,
            visits: live.visits,
            tries: live.attempt,
            revisions: live.revisions,
            worker: None,
        });
    }

    /// What a step that gives nothing gives.
    pub(super) fn handed_on(&self) -> Option<Place> {
        if self.sop.is_graph() { None } else { self.run.value() }
    }

    /// Makes `past` the latest end of its step.
    pub(super) fn note(&mut self, past: Past) {
        self.run.past.retain(|other| other.step != past.step);
        self.run.past.push(past);
    }

    /// The run is over.
    pub(super) fn finish(&mut self, step: u32, end: End) {
        for live in std::mem::take(&mut self.run.live) {
            if let Stand::Child { run, .. } = &live.stand {
                self.run.orphans.push(run.clone());
            }
            let value = self.handed_on();
            let how = How::Stopped;
            let Live { step, visits, attempt: tries, revisions, .. } = live;
            self.note(Past { step, how, value, visits, tries, revisions, worker: None });
        }
        self.run.phase = Phase::Finished { step, end, at: self.at };
    }
}
