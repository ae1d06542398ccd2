//! A run's trace, read off its ledger: which function was at work when, from the door to the last step.
//!
//! Nothing is recorded for it but [`Ran`](crate::engine::Ran): the ledger has every instant already. Ids of
//! spans are derived, so that whoever makes a trace of the same ledger makes the same one.
//!
//! Source: W3C Trace Context; OpenTelemetry specification, trace data model.

use std::collections::BTreeMap;

use crate::definition::Definition;
use crate::engine::{End, Fact, How, Identity, Live, Phase, Run, Stand};
use crate::event::Source;
use crate::id::Digest;
use crate::ingress;
use crate::journal::Entry;
use crate::time::Timestamp;

/// A stretch of time in which something was at work, or waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The span that it is a part of.
    pub parent: Option<String>,
    /// Who: the door's function, `dispatcher`, `executor`; `people`, `timer`, `queue` for what is waited for.
    pub service: String,
    /// What.
    pub name: String,
    /// From when.
    pub began: Timestamp,
    /// Until when; absent while it goes on.
    pub ended: Option<Timestamp>,
    /// Whether it came to a bad end.
    pub failed: bool,
    /// What was decided in it.
    pub marks: Vec<Mark>,
}

/// One entry of the ledger, in its span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// The function that decided it: `dispatcher`, or `api` where a person did.
    pub service: &'static str,
    /// The entry.
    pub seq: u64,
    /// Who, as the ledger has it.
    pub by: String,
}

/// The spans of a run: parents before their parts, else in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// 32 hexadecimal digits: the caller's, where the event came with one.
    pub id: String,
    /// The spans; the first is the door's.
    pub spans: Vec<Span>,
}

/// The trace of the run whose ledger is `entries`, all of them in order; `None` when there are none.
pub fn of_run(sop: &Definition, entries: &[Entry]) -> Option<Trace> {
    let first = entries.first()?;
    let mut making = Making::new(sop, first);
    for entry in entries {
        making.read(entry);
    }
    Some(Trace { id: making.id, spans: making.spans })
}

/// The place of the run's own span.
const RUN: usize = 1;

/// A step under way, as far as the ledger has been read.
struct Open {
    span: usize,
    stand: String,
    part: usize,
}

struct Making<'d> {
    sop: &'d Definition,
    id: String,
    spans: Vec<Span>,
    open: BTreeMap<u32, Open>,
}

impl<'d> Making<'d> {
    fn new(sop: &'d Definition, first: &Entry) -> Self {
        let identity = &first.after.identity;
        let own = ingress::traceparent(&identity.event);
        let trace = identity.trace.as_deref().unwrap_or(&own);
        let (id, from) = (trace[3..35].to_owned(), trace[36..52].to_owned());
        // A caller's own span is what the door's is a part of.
        let (door, parent) =
            if trace == own { (from, None) } else { (span_id(&["door", &from]), Some(from)) };
        let arrived = identity.event.arrived_at();
        let run = Span {
            id: span_id(&["run", identity.id.as_str()]),
            parent: Some(door.clone()),
            service: "dispatcher".to_owned(),
            name: format!("run of {}", identity.sop),
            began: first.at,
            ended: None,
            failed: false,
            marks: Vec::new(),
        };
        let door = Span {
            id: door,
            parent,
            service: service_of_door(identity).to_owned(),
            name: format!("{} {}", identity.source, identity.subject),
            began: arrived,
            ended: Some(first.at.max(arrived)),
            failed: false,
            marks: Vec::new(),
        };
        Self { sop, id, spans: vec![door, run], open: BTreeMap::new() }
    }

    fn read(&mut self, entry: &Entry) {
        let step = match about(&entry.fact) {
            About::Run => None,
            About::Step(step) => Some(step),
            About::Gate(gate) => self.step_at_gate(gate),
        };
        self.executed(entry, step);
        let known = step.and_then(|step| self.open.get(&step).map(|open| open.span));
        let run = &entry.after;
        let over: Vec<u32> =
            self.open.keys().copied().filter(|step| run.live(*step).is_none()).collect();
        for step in over {
            self.end(step, run, entry.at);
        }
        for live in &run.live {
            self.goes_on(live, run, entry);
        }
        let opened = step.and_then(|step| self.open.get(&step).map(|open| open.span));
        let place = known.or(opened).unwrap_or(RUN);
        self.spans[place].marks.push(Mark {
            at: entry.at,
            service: decided_in(entry),
            seq: entry.seq,
            by: entry.by.clone(),
        });
        let is_over = run.is_finished();
        self.spans[RUN].ended = is_over.then_some(entry.at);
        self.spans[RUN].failed = is_over
            && matches!(
                &run.phase,
                Phase::Finished { end: End::Failed { .. } | End::Cancelled { .. }, .. }
            );
    }

    fn step_at_gate(&self, gate: u32) -> Option<u32> {
        let name = at_gate(gate);
        self.open.iter().find(|(_, open)| open.stand == name).map(|(step, _)| *step)
    }

    /// The built-in's own time, within that in which the step waited for it.
    fn executed(&mut self, entry: &Entry, step: Option<u32>) {
        let (Some(ran), Some(open)) = (entry.ran, step.and_then(|step| self.open.get(&step)))
        else {
            return;
        };
        let number = step.unwrap_or_default();
        let capability = self.sop.step(number).and_then(|step| step.capability.as_deref());
        self.spans.push(Span {
            id: span_id(&["ran", entry.after.identity.id.as_str(), &entry.seq.to_string()]),
            parent: Some(self.spans[open.part].id.clone()),
            service: "executor".to_owned(),
            name: capability.unwrap_or("built-in").to_owned(),
            began: ran.began,
            ended: Some(ran.began.plus_millis(ran.ms.into())),
            failed: matches!(entry.fact, Fact::StepFailed { .. } | Fact::OutcomeUnknown { .. }),
            marks: Vec::new(),
        });
    }

    fn end(&mut self, step: u32, run: &Run, at: Timestamp) {
        let Some(open) = self.open.remove(&step) else { return };
        let failed = run.past(step).is_none_or(|past| match past.how {
            How::Done | How::Skipped => false,
            How::Failed | How::Denied | How::Stopped => true,
        });
        self.spans[open.part].ended = Some(at);
        self.spans[open.span].ended = Some(at);
        self.spans[open.span].failed = failed;
    }

    fn goes_on(&mut self, live: &Live, run: &Run, entry: &Entry) {
        let (step, at) = (live.step, entry.at);
        let stand = stand_of(live);
        let place = run.identity.id.as_str();
        let seq = entry.seq.to_string();
        let number = step.to_string();
        let span = match self.open.get(&step) {
            Some(open) if open.stand == stand => return,
            Some(open) => {
                let (span, part) = (open.span, open.part);
                self.spans[part].ended = Some(at);
                span
            }
            None => {
                let title = self.sop.step(step).map_or("", |step| step.title.as_str());
                self.spans.push(Span {
                    id: span_id(&["step", place, &number, &seq]),
                    parent: Some(self.spans[RUN].id.clone()),
                    service: "dispatcher".to_owned(),
                    name: format!("step {step} {title}").trim_end().to_owned(),
                    began: at,
                    ended: None,
                    failed: false,
                    marks: Vec::new(),
                });
                self.spans.len() - 1
            }
        };
        self.spans.push(Span {
            id: span_id(&["stand", place, &number, &seq]),
            parent: Some(self.spans[span].id.clone()),
            service: waits_for(&live.stand).to_owned(),
            name: stand.clone(),
            began: at,
            ended: None,
            failed: false,
            marks: Vec::new(),
        });
        self.open.insert(step, Open { span, stand, part: self.spans.len() - 1 });
    }
}

/// 16 hexadecimal digits that stand for `parts`.
fn span_id(parts: &[&str]) -> String {
    Digest::of(parts.join("\n").as_bytes()).to_string()[..16].to_owned()
}

/// The function behind a door.
fn service_of_door(identity: &Identity) -> &'static str {
    if identity.follows.is_some() {
        // The end of a run comes in at no door.
        return "dispatcher";
    }
    if identity.source == Source::Manual { "api" } else { identity.source.as_str() }
}

/// The function that appended `entry`.
fn decided_in(entry: &Entry) -> &'static str {
    let by_event =
        matches!(entry.fact, Fact::Started { .. }) && entry.after.identity.source != Source::Manual;
    match entry.by.as_str() {
        _ if by_event => "dispatcher",
        "event" | "executor" | "clock" | "admission" | "child" | "parent" => "dispatcher",
        _ => "api",
    }
}

fn at_gate(gate: u32) -> String {
    format!("waits at gate {gate}")
}

fn stand_of(live: &Live) -> String {
    match &live.stand {
        Stand::Slot => "waits for a slot".to_owned(),
        Stand::Approval(gate) => at_gate(gate.gate),
        Stand::Person { .. } => "waits for a person".to_owned(),
        Stand::Performer { .. } => format!("is being done, try {}", live.attempt),
        Stand::Timer { .. } => "waits".to_owned(),
        Stand::Retry { .. } => format!("waits for the try after {}", live.attempt),
        Stand::Event { .. } => "waits for an event".to_owned(),
        Stand::Child { run, .. } => format!("waits for run {run}"),
        Stand::Unknown => "waits for somebody to find out".to_owned(),
    }
}

fn waits_for(stand: &Stand) -> &'static str {
    match stand {
        Stand::Approval(_) | Stand::Person { .. } | Stand::Unknown => "people",
        Stand::Performer { .. } => "queue",
        Stand::Slot => "admission",
        Stand::Timer { .. } | Stand::Retry { .. } => "timer",
        Stand::Event { .. } => "doors",
        Stand::Child { .. } => "child",
    }
}

/// What an entry is about.
enum About {
    Run,
    Step(u32),
    Gate(u32),
}

const fn about(fact: &Fact) -> About {
    match fact {
        Fact::StepCompleted { step, .. }
        | Fact::StepFailed { step, .. }
        | Fact::OutcomeUnknown { step, .. }
        | Fact::Woke { step }
        | Fact::EventCame { step, .. }
        | Fact::Retried { step } => About::Step(*step),
        Fact::Voted { gate, .. }
        | Fact::Approved { gate, .. }
        | Fact::Amended { gate, .. }
        | Fact::Revised { gate, .. }
        | Fact::Denied { gate, .. }
        | Fact::Refused { gate, .. }
        | Fact::GateTimedOut { gate, .. } => About::Gate(*gate),
        Fact::Started { .. }
        | Fact::Admitted
        | Fact::Paused
        | Fact::Resumed
        | Fact::Cancelled { .. }
        | Fact::TimedOut => About::Run,
    }
}
