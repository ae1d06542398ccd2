//! A small world: a host, its queues, a scripted performer and a person who says yes, run to quiet.
//!
//! Processes die as the fuse says and are started again with nothing remembered; messages come twice, in
//! another order, and again although they were acknowledged. Whatever happens, [`World::check`] must hold.

mod check;
mod performer;

use std::collections::BTreeSet;

use sop_core::definition::SourceFiles;
use sop_core::engine::{Decision, Input};
use sop_core::id::{EventId, InputId, RunId};
use sop_runtime::flow::{
    self, Answer, Door, FlowError, Hook, Host, Published, Push, Submitted, dispatch, execute,
};
use sop_runtime::port::{Clock, Consumer, Queue, QueueName, Store};
use sop_runtime::report;

use crate::failing::{Failing, Fuse};
use crate::patience::Passage;

pub use check::Verdict;
pub use performer::Performer;

/// Milliseconds that pass between two looks at queues that hold nothing.
const STEP_MS: u32 = 500;

/// Milliseconds after which queues that hold nothing are quiet: longer than any delay of the scenarios.
const QUIET_MS: u32 = 7_000;

/// Milliseconds between two looks at an inbox, which may lag behind, while nothing moves.
const ASKED_EVERY_MS: u32 = 4 * STEP_MS;

/// Milliseconds for which a received message is nobody else's.
const HIDDEN_MS: u32 = 600_000;

/// Deliveries after which a world that does not come to rest has failed.
const DELIVERIES_MAX: u32 = 50_000;

/// What goes wrong with deliveries, at random but the same for the same seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mischief {
    /// Percent of messages that are handled twice at one delivery.
    pub twice: u64,
    /// Percent of messages that come again although they were handled.
    pub again: u64,
    /// Whether a batch is handled in another order.
    pub shuffle: bool,
    /// What the choices are drawn from.
    pub seed: u64,
}

impl Mischief {
    /// Everything at once.
    pub fn all(seed: u64) -> Self {
        Self { twice: 30, again: 30, shuffle: true, seed }
    }
}

/// A host over `store` and `queue` with all that moves it.
pub struct World<S, Q, C: Clock> {
    host: Host<Failing<S>, Failing<Q>, C>,
    /// Looks without being counted, and remembers nothing that matters.
    plain: Host<S, Q, C>,
    fuse: Fuse,
    performer: Performer,
    mischief: Mischief,
    random: u64,
    answered: BTreeSet<(RunId, u32)>,
    deliveries: u32,
    deaths: u32,
    closed: bool,
}

impl<S, Q, C> World<S, Q, C>
where
    S: Store + Clone,
    Q: Queue + Consumer + Clone,
    C: Clock + Passage + Clone,
{
    /// A world whose first process dies as `fuse` says.
    pub fn new(store: S, queue: Q, clock: C, fuse: &Fuse, mischief: Mischief) -> Self {
        let plain = Host::new(store.clone(), queue.clone(), clock.clone());
        let host = Host::new(Failing::new(store, fuse), Failing::new(queue, fuse), clock);
        Self {
            host,
            plain,
            fuse: fuse.clone(),
            performer: Performer::default(),
            mischief,
            random: mischief.seed ^ 0x9e37_79b9_7f4a_7c15,
            answered: BTreeSet::new(),
            deliveries: 0,
            deaths: 0,
            closed: false,
        }
    }

    /// The host, as a flow is given it. What fails here is to be told to [`World::survive`].
    pub fn host(&self) -> &Host<Failing<S>, Failing<Q>, C> {
        &self.host
    }

    /// A host over the same ports that never fails.
    pub fn plain(&self) -> &Host<S, Q, C> {
        &self.plain
    }

    /// Who carries out built-ins.
    pub fn performer(&self) -> &Performer {
        &self.performer
    }

    /// Port calls that the present process has made.
    pub fn calls(&self) -> u64 {
        self.fuse.calls()
    }

    /// How often a process died.
    pub fn deaths(&self) -> u32 {
        self.deaths
    }

    /// A flow failed: if its process is dead, another takes over that remembers nothing.
    ///
    /// # Panics
    /// When the process lives and the error does not pass.
    pub fn survive(&mut self, error: &FlowError) {
        if !self.fuse.has_blown() {
            assert!(error.is_retryable(), "in a healthy process: {}", report::chain(error));
            return;
        }
        self.deaths += 1;
        self.fuse = Fuse::whole();
        let store = Failing::new(self.plain.store.clone(), &self.fuse);
        let queue = Failing::new(self.plain.queue.clone(), &self.fuse);
        self.host = Host::new(store, queue, self.plain.clock.clone());
    }

    /// A number below 100.
    fn percent(&mut self) -> u64 {
        // xorshift64
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) % 100
    }

    /// Publishes SOPs, each given as `SOP.toml` and `SOP.md`; tries again until it is done.
    ///
    /// # Panics
    /// When they have errors.
    pub async fn publish(&mut self, texts: &[(String, String)]) {
        let files: Vec<SourceFiles> = texts
            .iter()
            .map(|(toml, markdown)| SourceFiles {
                directory: "sops/x".into(),
                toml: toml.clone(),
                markdown: Some(markdown.clone()),
            })
            .collect();
        loop {
            match flow::publish(&self.host, files[..].into(), Push::Replace, "author").await {
                Ok(Published::Active { .. } | Published::Drafted { .. }) => return,
                Ok(Published::Invalid { diagnostics }) => panic!("{diagnostics:#?}"),
                Err(error) => self.survive(&error),
            }
        }
    }

    /// Calls the public webhook at `path` under `key` until it answers; the event's id.
    ///
    /// # Panics
    /// When the event is not accepted.
    pub async fn call(&mut self, path: &str, key: &str, body: &str) -> EventId {
        loop {
            let hook = Hook {
                method: "POST",
                raw_path: path,
                bearer: None,
                key: Some(key),
                trace: None,
                body: body.as_bytes(),
            };
            match flow::hook(&self.host, hook).await {
                Ok(Answer::Accepted(told) | Answer::Duplicate(told)) => return told.event_id,
                Ok(answer) => panic!("{path}: {answer:?}"),
                Err(error) => self.survive(&error),
            }
        }
    }

    /// Takes in what a device or a schedule sent, until it is acknowledged; the event's id.
    ///
    /// # Panics
    /// When the door has no id and time of its own for it, so that a second try would be another event.
    pub async fn take(&mut self, door: Door) -> EventId {
        assert!(door.transport_id.is_some() && door.time.is_some(), "redelivery has the same id");
        loop {
            match flow::accept(&self.host, door.clone()).await {
                Ok(event) => return event.id,
                Err(error) => self.survive(&error),
            }
        }
    }

    /// Hands on one message; whether it may be forgotten.
    async fn handle(&mut self, queue: QueueName, body: &str) -> bool {
        self.deliveries += 1;
        assert!(self.deliveries < DELIVERIES_MAX, "the world does not come to rest: {body}");
        let done = match queue {
            QueueName::Events => dispatch(&self.host, body).await,
            QueueName::Effects => execute(&self.host, (&self.performer, &()), body).await,
        };
        match done {
            Ok(()) => true,
            Err(error) => {
                self.survive(&error);
                false
            }
        }
    }

    /// Delivers what `queue` has now; how many messages.
    async fn deliver(&mut self, queue: QueueName) -> usize {
        let mut batch = self.plain.queue.receive(queue, 10, HIDDEN_MS).await.expect("received");
        if self.mischief.shuffle {
            for i in (1..batch.len()).rev() {
                let j = usize::try_from(self.percent()).expect("small") % (i + 1);
                batch.swap(i, j);
            }
        }
        for delivery in &batch {
            let mut done = self.handle(queue, &delivery.body).await;
            if self.percent() < self.mischief.twice {
                done = self.handle(queue, &delivery.body).await && done;
            }
            // Only the first time, so that no queue takes it for poison.
            let again = delivery.attempt == 1 && self.percent() < self.mischief.again;
            if done && !again {
                let receipts = std::slice::from_ref(&delivery.receipt);
                self.plain.queue.acknowledge(queue, receipts).await.expect("acknowledged");
            } else {
                self.plain.queue.release(queue, &delivery.receipt, 0).await.expect("released");
            }
        }
        batch.len()
    }

    /// The person says yes to all that the inbox shows, once to each; how many answers.
    async fn answer(&mut self) -> usize {
        let page = flow::inbox(&self.plain, None, 100).await.expect("the inbox is listed");
        let mut answers = 0;
        for head in page.heads {
            let step = head.step;
            if !self.answered.insert((head.run.clone(), step)) {
                continue;
            }
            answers += 1;
            let (id, input) = match head.gate {
                Some(gate) => {
                    let decision = Decision::Approve { comment: None };
                    (format!("yes-{gate}"), Input::Decide { gate, decision })
                }
                None => {
                    let verdict = sop_core::engine::Verdict::Completed { output: None };
                    (format!("done-{step}"), Input::Report { step, verdict })
                }
            };
            let id = InputId::parse(&id).expect("visible ASCII");
            match flow::submit(&self.host, &head.run, &id, "person", input, None).await {
                Ok(Submitted::Applied | Submitted::Refused(_)) => {}
                Err(error) => self.survive(&error),
            }
        }
        answers
    }

    /// The minute's tick, made again when it fails.
    pub async fn tick(&mut self) {
        while let Err(error) = flow::tick(&self.host).await {
            self.survive(&error);
        }
    }

    /// Delivers until the queues have been empty for long enough that nothing is delayed any more.
    pub async fn drain(&mut self) -> usize {
        let (mut moved, mut quiet_ms) = (0, 0);
        while quiet_ms < QUIET_MS {
            let mut now = self.deliver(QueueName::Events).await;
            now += self.deliver(QueueName::Effects).await;
            if now == 0 && quiet_ms.is_multiple_of(ASKED_EVERY_MS) {
                now = self.answer().await;
            }
            moved += now;
            if now > 0 {
                quiet_ms = 0;
                continue;
            }
            self.plain.clock.pass(STEP_MS).await;
            quiet_ms += STEP_MS;
        }
        moved
    }

    /// Runs until nothing moves any more: queues, people, the tick.
    pub async fn settle(&mut self) {
        loop {
            self.drain().await;
            // A person who saw an error and whose answer did not count is asked again.
            self.answered.clear();
            self.tick().await;
            if self.drain().await == 0 {
                return;
            }
        }
    }

    /// Sees that no message is left over, not even among the dead letters.
    ///
    /// # Panics
    /// When one is.
    pub async fn close(mut self) {
        for queue in [QueueName::Events, QueueName::Effects] {
            let left = self.plain.queue.receive(queue, 10, HIDDEN_MS).await.expect("received");
            assert!(left.is_empty(), "left over in {queue:?}: {left:?}");
            let dead = self.plain.queue.dead_letters(queue, 10).await.expect("listed");
            assert!(dead.is_empty(), "dead letters in {queue:?}: {dead:?}");
        }
        self.closed = true;
    }

    /// Leaves the world as it is, messages and all.
    pub fn abandon(mut self) {
        self.closed = true;
    }
}

impl<S, Q, C: Clock> Drop for World<S, Q, C> {
    fn drop(&mut self) {
        let panicking = std::thread::panicking();
        assert!(self.closed || panicking, "a world is closed, or abandoned in so many words");
    }
}
