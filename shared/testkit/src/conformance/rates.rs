//! How often clients have called.

use futures_util::future::join_all;
use sop_runtime::port::RateLimits;

use crate::conformance::settled;
use crate::ids::{EPOCH, fresh, fresh_tenant};

/// Proves that `store` counts calls.
///
/// # Panics
/// When it breaks a promise.
pub async fn rates<S: RateLimits>(store: &S) {
    a_quota_is_taken_one_by_one(store).await;
    counters_are_apart(store).await;
    of_many_at_once_exactly_the_quota_passes(store).await;
}

async fn a_quota_is_taken_one_by_one<S: RateLimits>(store: &S) {
    let (tenant, client) = (fresh_tenant(), fresh("client"));
    let until = EPOCH.plus_millis(120_000);
    for expected in [Some(1), Some(2), Some(3), None, None] {
        let taken = store.take(&tenant, &client, EPOCH, 3, until).await.expect("answered");
        assert_eq!(taken, expected);
    }
    // What was refused was not counted: a higher quota goes on where the lower one ended.
    assert_eq!(store.take(&tenant, &client, EPOCH, 4, until).await.expect("answered"), Some(4));
    assert_eq!(store.take(&tenant, &client, EPOCH, 2, until).await.expect("answered"), None);
    assert_eq!(store.take(&tenant, &fresh("none"), EPOCH, 0, until).await.expect("answered"), None);
}

async fn counters_are_apart<S: RateLimits>(store: &S) {
    let (mine, theirs) = (fresh_tenant(), fresh_tenant());
    let client = fresh("client");
    let longest = format!("{client}{}", "k".repeat(200 - client.len()));
    let lively = format!("{client}#żółć 🚰'\"; \u{1}");
    let next = EPOCH.plus_millis(60_000);
    for (tenant, client, window) in [
        (&mine, &client, EPOCH),
        (&theirs, &client, EPOCH),
        (&mine, &client, next),
        (&mine, &longest, EPOCH),
        (&mine, &lively, EPOCH),
        (&mine, &client.to_uppercase(), EPOCH),
    ] {
        let until = window.plus_millis(120_000);
        for expected in [Some(1), None] {
            let taken = store.take(tenant, client, window, 1, until).await.expect("answered");
            assert_eq!(taken, expected, "{client}");
        }
    }
}

async fn of_many_at_once_exactly_the_quota_passes<S: RateLimits>(store: &S) {
    const QUOTA: u32 = 20;
    let (tenant, client) = (fresh_tenant(), fresh("client"));
    let until = EPOCH.plus_millis(120_000);
    let race = (0..64)
        .map(async |_| settled("take", || store.take(&tenant, &client, EPOCH, QUOTA, until)).await);
    let mut passed: Vec<u32> = join_all(race).await.into_iter().flatten().collect();
    passed.sort_unstable();
    assert_eq!(passed, (1..=QUOTA).collect::<Vec<_>>());
}
