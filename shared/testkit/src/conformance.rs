//! The suites that every implementation of a port must pass: each scenario proves sentences of the
//! port's documentation.
//!
//! Scenarios use tenants, runs and keys of their own, so one table serves them all, again and again.
//! Queues have no such names: give [`queue_suite`] queues that nobody else uses meanwhile.

mod catalog;
mod counters;
mod cron;
mod dead;
mod heads;
mod idempotency;
mod journal;
mod log;
mod queue;
mod rates;
mod routines;
mod tokens;
mod versions;
mod waits;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use sop_runtime::port::{Consumer, DeadLetters, PortError, Queue, Store};

use crate::patience::Passage;

pub use catalog::catalog;
pub use cron::cron;
pub use dead::{dead, failures};
pub use heads::heads;
pub use idempotency::idempotency;
pub use journal::{blobs, journal};
pub use log::log;
pub use queue::queue;
pub use rates::rates;
pub use routines::routines;
pub use tokens::tokens;
pub use versions::versions;
pub use waits::waits;

/// How long a list may lag behind in a test.
const LAG_MAX: Duration = Duration::from_secs(10);

/// How often a call that met contention is made again.
const TRIES_MAX: usize = 200;

/// Proves that `store` is a store.
///
/// # Panics
/// When it breaks a promise.
pub async fn store_suite<S: Store>(store: &S) {
    journal(store).await;
    blobs(store).await;
    heads(store).await;
    waits(store).await;
    catalog(store).await;
    versions(store).await;
    log(store).await;
    idempotency(store).await;
    tokens(store).await;
    rates(store).await;
    cron(store).await;
    routines(store).await;
    failures(store).await;
}

/// Proves that `queue` is a queue; `passage` is how time passes for it, `receives_max` how often it
/// lets a message be received.
///
/// # Panics
/// When it breaks a promise.
pub async fn queue_suite<Q: Queue + Consumer + DeadLetters>(
    queue: &Q,
    passage: &impl Passage,
    receives_max: u32,
) {
    self::queue(queue, passage, receives_max).await;
    dead(queue, passage, receives_max).await;
}

/// Makes `call` until it finds out: contention may make a store give up for the moment.
async fn settled<T, Fut>(what: &str, mut call: impl FnMut() -> Fut) -> T
where
    T: fmt::Debug,
    Fut: Future<Output = Result<T, PortError>>,
{
    for _ in 0..TRIES_MAX {
        match call().await {
            Ok(value) => return value,
            Err(error) => {
                assert!(error.retryable, "{what}: {error}: {}", error.source);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    panic!("{what}: still contended after {TRIES_MAX} tries");
}

/// Follows a list to its end: `page` is given where a page begins and tells its items and the next.
///
/// Every page holds at most `limit` items, and none but the last says that it is the last.
async fn all_pages<T, Fut>(limit: usize, mut page: impl FnMut(Option<String>) -> Fut) -> Vec<T>
where
    Fut: Future<Output = Result<(Vec<T>, Option<String>), PortError>>,
{
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let (mut new, next) = page(after).await.expect("a page is listed");
        assert!(new.len() <= limit, "a page of {limit} holds {}", new.len());
        items.append(&mut new);
        assert!(items.len() < 10_000, "the list does not end");
        if next.is_none() {
            return items;
        }
        after = next;
    }
}
