//! The way from step to step.

use crate::definition::{OnFailure, Step};
use crate::engine::evolve::Move;
use crate::engine::state::{End, How, Live, Past, Phase, Stand};
use crate::limits::{ANSWERS_MAX, VISITS_MAX};

/// Where a sequence goes on.
enum Way {
    To(u32),
    Out,
}

impl Move<'_, '_> {
    /// The run begins at `step`, or at all that is ready when it is a graph.
    pub(super) fn enter(&mut self, step: u32) {
        if self.sop.is_graph() { self.begin_ready() } else { self.arrive(step) }
    }

    /// Something came to its end: what follows begins, unless the run is paused.
    pub(super) fn go_on(&mut self) {
        // A step that fails as soon as it is come to leads here again: in turn, not within each other.
        if self.going.is_some() {
            self.going = Some(true);
            return;
        }
        self.going = Some(true);
        while self.going == Some(true) {
            self.going = Some(false);
            self.go_on_once();
        }
        self.going = None;
    }

    fn go_on_once(&mut self) {
        if !matches!(self.run.phase, Phase::Open) {
            return;
        }
        if self.sop.is_graph() {
            return self.begin_ready();
        }
        if !self.run.live.is_empty() {
            return;
        }
        let Some(past) = self.run.past.last() else { return };
        let (number, how) = (past.step, past.how);
        match self.way_after(number, how) {
            Way::To(next) => self.arrive(next),
            Way::Out => self.finish(number, End::Completed),
        }
    }

    fn way_after(&mut self, number: u32, how: How) -> Way {
        let after = Way::To(number + 1);
        let Some(step) = self.sop.step(number) else { return after };
        match how {
            How::Done => self.way_out_of(step),
            How::Skipped | How::Stopped => after,
            How::Failed | How::Denied => match step.on_failure {
                OnFailure::Goto { step } => Way::To(step),
                OnFailure::Continue | OnFailure::Fail | OnFailure::Retry { .. } => after,
            },
        }
    }

    /// `when` guards the jump; then the first case of `switch` that holds, `next`, `terminal`, the step after.
    fn way_out_of(&mut self, step: &Step) -> Way {
        let after = Way::To(step.number + 1);
        if !self.asked.when(self.sop, &self.run, step) {
            return after;
        }
        if let Some(next) = self.asked.case(self.sop, &self.run, step).or(step.next) {
            return Way::To(next);
        }
        if step.terminal { Way::Out } else { after }
    }

    /// A sequence comes to step `number`, or past the last one.
    fn arrive(&mut self, mut number: u32) {
        while let Some(step) = self.sop.step(number) {
            let visits = self.run.past(number).map_or(0, |past| past.visits) + 1;
            if visits > VISITS_MAX {
                let reason = format!("step {number} was come to more than {VISITS_MAX} times");
                return self.finish(number, End::Failed { reason });
            }
            if self.asked.answers.len() >= ANSWERS_MAX {
                let reason = format!("more than {ANSWERS_MAX} conditions and templates in a row");
                return self.finish(number, End::Failed { reason });
            }
            if !self.skipped(step) {
                return self.come_to(step);
            }
            number += 1;
        }
        self.finish(number.saturating_sub(1), End::Completed);
    }

    /// A graph begins all steps whose dependencies have come to their end.
    fn begin_ready(&mut self) {
        // Skipping one may make others ready, also such as come before it.
        while let Some(step) = self.sop.steps.iter().find(|step| self.is_ready(step)) {
            if !self.skipped(step) {
                self.come_to(step);
            }
            if !matches!(self.run.phase, Phase::Open) {
                return;
            }
        }
        let is_over = self.sop.steps.iter().all(|step| self.is_settled(step.number));
        if is_over && self.run.live.is_empty() && matches!(self.run.phase, Phase::Open) {
            let last = self.run.past.last().map_or(0, |past| past.step);
            self.finish(last, End::Completed);
        }
    }

    /// Whether `step` of a graph can begin.
    fn is_ready(&self, step: &Step) -> bool {
        self.run.live(step.number).is_none()
            && !self.is_settled(step.number)
            && step.depends_on.iter().all(|number| self.is_settled(*number))
    }

    /// Whether what depends on step `number` need not wait for it any more.
    fn is_settled(&self, number: u32) -> bool {
        if self.run.live(number).is_some() {
            return false;
        }
        let Some(past) = self.run.past(number) else { return false };
        match past.how {
            How::Done | How::Skipped => true,
            How::Failed | How::Denied => {
                let on_failure = self.sop.step(number).map(|step| step.on_failure);
                on_failure == Some(OnFailure::Continue)
            }
            How::Stopped => false,
        }
    }

    /// Whether `step` was passed over because its `if` does not hold.
    fn skipped(&mut self, step: &Step) -> bool {
        if self.asked.only_if(self.sop, &self.run, step) {
            return false;
        }
        let before = self.run.past(step.number);
        let past = Past {
            step: step.number,
            how: How::Skipped,
            value: self.handed_on(),
            visits: before.map_or(0, |past| past.visits) + 1,
            tries: before.map_or(0, |past| past.tries),
            revisions: before.map_or(0, |past| past.revisions),
            worker: None,
        };
        self.note(past);
        true
    }

    /// The run comes to `step`, which is to be done.
    fn come_to(&mut self, step: &Step) {
        let before = self.run.past(step.number);
        let live = Live {
            step: step.number,
            attempt: before.map_or(0, |past| past.tries) + 1,
            since: self.at,
            visits: before.map_or(0, |past| past.visits) + 1,
            failures: 0,
            revisions: before.map_or(0, |past| past.revisions),
            args: None,
            guidance: None,
            amended: None,
            stand: Stand::Slot,
        };
        self.put(live);
        if !self.render(step.number) {
            return;
        }
        if super::gated(self.sop, step) {
            self.open_gate(step.number, None);
        } else {
            self.begin(step.number);
        }
    }
}
