//! Playing a story: time passes from input to input, and whatever is due by then happens.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_core::cron::TimeZone;
use sop_core::definition::{Definition, Diagnostic, Severity};
use sop_core::engine::{Effect, Phase, Run, Stand, Status};
use sop_core::id::{EventId, RunId, SopName};
use sop_runtime::envelope::{Body, Envelope};
use sop_runtime::flow::{
    self, Detail, FlowError, Host, Perform, Published, Push, SopVerdict, Sources,
};
use sop_runtime::port::{Consumer, CronCursor, Delivery, Heads, Journal, LogQuery, QueueName};
use sop_runtime::report;

use crate::memory::Memory;
use crate::story::answer::{Answers, AnySecret};
use crate::story::cast::Cast;
use crate::story::clock::StoryClock;
use crate::story::coverage::Coverage;
use crate::story::diff::{diff, fits};
use crate::story::format::{ExpectedCall, Says, Story};
use crate::story::trace::Trace;

/// Deliveries after which a story that does not come to rest has failed.
const DELIVERIES_MAX: u32 = 100_000;

/// Milliseconds for which a received message is nobody else's: longer than any story.
const HIDDEN_MS: u32 = u32::MAX;

const MINUTE_MS: i64 = 60_000;

/// Milliseconds for which the tick leaves what is due to its own timer.
const TIMER_FIRST_MS: i64 = 2_000;

/// Why a story does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It expects no trace yet.
    #[error("it expects no trace yet: `--bless` writes the one that came of it")]
    Unblessed,
    /// Another trace came of it.
    #[error("another trace came of it (- expected, + came):\n{diff}")]
    Trace {
        /// How they differ.
        diff: String,
    },
    /// Its first run ended differently.
    #[error("its first run is {found}, not {expected}")]
    Status {
        /// What the story says.
        expected: String,
        /// What came of it.
        found: String,
    },
    /// A call was not made.
    #[error("no call was made as expected: {call}")]
    Call {
        /// Which.
        call: String,
    },
    /// Nothing asked for an answer.
    #[error("nothing asked for an answer to step {step} of `{sop}`")]
    Unasked {
        /// Of which SOP.
        sop: String,
        /// The step.
        step: u32,
    },
}

/// Why a story could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// Its SOPs are not there, or have errors.
    #[error("{0}")]
    Cast(String),
    /// An input cannot be made as it is written.
    #[error("[[input]] {number}: {reason}")]
    Input {
        /// Which, from 1.
        number: usize,
        /// Why.
        reason: String,
    },
    /// It goes on for ever.
    #[error("it does not come to rest")]
    Restless,
    /// A flow failed.
    #[error("a flow failed: {0}")]
    Flow(String),
}

impl From<FlowError> for PlayError {
    fn from(error: FlowError) -> Self {
        Self::Flow(report::chain(&error))
    }
}

/// What came of a story.
#[derive(Debug)]
pub struct Played {
    /// The trace.
    pub trace: String,
    /// What is not as the story says.
    pub problems: Vec<Problem>,
    /// What it came to, of each SOP that took part.
    pub coverage: Vec<Coverage>,
}

/// Plays `story`, a story of `sop`.
///
/// `pure` carries out those built-ins that only compute.
///
/// # Errors
/// When it cannot be played to its end. What does not come out as it says is a [`Problem`].
pub async fn play<P: Perform>(
    story: &Story,
    sop: &SopName,
    cast: &Cast,
    pure: &P,
) -> Result<Played, PlayError> {
    let mut stage = Stage::set(story, sop, cast, pure).await?;
    for (at, input) in story.inputs.iter().enumerate() {
        let target = stage.host.now().plus_millis(input.after_ms);
        stage.run_until(target).await?;
        if let Some(act) = &input.act {
            stage.enter(at + 1, input, act).await?;
        }
    }
    stage.settle().await?;
    Ok(stage.judged(story))
}

/// A run, as far as it has been looked at.
pub(super) struct Seen {
    pub(super) sop: SopName,
    pub(super) run: Run,
    seq: u64,
}

/// Everything that a story needs while it is played.
pub(super) struct Stage<'p, P> {
    pub(super) host: Host<Memory, Memory, StoryClock>,
    pub(super) sop: SopName,
    pub(super) definitions: BTreeMap<SopName, Definition>,
    pub(super) trace: Trace,
    pub(super) seen: BTreeMap<RunId, Seen>,
    answers: Answers<'p, P>,
    coverage: BTreeMap<SopName, Coverage>,
    events: Vec<EventId>,
    deliveries: u32,
}

impl<'p, P: Perform> Stage<'p, P> {
    async fn set(
        story: &Story,
        sop: &SopName,
        cast: &Cast,
        pure: &'p P,
    ) -> Result<Self, PlayError> {
        let clock = StoryClock::at(story.start);
        let memory = Memory::new(clock.clone());
        let mut host = Host::new(memory.clone(), memory, clock);
        // As many as a story likes: it is not about the door.
        host.settings.gateway.webhook_rate_limit_per_minute = 0;
        let (files, definitions) = cast.of(sop, &story.sops).map_err(PlayError::Cast)?;
        let workspace = cast.workspace.as_ref().map(|(file, text)| (file.as_str(), text.as_str()));
        let sources = Sources { files: &files, workspace, schema_problem: None };
        match flow::publish(&host, sources, Push::Replace, "author").await? {
            Published::Active { .. } | Published::Drafted { .. } => {}
            Published::Invalid { diagnostics } => return Err(PlayError::Cast(first(&diagnostics))),
        }
        // Nothing is made up for the time before the story.
        host.store.advance(&host.tenant, story.start).await.map_err(FlowError::from)?;
        let coverage =
            definitions.values().map(|sop| (sop.name.clone(), Coverage::of(sop))).collect();
        Ok(Self {
            host,
            sop: sop.clone(),
            definitions,
            trace: Trace::from(story.start),
            seen: BTreeMap::new(),
            answers: Answers::new(sop, &story.answers, pure),
            coverage,
            events: Vec::new(),
            deliveries: 0,
        })
    }

    /// Lets time pass until `target`; what is due by then happens in its order.
    pub(super) async fn run_until(&mut self, target: Timestamp) -> Result<(), PlayError> {
        self.deliver().await?;
        while let Some(at) = self.next_moment().await?.filter(|at| *at <= target) {
            self.go_to(at).await?;
        }
        self.host.clock.set(target);
        Ok(())
    }

    /// After the last input: until what is under way by itself has come to its end.
    async fn settle(&mut self) -> Result<(), PlayError> {
        self.deliver().await?;
        while self.is_under_way() {
            let Some(at) = self.next_moment().await? else { break };
            self.go_to(at).await?;
        }
        Ok(())
    }

    async fn go_to(&mut self, at: Timestamp) -> Result<(), PlayError> {
        self.host.clock.set(at);
        self.deliver().await?;
        if at.as_millis().rem_euclid(MINUTE_MS) == 0 {
            self.deliveries += 1;
            flow::tick(&self.host).await?;
            self.deliver().await?;
        }
        Ok(())
    }

    /// Whether something goes on that needs neither a person nor an event.
    fn is_under_way(&self) -> bool {
        let by_itself = |stand: &Stand| match stand {
            Stand::Performer { .. } | Stand::Timer { .. } | Stand::Retry { .. } => true,
            Stand::Slot
            | Stand::Approval(_)
            | Stand::Person { .. }
            | Stand::Event { .. }
            | Stand::Child { .. }
            | Stand::Unknown => false,
        };
        self.seen.values().map(|seen| &seen.run).any(|run| {
            matches!(run.phase, Phase::Open) && run.live.iter().any(|live| by_itself(&live.stand))
        })
    }

    /// When something happens next, after now.
    async fn next_moment(&self) -> Result<Option<Timestamp>, PlayError> {
        let now = self.host.now();
        let queues = [QueueName::Events, QueueName::Effects];
        let messages =
            queues.into_iter().filter_map(|queue| self.host.queue.next_visible_at(queue));
        let far = now.plus_millis(i64::from(HIDDEN_MS) / 2);
        let message = messages.filter(|at| *at < far).min();
        let next = message.into_iter().chain(self.next_tick().await?).min();
        Ok(next.map(|at| at.max(now.plus_millis(1))))
    }

    /// The next tick that has something to do.
    async fn next_tick(&self) -> Result<Option<Timestamp>, PlayError> {
        let now = self.host.now();
        let store = &self.host.store;
        let tenant = &self.host.tenant;
        let far = Timestamp::from_millis(i64::MAX);
        let mut moments = Vec::new();
        for (_, at) in store.due(tenant, far, 1).await.map_err(FlowError::from)? {
            moments.push(at.plus_millis(TIMER_FIRST_MS));
        }
        if !store.congested(tenant, 1).await.map_err(FlowError::from)?.is_empty() {
            moments.push(now);
        }
        moments.extend(self.next_fire().await?);
        let tick = moments.into_iter().min().map(|at| minute_from(at.max(now.plus_millis(1))));
        Ok(tick)
    }

    /// When the next schedule fires.
    pub(super) async fn next_fire(&self) -> Result<Option<Timestamp>, PlayError> {
        let last = self.host.store.last_check(&self.host.tenant).await.map_err(FlowError::from)?;
        let after = last.unwrap_or_else(|| self.host.now());
        let active = self.host.active().await?;
        let fires = active.index.schedules().filter_map(|schedule| {
            let zone = TimeZone::parse(schedule.timezone).ok()?;
            schedule.expression.next_after(&zone, after)
        });
        Ok(fires.min())
    }

    /// Delivers all that can be received now.
    pub(super) async fn deliver(&mut self) -> Result<(), PlayError> {
        self.look().await?;
        loop {
            if self.deliveries >= DELIVERIES_MAX {
                return Err(PlayError::Restless);
            }
            let mut moved = false;
            for queue in [QueueName::Events, QueueName::Effects] {
                let batch = self.host.queue.receive(queue, 1, HIDDEN_MS).await;
                for delivery in batch.map_err(FlowError::from)? {
                    self.deliveries += 1;
                    self.handle(queue, &delivery).await?;
                    self.look().await?;
                    moved = true;
                }
                if moved {
                    break;
                }
            }
            if !moved {
                return Ok(());
            }
        }
    }

    async fn handle(&mut self, queue: QueueName, delivery: &Delivery) -> Result<(), PlayError> {
        let receipts = std::slice::from_ref(&delivery.receipt);
        match queue {
            QueueName::Events => flow::dispatch(&self.host, &delivery.body).await?,
            QueueName::Effects => {
                if let Some(delay_ms) = self.delay_ms(delivery)? {
                    let released =
                        self.host.queue.release(queue, &delivery.receipt, delay_ms).await;
                    return Ok(released.map_err(FlowError::from)?);
                }
                if !self.hangs(&delivery.body)? {
                    let with = (&self.answers, &AnySecret);
                    flow::execute(&self.host, with, &delivery.body).await?;
                }
            }
        }
        let acknowledged = self.host.queue.acknowledge(queue, receipts).await;
        Ok(acknowledged.map_err(FlowError::from)?)
    }

    /// The answer that a message of the effects queue will get, when it is a call.
    fn answer(&self, body: &str) -> Result<Option<crate::story::Answer>, PlayError> {
        let body = Envelope::parse(body).map_err(FlowError::from)?;
        let Body::Effect { effect: Effect::Perform { key, .. } } = body else { return Ok(None) };
        let sop = self.seen.get(&key.run).map(|seen| &seen.sop);
        Ok(sop.map(|sop| self.answers.choose(sop, &key)))
    }

    /// How long a call takes, when its answer is still to come.
    fn delay_ms(&self, delivery: &Delivery) -> Result<Option<u32>, PlayError> {
        let answer = self.answer(&delivery.body)?;
        let delay_ms = answer.map_or(0, |answer| answer.delay_ms);
        Ok((delay_ms > 0 && delivery.attempt == 1).then_some(delay_ms))
    }

    fn hangs(&self, body: &str) -> Result<bool, PlayError> {
        Ok(self.answer(body)?.is_some_and(|answer| answer.says == Says::Hang))
    }

    /// Notes what the ledgers and the dispatch log say since they were looked at last.
    pub(super) async fn look(&mut self) -> Result<(), PlayError> {
        let page = flow::list_runs(&self.host, None, 1_000).await?;
        let mut ids: Vec<RunId> = page.heads.into_iter().map(|head| head.run).collect();
        ids.sort();
        let mut new = Vec::new();
        for id in ids {
            let from = self.seen.get(&id).map_or(0, |seen| seen.seq + 1);
            let entries = self.host.store.entries(&id, from, 1_000).await;
            for sealed in entries.map_err(FlowError::from)? {
                let entry = sealed.open().map_err(FlowError::from)?;
                new.push((entry.at, id.clone(), entry));
            }
        }
        new.sort_by_key(|(at, _, entry)| (*at, entry.seq == 0));
        for (_, id, entry) in new {
            let before = self.seen.get(&id).map(|seen| &seen.run);
            let name = entry.after.identity.sop.clone();
            if let Some(sop) = self.definitions.get(&name) {
                self.trace.note(sop, before, &entry);
                if let Some(coverage) = self.coverage.get_mut(&name) {
                    coverage.note(sop, before, &entry);
                }
            }
            self.seen.insert(id, Seen { sop: name, seq: entry.seq, run: entry.after });
        }
        self.look_at_log().await?;
        let now = self.host.now();
        for notice in self.answers.take_notices() {
            let text = told(&notice);
            self.trace.say(now, text);
        }
        Ok(())
    }

    /// Says of each event that started nothing why that is.
    async fn look_at_log(&mut self) -> Result<(), PlayError> {
        let query = LogQuery {
            tenant: self.host.tenant.clone(),
            since: Timestamp::from_millis(0),
            until: Timestamp::from_millis(i64::MAX),
            after: None,
            limit: 1_000,
        };
        let mut lines =
            flow::events(&self.host, &query, &flow::EventFilter::default()).await?.lines;
        lines.retain(|line| !self.events.contains(&line.event));
        lines.reverse();
        for line in lines {
            let detail: Detail = serde_json::from_str(&line.detail).unwrap_or_default();
            let is_told = |verdict: &&SopVerdict| {
                let run = verdict.run.as_ref().and_then(|run| RunId::parse(run).ok());
                let run = run.and_then(|run| self.seen.get(&run));
                run.is_some_and(|seen| took(&seen.run, &line.event) || awaits_event(&seen.run))
            };
            let others: Vec<&SopVerdict> =
                detail.verdicts.iter().filter(|verdict| !is_told(verdict)).collect();
            let starts_none = others.len() == detail.verdicts.len();
            // What a trigger of another SOP says does not matter when one has started something.
            let others = others.into_iter().filter(|verdict| starts_none || verdict.matched);
            let others: Vec<String> =
                others.map(|verdict| format!("{}: {}", verdict.sop, verdict.reason)).collect();
            if starts_none || !others.is_empty() {
                let nothing = if starts_none { "nothing" } else { "nothing else" };
                let text = format!("{} {} starts {nothing}", line.source, line.subject);
                self.trace.say(self.host.now(), text);
            }
            others.into_iter().for_each(|text| self.trace.add(text));
            self.events.push(line.event);
        }
        Ok(())
    }

    fn judged(self, story: &Story) -> Played {
        let trace = self.trace.text();
        let mut problems = Vec::new();
        match &story.expect.trace {
            None => problems.push(Problem::Unblessed),
            Some(expected) if !fits(expected, &trace) => {
                problems.push(Problem::Trace { diff: diff(expected, &trace) });
            }
            Some(_) => {}
        }
        if let Some(expected) = &story.expect.status {
            let first = self.trace.run(1).and_then(|run| self.seen.get(run));
            let found = first.map_or("not there", |seen| Status::of(&seen.run).as_str());
            if found != expected {
                let (expected, found) = (expected.clone(), found.to_owned());
                problems.push(Problem::Status { expected, found });
            }
        }
        let made = self.answers.made();
        for call in &story.expect.calls {
            if !made.iter().any(|made| is_it(call, &self.sop, made)) {
                problems.push(Problem::Call { call: shown(call) });
            }
        }
        for answer in self.answers.unused() {
            let sop = answer.sop.unwrap_or_default();
            problems.push(Problem::Unasked { sop, step: answer.step });
        }
        Played { trace, problems, coverage: self.coverage.into_values().collect() }
    }
}

/// Whether `event` started `run`, or is one that it waited for.
fn took(run: &Run, event: &EventId) -> bool {
    run.identity.event == *event || run.heard.iter().any(|heard| heard.event == *event)
}

/// Whether a step of `run` waits for an event: what the log names it for is on its way to it.
fn awaits_event(run: &Run) -> bool {
    run.live.iter().any(|live| matches!(live.stand, Stand::Event { .. }))
}

/// The first whole minute that is not before `at`.
pub(super) fn minute_from(at: Timestamp) -> Timestamp {
    let minutes = at.as_millis().saturating_add(MINUTE_MS - 1).div_euclid(MINUTE_MS);
    Timestamp::from_millis(minutes.saturating_mul(MINUTE_MS))
}

fn told(notice: &flow::Notice) -> String {
    use sop_core::definition::Route;
    let to = match &notice.route {
        Route::Webhook { url, .. } => format!("webhook {url}"),
        Route::Sns { topic_arn } => format!("sns {topic_arn}"),
        Route::Mqtt { topic } => format!("mqtt {topic}"),
    };
    format!("word of gate {} goes to {to}", notice.body["gate"])
}

fn first(diagnostics: &[Diagnostic]) -> String {
    let error = diagnostics.iter().find(|found| found.severity == Severity::Error);
    error.map_or_else(String::new, |it| {
        format!("{}:{}: {} ({})", it.file, it.line, it.message, it.code)
    })
}

fn is_it(call: &ExpectedCall, own: &SopName, made: &crate::story::answer::Made) -> bool {
    let sop = call.sop.as_deref().unwrap_or(own.as_str());
    sop == made.sop.as_str()
        && call.step == made.step
        && call.capability.as_ref().is_none_or(|it| *it == made.capability)
        && call.with.as_ref().is_none_or(|it| holds(it, &made.with))
        && call.input.as_ref().is_none_or(|it| holds(it, &made.input))
}

/// Whether `found` has all that `wanted` has.
fn holds(wanted: &serde_json::Value, found: &serde_json::Value) -> bool {
    match (wanted, found) {
        (serde_json::Value::Object(wanted), serde_json::Value::Object(found)) => wanted
            .iter()
            .all(|(key, wanted)| found.get(key).is_some_and(|found| holds(wanted, found))),
        (wanted, found) => wanted == found,
    }
}

fn shown(call: &ExpectedCall) -> String {
    let mut text = format!("step {}", call.step);
    if let Some(capability) = &call.capability {
        text.push_str(&format!(", {capability}"));
    }
    if let Some(with) = &call.with {
        text.push_str(&format!(", with {with}"));
    }
    if let Some(input) = &call.input {
        text.push_str(&format!(", input {input}"));
    }
    text
}
