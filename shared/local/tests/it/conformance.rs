use sop_local::store::RECEIVES_MAX;
use sop_testkit::conformance::{queue_suite, store_suite};

use crate::{manual, real};

#[tokio::test]
async fn sqlite_is_a_store() {
    let dir = tempfile::tempdir().unwrap();
    store_suite(&real(&dir.path().join("sop.db"))).await;
}

#[tokio::test]
async fn sqlite_is_a_queue() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = manual(&dir.path().join("sop.db"));
    queue_suite(&store, &clock, RECEIVES_MAX).await;
    queue_suite(&store, &clock, RECEIVES_MAX).await;
}

/// Three tickers race for a day with two hours down: what fires is what the window rule says, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn tickers_that_race_fire_what_one_would() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = manual(&dir.path().join("sop.db"));
    let fired = sop_testkit::scenario::tickers(store.clone(), store, &clock, 7).await;
    assert!(fired > 2 * (24 * 60 - 120), "{fired} fired");
}

/// Four suites at once, on threads of their own, find the same store as one after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_is_a_store_for_many_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = real(&dir.path().join("sop.db"));
    let handle = tokio::runtime::Handle::current();
    let suites: Vec<_> = (0..4)
        .map(|_| {
            let (store, handle) = (store.clone(), handle.clone());
            std::thread::spawn(move || handle.block_on(store_suite(&store)))
        })
        .collect();
    for suite in suites {
        suite.join().expect("the suite passes");
    }
}
