//! Runs that wait for an event.

use std::slice;

use futures_util::future::join_all;
use sop_core::id::{Digest, RunId};
use sop_runtime::port::{Waiting, Waits};

use crate::conformance::settled;
use crate::ids::{EPOCH, fresh, fresh_run, fresh_tenant, sop};

/// Proves that `store` keeps who waits for what.
///
/// # Panics
/// When it breaks a promise.
pub async fn waits<S: Waits>(store: &S) {
    who_waits_is_found_until_it_does_not(store).await;
    noting_and_forgetting_again_changes_nothing(store).await;
    one_run_may_wait_at_several_steps_and_for_several_events(store).await;
    everyone_who_came_at_once_is_found(store).await;
}

fn fresh_key() -> Digest {
    Digest::of(fresh("wait").as_bytes())
}

fn new_run() -> RunId {
    fresh_run(&fresh_tenant(), &sop("waits"), EPOCH)
}

async fn waiting<S: Waits>(store: &S, key: &Digest) -> Vec<Waiting> {
    let mut found = store.waiting(key, 100).await.expect("listed");
    found.sort();
    found
}

async fn subscribe<S: Waits>(store: &S, key: &Digest, waiting: &Waiting) {
    store.subscribe(key, waiting, EPOCH.plus_millis(60_000)).await.expect("noted");
}

async fn who_waits_is_found_until_it_does_not<S: Waits>(store: &S) {
    let key = fresh_key();
    assert_eq!(waiting(store, &key).await, []);
    let mut all: Vec<_> = (0..5).map(|step| Waiting { run: new_run(), step }).collect();
    all.sort();
    for one in &all {
        subscribe(store, &key, one).await;
        assert!(waiting(store, &key).await.contains(one), "a store reads what it wrote");
    }
    assert_eq!(waiting(store, &key).await, all);
    assert_eq!(waiting(store, &fresh_key()).await, []);
    for limit in 1..=6 {
        let mut found = store.waiting(&key, limit).await.expect("listed");
        found.sort();
        found.dedup();
        assert_eq!(found.len(), limit.min(5), "up to {limit}");
        assert!(found.iter().all(|one| all.contains(one)));
    }
    while let Some(one) = all.pop() {
        store.unsubscribe(&key, &one).await.expect("forgotten");
        assert_eq!(waiting(store, &key).await, all);
    }
}

async fn noting_and_forgetting_again_changes_nothing<S: Waits>(store: &S) {
    let (key, other) = (fresh_key(), fresh_key());
    let one = Waiting { run: new_run(), step: 3 };
    store.unsubscribe(&key, &one).await.expect("nothing to forget");
    for minutes in [1, 1, 5, 0] {
        let until = EPOCH.plus_millis(minutes * 60_000);
        store.subscribe(&key, &one, until).await.expect("noted");
        assert_eq!(waiting(store, &key).await, slice::from_ref(&one));
    }
    subscribe(store, &other, &one).await;
    let strangers = [
        Waiting { step: 4, ..one.clone() },
        Waiting { step: 33, ..one.clone() },
        Waiting { run: new_run(), ..one.clone() },
    ];
    for stranger in strangers {
        store.unsubscribe(&key, &stranger).await.expect("nothing to forget");
    }
    assert_eq!(waiting(store, &key).await, slice::from_ref(&one));
    for _ in 0..2 {
        store.unsubscribe(&key, &one).await.expect("forgotten");
        assert_eq!(waiting(store, &key).await, []);
        assert_eq!(waiting(store, &other).await, slice::from_ref(&one), "the other wait goes on");
    }
    subscribe(store, &key, &one).await;
    assert_eq!(waiting(store, &key).await, [one], "it may wait again");
}

async fn one_run_may_wait_at_several_steps_and_for_several_events<S: Waits>(store: &S) {
    let run = new_run();
    let keys = [fresh_key(), fresh_key()];
    let steps = [1, 2, 9, 10, 200, u32::MAX];
    let all = steps.map(|step| Waiting { run: run.clone(), step });
    for one in &all {
        for key in &keys {
            subscribe(store, key, one).await;
        }
    }
    for key in &keys {
        assert_eq!(waiting(store, key).await, all);
    }
}

async fn everyone_who_came_at_once_is_found<S: Waits>(store: &S) {
    let key = fresh_key();
    let mut all: Vec<_> = (0..32).map(|step| Waiting { run: new_run(), step }).collect();
    let until = EPOCH.plus_millis(60_000);
    let race = all
        .iter()
        .map(async |one| settled("subscribe", || store.subscribe(&key, one, until)).await);
    join_all(race).await;
    all.sort();
    assert_eq!(waiting(store, &key).await, all);
    let race = all[..31]
        .iter()
        .map(async |one| settled("unsubscribe", || store.unsubscribe(&key, one)).await);
    join_all(race).await;
    assert_eq!(waiting(store, &key).await, all[31..]);
}
