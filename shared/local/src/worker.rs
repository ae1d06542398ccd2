//! What calls the flows on one machine: a loop a queue, where AWS has an event source mapping, and the
//! tick, where AWS has a schedule.
//!
//! Flow: receive → handle, many at once → acknowledge what went well, release what did not. A message
//! that keeps failing is received until the queue gives it up to the dead letters.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sop_core::Timestamp;
use sop_runtime::flow::{self, FlowError, Host};
use sop_runtime::metric;
use sop_runtime::port::{Clock, Consumer, Delivery, QueueName};
use sop_runtime::report::chain;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::store::Sqlite;

/// Messages of one queue handled at once.
const HANDLED_AT_ONCE: usize = 256;

/// Free places before another batch is received: receiving is a write.
const RECEIVE_AT_LEAST: usize = 32;

/// Milliseconds that a message of the events queue is held for one handling.
const EVENT_HELD_MS: u32 = 30_000;

/// Milliseconds that an effect is held: longer than an attempt may take.
const EFFECT_HELD_MS: u32 = 330_000;

/// Longest wait between two looks at a queue, should a wake-up be missed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Between two ticks.
const TICK_EVERY: Duration = Duration::from_secs(1);

/// Ticks between two clean-ups of what has lapsed.
const TICKS_PER_CLEANUP: u32 = 60;

/// Rows that one clean-up removes at most.
const CLEANUP_MAX: usize = 10_000;

/// A host on one machine.
pub type LocalHost<C> = Host<Sqlite, Sqlite, C>;

/// Tells a worker to stop: it takes nothing new and finishes what it has.
pub type Shutdown = watch::Receiver<bool>;

/// Handles the messages of `queue` until `shutdown` says stop.
///
/// `handle` is called for many messages at once; each is acknowledged or released on its own.
pub async fn work<F, Fut>(store: Sqlite, queue: QueueName, handle: F, mut shutdown: Shutdown)
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = Result<(), FlowError>> + Send + 'static,
{
    let held_ms = match queue {
        QueueName::Events => EVENT_HELD_MS,
        QueueName::Effects => EFFECT_HELD_MS,
    };
    let mut running = JoinSet::new();
    while !*shutdown.borrow() {
        while running.try_join_next().is_some() {}
        let free = HANDLED_AT_ONCE - running.len();
        let mut received = 0;
        if free >= RECEIVE_AT_LEAST {
            match store.receive(queue, free, held_ms).await {
                Ok(deliveries) => {
                    received = deliveries.len();
                    for delivery in deliveries {
                        let handled = handle(delivery.body.clone());
                        running.spawn(settle(store.clone(), queue, delivery, handled));
                    }
                }
                Err(error) => {
                    tracing::error!(queue = queue.as_str(), error = %chain(&error), "receive")
                }
            }
        }
        if received > 0 && running.len() < HANDLED_AT_ONCE {
            tokio::task::yield_now().await;
            continue;
        }
        let wait = wait(&store, queue);
        tokio::select! {
            () = store.watch(queue).notified(), if free >= RECEIVE_AT_LEAST => {}
            _ = running.join_next(), if free < RECEIVE_AT_LEAST => {}
            () = tokio::time::sleep(wait) => {}
            _ = shutdown.changed() => {}
        }
    }
    while running.join_next().await.is_some() {}
}

fn now() -> Timestamp {
    sop_runtime::port::SystemClock.now()
}

/// How long nothing can become visible.
fn wait(store: &Sqlite, queue: QueueName) -> Duration {
    let now = now();
    let due: Option<Timestamp> = store.next_visible_at(queue).ok().flatten();
    let millis = due.map_or(i64::MAX, |at| at.millis_since(now).max(1));
    Duration::from_millis(millis.unsigned_abs()).min(LOOK_EVERY)
}

async fn settle(
    store: Sqlite,
    queue: QueueName,
    delivery: Delivery,
    handled: impl Future<Output = Result<(), FlowError>>,
) {
    let settled = match handled.await {
        Ok(()) => store.acknowledge(queue, std::slice::from_ref(&delivery.receipt)).await,
        Err(error) => {
            metric::message_failed(queue);
            tracing::warn!(
                queue = queue.as_str(),
                attempt = delivery.attempt,
                retryable = error.is_retryable(),
                error = %chain(&error),
                "message failed"
            );
            let (why, attempt) = (chain(&error), delivery.attempt);
            let noted = flow::note_failure(&store, &delivery.body, attempt, &why, now());
            if let Err(error) = noted.await {
                tracing::error!(error = %chain(&error), "a failure could not be noted");
            }
            let delay_ms = 100_u32.saturating_mul(1 << delivery.attempt.min(6));
            store.release(queue, &delivery.receipt, delay_ms).await
        }
    };
    if let Err(error) = settled {
        // It is delivered again, which changes nothing that is settled.
        tracing::error!(queue = queue.as_str(), error = %chain(&error), "settle");
    }
}

/// Ticks until `shutdown` says stop: schedules, the sweep, and the clean-up of what has lapsed.
pub async fn keep_time<C: Clock>(host: Arc<LocalHost<C>>, mut shutdown: Shutdown) {
    let mut every = tokio::time::interval(TICK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ticks = 0_u32;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = shutdown.changed() => return,
        }
        if let Err(error) = flow::tick(&host).await {
            tracing::error!(error = %chain(&error), "tick");
        }
        ticks = ticks.wrapping_add(1);
        if ticks.is_multiple_of(TICKS_PER_CLEANUP)
            && let Err(error) = host.store.forget_expired(host.now(), CLEANUP_MAX).await
        {
            tracing::error!(error = %chain(&error), "clean up");
        }
    }
}
