//! How a step begins: its arguments, its gate, who does it.

use serde_json::Value;

use super::timing;
use crate::definition::{Definition, ExecutionMode, Priority, Step, StepKind};
use crate::engine::evolve::Move;
use crate::engine::state::{Gate, How, Live, Run, Stand, Stored};
use crate::id::{Digest, EventId, RunId, SopName};
use crate::limits::{ATTEMPT_TIMEOUT_MS, ENTRY_ARGS_BYTES_MAX, INLINE_BYTES_MAX, WAIT_MS_MAX};
use crate::matching::Wait;
use crate::template;
use crate::time::Timestamp;

impl Move<'_, '_> {
    /// Adds a step under way; they stay in the order of their numbers.
    pub(super) fn put(&mut self, live: Live) {
        let at = self.run.live.partition_point(|other| other.step < live.step);
        self.run.live.insert(at, live);
    }

    pub(super) fn live_mut(&mut self, number: u32) -> Option<&mut Live> {
        self.run.live.iter_mut().find(|live| live.step == number)
    }

    pub(super) fn gate_mut(&mut self, gate: u32) -> Option<&mut Gate> {
        self.run.live.iter_mut().find_map(|live| match &mut live.stand {
            Stand::Approval(open) if open.gate == gate => Some(open),
            Stand::Approval(_)
            | Stand::Slot
            | Stand::Person { .. }
            | Stand::Performer { .. }
            | Stand::Timer { .. }
            | Stand::Retry { .. }
            | Stand::Event { .. }
            | Stand::Child { .. }
            | Stand::Unknown => None,
        })
    }

    /// Step `number` stands differently from now on.
    pub(super) fn stand(&mut self, number: u32, stand: Stand) {
        let at = self.at;
        if let Some(live) = self.live_mut(number) {
            live.since = at;
            live.stand = stand;
        }
    }

    /// Renders the arguments of step `number` where they are templates; whether the step can go on.
    pub(super) fn render(&mut self, number: u32) -> bool {
        let Some(step) = self.sop.step(number) else { return false };
        let Some(with) = step.with.as_ref().filter(|with| template::is_template(with)) else {
            return true;
        };
        match self.asked.rendered(self.sop, &self.run, step, with) {
            Ok(_) => {
                let seq = self.seq;
                if let Some(live) = self.live_mut(number) {
                    live.args = Some(seq);
                }
                true
            }
            Err(reason) => {
                self.failed_for_good(number, How::Failed, &reason);
                false
            }
        }
    }

    /// A gate opens before step `number`, which shows `amended` if that is given.
    pub(super) fn open_gate(&mut self, number: u32, amended: Option<&Stored>) {
        let Some(step) = self.sop.step(number) else { return };
        self.run.gates += 1;
        let args = amended.cloned().or_else(|| self.asked.latest_args(number));
        let gate = Gate {
            gate: self.run.gates,
            shown: shown(&self.run, step, args.as_ref()),
            until: self.sop.policy(step).timeout_secs.map(|secs| timing::after(self.at, secs)),
            votes: Vec::new(),
            escalations: 0,
        };
        self.stand(number, Stand::Approval(gate));
    }

    /// Step `number`, whose gate, if any, has been passed, begins: whoever does it is asked to.
    pub(super) fn begin(&mut self, number: u32) {
        let Some(step) = self.sop.step(number) else { return };
        let until = step.timeout_secs.map(|secs| timing::after(self.at, secs));
        let stand = match (step.kind, step.capability.as_deref()) {
            (StepKind::Execute | StepKind::Checkpoint, _) => Stand::Person { until },
            (StepKind::Capability, Some("wait")) => match self.wait_until(step) {
                Ok(until) if until.millis_since(self.at) > WAIT_MS_MAX => {
                    let reason = format!("it would wait until {until}, which is more than a year");
                    return self.failed_for_good(number, How::Failed, &reason);
                }
                Ok(until) => Stand::Timer { until },
                Err(reason) => return self.failed_for_good(number, How::Failed, &reason),
            },
            (StepKind::Capability, Some("wait.event")) => match self.event_key(step) {
                Ok(key) => Stand::Event { key, until },
                Err(reason) => return self.failed_for_good(number, How::Failed, &reason),
            },
            (StepKind::Capability, Some("sop.start")) => match self.child(step) {
                Ok(run) => Stand::Child { run, until },
                Err(reason) => return self.failed_for_good(number, How::Failed, &reason),
            },
            (StepKind::Capability, _) if self.queued => Stand::Slot,
            (StepKind::Capability, _) => return self.perform(number),
        };
        self.stand(number, stand);
    }

    /// A built-in does step `number` from now on, unless no slot is free.
    pub(super) fn perform(&mut self, number: u32) {
        let Some(step) = self.sop.step(number) else { return };
        if self.queued {
            return self.stand(number, Stand::Slot);
        }
        let deadline = match step.timeout_secs {
            Some(secs) => timing::after(self.at, secs),
            None => self.at.plus_millis(ATTEMPT_TIMEOUT_MS),
        };
        self.stand(number, Stand::Performer { deadline });
    }

    /// The arguments of a step that the engine itself carries out.
    fn args(&mut self, step: &Step) -> Result<Value, String> {
        // They are in an entry when they are templates, and when an approver has changed them.
        if self.run.live(step.number).is_none_or(|live| live.args.is_none()) {
            return Ok(step.with.clone().unwrap_or(Value::Null));
        }
        let stored = match self.asked.latest_args(step.number) {
            Some(stored) => Some(stored),
            None => self.asked.args_again(step.number),
        };
        match stored {
            Some(Stored::Inline(text)) => {
                serde_json::from_str(&text).map_err(|error| error.to_string())
            }
            Some(Stored::Blob { bytes, .. }) => Err(format!(
                "its arguments have {bytes} bytes; at most {INLINE_BYTES_MAX} are read, and \
                 {ENTRY_ARGS_BYTES_MAX} of all steps that begin at once"
            )),
            None => Err("its arguments are not known".to_owned()),
        }
    }

    fn wait_until(&mut self, step: &Step) -> Result<Timestamp, String> {
        let with = self.args(step)?;
        if let Some(ms) = with.get("ms").and_then(Value::as_i64) {
            return Ok(self.at.plus_millis(ms));
        }
        if let Some(secs) = with.get("seconds").and_then(Value::as_u64) {
            return Ok(timing::after(self.at, secs));
        }
        if let Some(text) = with.get("duration").and_then(Value::as_str) {
            let secs = crate::duration::parse(text).map_err(|error| error.to_string())?;
            return Ok(timing::after(self.at, secs));
        }
        match with.get("until").and_then(Value::as_str) {
            Some(text) => Timestamp::parse_rfc3339(text).ok_or_else(|| {
                format!("`until` is {text:?}, not an instant such as 2026-03-01T08:00:00Z")
            }),
            None => Err("`wait` needs `seconds`, `ms`, `duration` or `until`".to_owned()),
        }
    }

    /// Names the events that a `wait.event` step waits for: those that its filter and condition take and
    /// that have its key.
    fn event_key(&mut self, step: &Step) -> Result<Digest, String> {
        let args = self.args(step)?;
        let wait = step.with.as_ref().and_then(Wait::of).ok_or("it waits for no event")?;
        let identity = &self.run.identity;
        Ok(wait.key(&identity.tenant, &identity.sop, args.pointer("/correlate/key")))
    }

    /// The run that `step` starts.
    fn child(&mut self, step: &Step) -> Result<RunId, String> {
        let authored = step.with.as_ref().and_then(|with| with.get("sop")).and_then(Value::as_str);
        let is_settled =
            |name: &&str| !template::is_template_text(name) && step.edit.as_deref() != Some("sop");
        // The arguments, which may be large, are looked at only where they say which.
        let name = match authored.filter(is_settled) {
            Some(name) => name.to_owned(),
            None => {
                let with = self.args(step)?;
                with.get("sop").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
        };
        let sop = SopName::parse(&name).map_err(|error| error.to_string())?;
        let attempt = self.run.live(step.number).map_or(1, |live| live.attempt);
        let event = child_event(&self.run, step.number, attempt, self.at);
        Ok(RunId::derive(&self.run.identity.tenant, &sop, &event, self.at))
    }
}

/// The id of the event by which a step starts another run.
pub(crate) fn child_event(run: &Run, step: u32, attempt: u32, at: Timestamp) -> EventId {
    let parts = ["child", run.identity.id.as_str(), &step.to_string(), &attempt.to_string()];
    EventId::derived(at, &parts)
}

/// Whether `step` waits for an approval before it runs: its own keys, the SOP's mode, or its own
/// mode, which can only tighten.
pub fn gated(sop: &Definition, step: &Step) -> bool {
    let by_mode = |mode: ExecutionMode| match mode {
        ExecutionMode::Auto | ExecutionMode::Deterministic => false,
        ExecutionMode::Supervised => step.number == 1,
        ExecutionMode::StepByStep => true,
        ExecutionMode::PriorityBased => match sop.priority {
            Priority::Critical | Priority::High => true,
            Priority::Normal | Priority::Low => step.number == 1,
        },
    };
    step.requires_confirmation
        || step.kind == StepKind::Checkpoint
        || by_mode(sop.execution_mode)
        || step.mode.is_some_and(by_mode)
}

/// Names what an approver is shown: the run and with it its event, the definition, the gate, the step as it
/// stands there, and its rendered arguments.
fn shown(run: &Run, step: &Step, args: Option<&Stored>) -> Digest {
    let text = format!(
        "{}\n{}\n{}\n{}\n{}",
        run.identity.id,
        run.identity.definition,
        run.gates,
        serde_json::to_string(step).expect("a step has only string keys"),
        serde_json::to_string(&args).expect("arguments are text"),
    );
    Digest::of(text.as_bytes())
}
