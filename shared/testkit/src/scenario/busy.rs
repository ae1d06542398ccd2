//! Many events for one SOP that runs few at a time, and many dispatchers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sop_core::engine::{End, Phase};
use sop_core::id::{EventId, RunId, Tenant};
use sop_core::journal::verify;
use sop_runtime::flow::{self, Host, dispatch, execute};
use sop_runtime::port::{Clock, Consumer, Message, Queue, QueueName, Store};

use super::{NOOP, WAIT, texts, toml, webhook};
use crate::clock::ManualClock;
use crate::failing::{Failing, Fuse, Moment};
use crate::ids::sop;
use crate::world::Performer;
use sop_core::definition::SourceFiles;

/// Runs that may be active at once.
const ACTIVE_MAX: u32 = 3;

/// Tasks that take from each queue.
const WORKERS: u64 = 8;

/// Milliseconds for which a received message is nobody else's.
const HIDDEN_MS: u32 = 600_000;

/// Looks at a world in which nothing moves, after which it has failed.
const IDLE_LOOKS_MAX: u32 = 2_000;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    /// Runs that completed.
    pub completed: usize,
    /// The most slots that were ever seen taken.
    pub active_max: u32,
    /// The most runs that a built-in ever worked for at once.
    pub performing_max: usize,
    /// Effects that were carried out more than once.
    pub repeated: usize,
    /// Processes that died.
    pub deaths: u64,
}

/// What tasks share.
struct Shared<S, Q> {
    store: S,
    queue: Q,
    clock: ManualClock,
    performer: Performer,
    /// Port calls after which a process dies, if it does.
    life: Option<u64>,
    deaths: AtomicU64,
    handled: AtomicU64,
    /// Tasks that have messages in hand: time stands still for them.
    working: AtomicU64,
    over: AtomicBool,
}

/// Sends `events` events for an SOP that runs three at a time, and has eight dispatchers and as many
/// executors carry them out at once; with `life` each dies after about so many port calls.
///
/// # Panics
/// When more than three are active, one is lost or stranded, or a ledger does not hold.
pub async fn max_concurrent<S, Q>(
    store: S,
    queue: Q,
    clock: ManualClock,
    events: usize,
    life: Option<u64>,
) -> Busy
where
    S: Store + Clone + 'static,
    Q: Queue + Consumer + Clone + 'static,
{
    let mut host = Host::new(store.clone(), queue.clone(), clock.clone());
    host.settings.gateway.webhook_rate_limit_per_minute = 0;
    let keys = format!("max_concurrent = {ACTIVE_MAX}");
    let (toml, markdown) =
        texts(&toml("busy", &keys, &webhook("/sop/busy")), &[NOOP, NOOP, WAIT, NOOP]);
    let files = SourceFiles { directory: "sops/x".into(), toml, markdown: Some(markdown) };
    flow::publish(&host, [files][..].into(), flow::Push::Replace, "author")
        .await
        .expect("published");
    let ids = accepted(&host, events).await;
    let shared = Arc::new(Shared {
        store,
        queue,
        clock: clock.clone(),
        performer: Performer::default(),
        life,
        deaths: AtomicU64::new(0),
        handled: AtomicU64::new(0),
        working: AtomicU64::new(0),
        over: AtomicBool::new(false),
    });
    let workers: Vec<_> =
        (0..2 * WORKERS).map(|number| tokio::spawn(work(Arc::clone(&shared), number))).collect();
    let active_max = watch(&host, &shared, &ids).await;
    shared.over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.expect("no worker panics");
    }
    let completed = completed(&host, &ids).await;
    let counters = host.store.counters(&Tenant::default(), &sop("busy")).await.expect("counted");
    assert_eq!((counters.active, counters.waiting), (0, 0), "every slot is returned");
    let performing_max = shared.performer.active_max();
    let repeated = shared.performer.counts().values().filter(|count| **count > 1).count();
    if life.is_none() {
        assert!(performing_max <= ACTIVE_MAX as usize, "{performing_max} worked at once");
        // Time runs ahead of a task that the machine holds up: its work may look left undone.
        assert!(repeated * 100 <= events, "{repeated} effects were repeated");
    }
    assert!(active_max <= ACTIVE_MAX, "{active_max} slots were taken");
    let deaths = shared.deaths.load(Ordering::SeqCst);
    Busy { completed, active_max, performing_max, repeated, deaths }
}

async fn accepted<S: Store, Q: Queue, C: Clock>(host: &Host<S, Q, C>, events: usize) -> Vec<RunId> {
    let mut runs = Vec::new();
    for number in 0..events {
        let body = number.to_string();
        let hook = flow::Hook {
            method: "POST",
            raw_path: "/sop/busy",
            bearer: None,
            key: None,
            trace: None,
            body: body.as_bytes(),
        };
        let answer = flow::hook(host, hook).await.expect("accepted");
        let flow::Answer::Accepted(told) = answer else { panic!("{answer:?}") };
        let event: EventId = told.event_id;
        runs.push(RunId::derive(&host.tenant, &sop("busy"), &event, host.now()));
    }
    runs
}

/// Looks until every run is over; the most slots that were taken.
async fn watch<S: Store, Q: Queue + Consumer>(
    host: &Host<S, Q, ManualClock>,
    shared: &Shared<S, Q>,
    runs: &[RunId],
) -> u32 {
    let (mut active_max, mut idle, mut handled, mut finished) = (0, 0, 0, 0);
    while finished < runs.len() {
        let counters = host.store.counters(&host.tenant, &sop("busy")).await.expect("counted");
        active_max = active_max.max(counters.active);
        assert!(counters.active <= ACTIVE_MAX, "{counters:?}");
        while finished < runs.len() && is_over(host, &runs[finished]).await {
            finished += 1;
        }
        let now = shared.handled.load(Ordering::SeqCst);
        if now > handled || shared.working.load(Ordering::SeqCst) > 0 {
            (handled, idle) = (now, 0);
        } else {
            idle += 1;
            assert!(idle < IDLE_LOOKS_MAX, "stranded: {finished} runs over, {counters:?}");
            // At the third look nobody is on the way from a queue to its message either.
            if idle > 2 {
                shared.clock.advance(200);
            }
            if idle % 20 == 0 {
                flow::tick(host).await.expect("ticked");
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    active_max
}

async fn is_over<S: Store, Q, C>(host: &Host<S, Q, C>, run: &RunId) -> bool {
    let Some(newest) = host.store.latest(run).await.expect("read") else { return false };
    newest.open().expect("an entry").after.is_finished()
}

async fn completed<S: Store, Q, C: Clock>(host: &Host<S, Q, C>, runs: &[RunId]) -> usize {
    for run in runs {
        let entries = flow::journal(host, run).await.expect("read");
        let first = entries[0].open().expect("an entry");
        let sop = host.definition(&first.after.identity.definition).await.expect("there");
        let verified = verify(&entries, &sop).expect("the ledger holds");
        let phase = verified.run.phase;
        assert!(matches!(phase, Phase::Finished { end: End::Completed, .. }), "{run}: {phase:?}");
    }
    runs.len()
}

/// One task: takes messages of one queue and carries them out, dies and is started again.
async fn work<S, Q>(shared: Arc<Shared<S, Q>>, number: u64)
where
    S: Store + Clone,
    Q: Queue + Consumer + Clone,
{
    let queue = if number.is_multiple_of(2) { QueueName::Events } else { QueueName::Effects };
    let mut lives = 0;
    let mut process = born(&shared, number, lives);
    while !shared.over.load(Ordering::SeqCst) {
        let batch = shared.queue.receive(queue, 10, HIDDEN_MS).await.expect("received");
        if batch.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            continue;
        }
        shared.working.fetch_add(1, Ordering::SeqCst);
        for delivery in batch {
            let done = match queue {
                QueueName::Events => dispatch(&process.0, &delivery.body).await,
                QueueName::Effects => {
                    execute(&process.0, (&shared.performer, &()), &delivery.body).await
                }
            };
            shared.handled.fetch_add(1, Ordering::SeqCst);
            if let Err(error) = done {
                assert!(error.is_retryable(), "{}", sop_runtime::report::chain(&error));
                if process.1.has_blown() {
                    lives += 1;
                    shared.deaths.fetch_add(1, Ordering::SeqCst);
                    process = born(&shared, number, lives);
                }
                // As new, so that bad luck makes it no dead letter.
                let again = Message { body: delivery.body.clone(), delay_secs: 0 };
                shared.queue.send(queue, &[again]).await.expect("sent");
            }
            shared.queue.acknowledge(queue, &[delivery.receipt]).await.expect("acknowledged");
        }
        shared.working.fetch_sub(1, Ordering::SeqCst);
    }
}

type Process<S, Q> = (Host<Failing<S>, Failing<Q>, ManualClock>, Fuse);

/// A process that has remembered nothing, and will die in its time.
fn born<S: Clone, Q: Clone>(shared: &Shared<S, Q>, number: u64, lives: u64) -> Process<S, Q> {
    let fuse = match shared.life {
        Some(life) => {
            let call = life / 2 + (number * 31 + lives * 17) % life.max(1);
            let moment = if lives.is_multiple_of(2) { Moment::After } else { Moment::Before };
            Fuse::dead_from(call, moment)
        }
        None => Fuse::whole(),
    };
    let store = Failing::new(shared.store.clone(), &fuse);
    let queue = Failing::new(shared.queue.clone(), &fuse);
    (Host::new(store, queue, shared.clock.clone()), fuse)
}
