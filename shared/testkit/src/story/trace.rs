//! The trace of a story: what the ledgers say, in the order in which it happened.
//!
//! What happened has its time before it; what it leads to stands below, indented.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_core::definition::{Definition, OnTimeout, Step};
use sop_core::engine::{Answer, End, Fact, Gate, Live, Phase, Run, Stand, Stored};
use sop_core::id::RunId;
use sop_core::journal::Entry;

/// Characters of a value that a line shows.
const VALUE_CHARS_MAX: usize = 120;

const DAY_MS: i64 = 24 * 3_600_000;

#[derive(Debug)]
struct Line {
    /// When, where it is something that happened.
    at: Option<Timestamp>,
    run: Option<RunId>,
    text: String,
}

/// A trace while it grows.
#[derive(Debug)]
pub(super) struct Trace {
    start: Timestamp,
    lines: Vec<Line>,
    /// Runs in the order in which they started.
    runs: Vec<RunId>,
    /// The latest arguments of each step.
    args: BTreeMap<(RunId, u32), String>,
}

impl Trace {
    pub(super) fn from(start: Timestamp) -> Self {
        Self { start, lines: Vec::new(), runs: Vec::new(), args: BTreeMap::new() }
    }

    /// Something that happened outside any run.
    pub(super) fn say(&mut self, at: Timestamp, text: String) {
        self.lines.push(Line { at: Some(at), run: None, text });
    }

    /// Something that followed from what was said last.
    pub(super) fn add(&mut self, text: String) {
        self.lines.push(Line { at: None, run: None, text });
    }

    /// Something that happened to `run`.
    pub(super) fn say_of(&mut self, at: Timestamp, run: &RunId, text: String) {
        self.lines.push(Line { at: Some(at), run: Some(run.clone()), text });
    }

    /// What `entry` says, after which the run that was `before` is another.
    pub(super) fn note(&mut self, sop: &Definition, before: Option<&Run>, entry: &Entry) {
        let run = &entry.after.identity.id;
        if !self.runs.contains(run) {
            self.runs.push(run.clone());
        }
        for answer in &entry.asked {
            if let Answer::Rendered { step, args, .. } = answer {
                self.args.insert((run.clone(), *step), value(args));
            }
        }
        self.say_of(entry.at, run, self.fact(before, entry));
        let answers = entry.asked.iter().filter_map(|answer| self.answer(sop, answer));
        let steps = entry.after.live.iter().filter_map(|live| {
            let was = before.and_then(|run| run.live(live.step));
            let is_news = was.is_none_or(|was| is_news(was, live));
            is_news.then(|| self.stand(sop, run, live)).flatten()
        });
        let mut follows: Vec<String> = answers.chain(steps).collect();
        if before.map(|run| &run.phase) != Some(&entry.after.phase) {
            follows.extend(phase(&entry.after.phase));
        }
        let run = Some(run.clone());
        self.lines.extend(follows.into_iter().map(|text| Line {
            at: None,
            run: run.clone(),
            text,
        }));
    }

    fn fact(&self, before: Option<&Run>, entry: &Entry) -> String {
        let by = &entry.by;
        let tried = |attempt: u32| match attempt {
            0 | 1 => String::new(),
            attempt => format!(" (try {attempt})"),
        };
        let gate_of = |gate: u32| before.and_then(|run| run.gate(gate));
        match &entry.fact {
            Fact::Started { reused, .. } => self.started(entry, reused.len()),
            Fact::Admitted => "there is room".to_owned(),
            Fact::Voted { gate, comment, .. } | Fact::Approved { gate, comment, .. } => {
                let comment = comment.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
                format!("{by} approves gate {gate}{comment}")
            }
            Fact::Amended { gate, field, before, after, .. } => {
                let before = before.as_ref().map_or("nothing".to_owned(), value);
                let after = value(after);
                format!("{by} amends gate {gate}: {field} from {before} to {after}")
            }
            Fact::Revised { gate, step, guidance } => {
                format!("{by} sends step {step} back at gate {gate}: {guidance}")
            }
            Fact::Denied { gate, reason } => format!("{by} denies gate {gate}: {reason}"),
            Fact::Refused { gate, refusal } => {
                format!("{by} may not decide gate {gate}: {refusal}")
            }
            Fact::GateTimedOut { gate, action } => {
                let step = gate_of(*gate).map_or(0, |(live, _)| live.step);
                let so = match action {
                    OnTimeout::Escalate => "it escalates",
                    OnTimeout::Cancel => "the run is cancelled",
                    OnTimeout::AutoApprove => "it opens",
                };
                format!("nobody has decided gate {gate} of step {step}: {so}")
            }
            Fact::StepCompleted { step, attempt, output } => {
                let output =
                    output.as_ref().map(|it| format!(": {}", value(it))).unwrap_or_default();
                match by.as_str() {
                    "executor" | "child" => {
                        format!("step {step} is done{}{output}", tried(*attempt))
                    }
                    by => format!("{by} has done step {step}{output}"),
                }
            }
            Fact::StepFailed { step, attempt, reason } => match by.as_str() {
                "executor" | "child" | "clock" => {
                    format!("step {step} failed{}: {reason}", tried(*attempt))
                }
                by => format!("{by} could not do step {step}: {reason}"),
            },
            Fact::OutcomeUnknown { step, reason, .. } => {
                format!("nobody knows whether step {step} was done: {reason}")
            }
            Fact::Woke { step } => match before.and_then(|run| run.live(*step)).map(|it| &it.stand)
            {
                Some(Stand::Retry { .. }) => format!("it is time to try step {step} again"),
                _ => format!("step {step} has waited long enough"),
            },
            Fact::EventCame { step, output, .. } => {
                let output =
                    output.as_ref().map(|it| format!(": {}", value(it))).unwrap_or_default();
                format!("the event came that step {step} waits for{output}")
            }
            Fact::Paused => format!("{by} pauses the run"),
            Fact::Resumed => format!("{by} resumes the run"),
            Fact::Retried { step } => format!("{by} has step {step} done again"),
            Fact::Cancelled { .. } => format!("{by} cancels the run"),
            Fact::TimedOut => "the run has taken too long".to_owned(),
        }
    }

    fn started(&self, entry: &Entry, reused: usize) -> String {
        let identity = &entry.after.identity;
        let (sop, source, subject) = (&identity.sop, identity.source, &identity.subject);
        if let Some(origin) = &identity.origin {
            let reused = if reused == 1 { "1 step".to_owned() } else { format!("{reused} steps") };
            let (by, run, from) = (&entry.by, &origin.run, origin.from);
            return format!("{by} takes run {run} up again at step {from}, keeping {reused}");
        }
        if let Some(parent) = &identity.parent {
            return format!("step {} of run {} starts {sop}", parent.step, parent.run);
        }
        match &identity.actor {
            Some(by) if subject == sop.as_str() => format!("{by} starts {sop}"),
            Some(_) | None => format!("{source} {subject} starts {sop}"),
        }
    }

    fn answer(&self, sop: &Definition, answer: &Answer) -> Option<String> {
        match answer {
            Answer::If { held: true, .. } | Answer::Rendered { .. } => None,
            Answer::If { step, held: false } => Some(format!("step {step} is skipped")),
            Answer::When { step, held: true } => Some(format!("step {step}: when holds")),
            Answer::When { step, held: false } => Some(format!("step {step}: when does not hold")),
            Answer::Switch { step, case: Some(case) } => {
                let next = usize::try_from(*case).ok();
                let next = next.and_then(|case| sop.step(*step)?.switch.get(case));
                let next = next.map_or(0, |case| case.next);
                Some(format!("step {step}: case {} of switch, to step {next}", case + 1))
            }
            Answer::Switch { step, case: None } => Some(format!("step {step}: no case of switch")),
            Answer::Unrenderable { step, reason } => Some(format!("step {step} failed: {reason}")),
        }
    }

    fn stand(&self, sop: &Definition, run: &RunId, live: &Live) -> Option<String> {
        let number = live.step;
        let step = sop.step(number)?;
        let until = |at: &Option<Timestamp>| match at {
            Some(at) => format!(" until {}", self.time(*at)),
            None => String::new(),
        };
        Some(match &live.stand {
            Stand::Slot => format!("step {number} waits for a free slot"),
            Stand::Approval(gate) => self.gate(sop, run, step, gate),
            Stand::Person { until: at } => format!("step {number} waits for a person{}", until(at)),
            Stand::Performer { .. } => {
                let again = if live.attempt > 1 { " again" } else { "" };
                let capability = step.capability.as_deref().unwrap_or_default();
                let args = self.args(run, step).map(|args| format!(" {args}")).unwrap_or_default();
                format!("step {number}{again}: {capability}{args}")
            }
            Stand::Timer { until } => format!("step {number} waits until {}", self.time(*until)),
            Stand::Retry { until } => {
                format!("step {number} is tried again at {}", self.time(*until))
            }
            Stand::Event { until: at, .. } => {
                format!("step {number} waits for an event{}", until(at))
            }
            Stand::Child { run, until: at } => {
                format!("step {number} waits for run {run}{}", until(at))
            }
            Stand::Unknown => format!("step {number} waits for a person to find out"),
        })
    }

    fn gate(&self, sop: &Definition, run: &RunId, step: &Step, gate: &Gate) -> String {
        let policy = sop.policy(step);
        let mut text = format!("step {} waits for an approval (gate {})", step.number, gate.gate);
        if policy.quorum > 1 {
            text.push_str(&format!(", {} of {}", gate.votes.len(), policy.quorum));
        }
        if let Some(group) = &policy.group {
            text.push_str(&format!(" of {group}"));
        }
        if let Some(until) = gate.until {
            text.push_str(&format!(" until {}", self.time(until)));
        }
        if let Some(args) = self.args(run, step) {
            let capability = step.capability.as_deref().unwrap_or_default();
            text.push_str(&format!(": {capability} {args}"));
        }
        text
    }

    fn args(&self, run: &RunId, step: &Step) -> Option<String> {
        let rendered = self.args.get(&(run.clone(), step.number)).cloned();
        rendered.or_else(|| step.with.as_ref().map(|with| cut(&with.to_string())))
    }

    /// A time of day, and the day when it is not the story's first.
    fn time(&self, at: Timestamp) -> String {
        let day = at.as_millis().div_euclid(DAY_MS) - self.start.as_millis().div_euclid(DAY_MS);
        let ms = at.as_millis().rem_euclid(DAY_MS);
        let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        let rest = if ms % 1_000 == 0 { String::new() } else { format!(".{:03}", ms % 1_000) };
        let day = if day == 0 { String::new() } else { format!("{day:+}d ") };
        format!("{day}{h:02}:{m:02}:{s:02}{rest}")
    }

    /// The run with the number `number`, counted from 1 in the order of their starts.
    pub(super) fn run(&self, number: usize) -> Option<&RunId> {
        self.runs.get(number.checked_sub(1)?)
    }

    /// The runs, in the order of their starts.
    pub(super) fn runs(&self) -> &[RunId] {
        &self.runs
    }

    /// The whole text. Runs go by their numbers; when there is only one, it needs none.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let at = line.at.map(|at| self.time(at));
            let at = at.unwrap_or_else(|| " ".repeat(8));
            let number = line.run.as_ref().filter(|_| self.runs.len() > 1);
            let number = number.and_then(|run| self.runs.iter().position(|it| it == run));
            let number = number.map(|at| format!("#{} ", at + 1)).unwrap_or_default();
            text.push_str(format!("{at} {number}{}", line.text).trim_end());
            text.push('\n');
        }
        for (at, run) in self.runs.iter().enumerate() {
            text = text.replace(run.as_str(), &format!("#{}", at + 1));
        }
        text
    }
}

/// Whether `now` has something to say that `was` had not.
fn is_news(was: &Live, now: &Live) -> bool {
    was.attempt != now.attempt || was.stand != now.stand
}

fn phase(phase: &Phase) -> Option<String> {
    Some(match phase {
        Phase::Held { .. } => "the run waits for its turn".to_owned(),
        Phase::Open | Phase::Paused { .. } => return None,
        Phase::Finished { end: End::Completed, .. } => "completed".to_owned(),
        Phase::Finished { end: End::Failed { reason }, .. } => format!("failed: {reason}"),
        Phase::Finished { end: End::Cancelled { reason }, .. } => format!("cancelled: {reason}"),
    })
}

/// What a value is shown as.
fn value(stored: &Stored) -> String {
    match stored {
        Stored::Inline(text) => cut(text),
        Stored::Blob { bytes, preview, .. } => {
            let preview: String = preview.chars().take(40).collect();
            format!("{bytes} bytes, {preview}…")
        }
    }
}

fn cut(text: &str) -> String {
    let text = text.replace('\n', " ");
    if text.chars().count() <= VALUE_CHARS_MAX {
        return text;
    }
    text.chars().take(VALUE_CHARS_MAX - 1).chain(['…']).collect()
}
