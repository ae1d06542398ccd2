//! The cursor of the schedule.

use futures_util::future::join_all;
use sop_runtime::port::CronCursor;

use crate::conformance::settled;
use crate::ids::{EPOCH, fresh_tenant};

/// Proves that `store` keeps the cursor of the schedule.
///
/// # Panics
/// When it breaks a promise.
pub async fn cron<S: CronCursor>(store: &S) {
    let tenant = fresh_tenant();
    assert_eq!(store.last_check(&tenant).await.expect("read"), None);
    // To where, and where it is then, in milliseconds.
    for (to, expected) in
        [(0, 0), (60_000, 60_000), (59_999, 60_000), (60_000, 60_000), (61_000, 61_000)]
    {
        store.advance(&tenant, EPOCH.plus_millis(to)).await.expect("advanced");
        let there = store.last_check(&tenant).await.expect("read");
        assert_eq!(there, Some(EPOCH.plus_millis(expected)), "after {to}");
    }
    let race = (0..16).map(|i| EPOCH.plus_millis(100_000 + (i * 7) % 16)).map(async |to| {
        settled("advance", || store.advance(&tenant, to)).await;
    });
    join_all(race).await;
    let there = store.last_check(&tenant).await.expect("read");
    assert_eq!(there, Some(EPOCH.plus_millis(100_015)), "the latest of many stays");
    assert_eq!(store.last_check(&fresh_tenant()).await.expect("read"), None);
}
