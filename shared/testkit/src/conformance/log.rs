//! The dispatch log.

use futures_util::future::join_all;
use sop_core::event::Source;
use sop_core::id::Tenant;
use sop_core::time::Timestamp;
use sop_runtime::port::{EventLog, LogLine, LogQuery};

use crate::conformance::{LAG_MAX, all_pages, settled};
use crate::ids::{EPOCH, fresh_event, fresh_tenant};
use crate::patience::eventually;

/// Proves that `store` keeps the dispatch log.
///
/// # Panics
/// When it breaks a promise.
pub async fn log<S: EventLog>(store: &S) {
    lines_are_listed_newest_first(store).await;
    the_same_event_replaces_its_line(store).await;
    a_large_payload_is_kept_beside_its_line(store).await;
    many_count_at_once(store).await;
}

fn line(tenant: &Tenant, time: Timestamp) -> LogLine {
    LogLine {
        event: fresh_event(time),
        tenant: tenant.clone(),
        time,
        source: Source::Mqtt,
        subject: "sensors/żółć/🚰".into(),
        outcome: "unmatched".into(),
        detail: "{ \"verdicts\": [ {\"reason\":\"1 >= 2 is false\"} ] }".into(),
        payload: None,
        expires_at: time.plus_millis(3_650 * 24 * 3_600_000),
    }
}

async fn list<S: EventLog>(
    store: &S,
    tenant: &Tenant,
    (since, until): (i64, i64),
    limit: usize,
) -> Vec<LogLine> {
    all_pages(limit, async |after| {
        let (since, until) = (EPOCH.plus_millis(since), EPOCH.plus_millis(until));
        let query = LogQuery { tenant: tenant.clone(), since, until, after, limit };
        let page = store.list(&query).await?;
        Ok((page.lines, page.next))
    })
    .await
}

async fn lines_are_listed_newest_first<S: EventLog>(store: &S) {
    let tenant = fresh_tenant();
    assert_eq!(list(store, &tenant, (-1_000, 1_000), 5).await, []);
    // Days and minutes apart, and three in the same millisecond.
    let day = 24 * 3_600_000;
    let times = [-3 * day, -day, -60_000, -1, 0, 0, 0, 1, 60_000, day, 3 * day];
    let mut lines: Vec<_> =
        times.iter().map(|offset| line(&tenant, EPOCH.plus_millis(*offset))).collect();
    for line in lines.iter().step_by(2).chain(lines.iter().skip(1).step_by(2)) {
        store.record(line).await.expect("recorded");
    }
    store.record(&line(&fresh_tenant(), EPOCH)).await.expect("recorded");
    lines.sort_by_key(|line| std::cmp::Reverse((line.time, line.event.clone())));
    let all = (-9 * day, 9 * day);
    eventually("all lines are listed", LAG_MAX, async || {
        list(store, &tenant, all, 100).await.len() == lines.len()
    })
    .await;
    for limit in [1, 2, 3, 4, 10, 11, 100] {
        let listed = list(store, &tenant, all, limit).await;
        assert!(listed.is_sorted_by_key(|line| std::cmp::Reverse(line.time)), "pages of {limit}");
        let mut sorted = listed.clone();
        sorted.sort_by_key(|line| std::cmp::Reverse((line.time, line.event.clone())));
        assert_eq!(sorted, lines, "in pages of {limit}: no gap, no repeat, all as recorded");
    }
    let windows =
        [((0, 0), 3), ((-1, 1), 5), ((1, day), 3), ((day + 1, 3 * day - 1), 0), ((1, 0), 0)];
    for (window, expected) in windows {
        for limit in [1, 2, 100] {
            let listed = list(store, &tenant, window, limit).await;
            assert_eq!(listed.len(), expected, "within {window:?}, in pages of {limit}");
        }
    }
}

async fn the_same_event_replaces_its_line<S: EventLog>(store: &S) {
    let tenant = fresh_tenant();
    let first = line(&tenant, EPOCH);
    store.record(&first).await.expect("recorded");
    let second =
        LogLine { outcome: "matched".into(), detail: "{}".into(), source: Source::Cron, ..first };
    for _ in 0..2 {
        store.record(&second).await.expect("recorded");
    }
    eventually("the second line has replaced the first", LAG_MAX, async || {
        list(store, &tenant, (-1, 1), 9).await == [second.clone()]
    })
    .await;
}

async fn a_large_payload_is_kept_beside_its_line<S: EventLog>(store: &S) {
    let tenant = fresh_tenant();
    let text = format!("{{\"kind\":\"text\",\"value\":\"{}\"}}", "ż".repeat(130 * 1024));
    let with = LogLine { payload: Some(text.clone()), ..line(&tenant, EPOCH) };
    for _ in 0..2 {
        store.record(&with).await.expect("recorded");
    }
    let read = async |whose: &Tenant| store.payload(whose, &with.event).await.expect("read");
    assert!(read(&tenant).await == Some(text), "as it was written");
    assert_eq!(read(&fresh_tenant()).await, None);
    let bare = line(&tenant, EPOCH.plus_millis(1));
    store.record(&bare).await.expect("recorded");
    assert_eq!(store.payload(&tenant, &bare.event).await.expect("read"), None);
    let listed = [bare, LogLine { payload: None, ..with.clone() }];
    eventually("lines are listed without payloads", LAG_MAX, async || {
        list(store, &tenant, (-1, 9), 9).await == listed
    })
    .await;
}

async fn many_count_at_once<S: EventLog>(store: &S) {
    let tenant = fresh_tenant();
    let (minute, later) = (EPOCH, EPOCH.plus_millis(3_650 * 24 * 3_600_000));
    assert_eq!(store.tallied(&tenant, minute).await.expect("read"), 0);
    let counts = (0..16).map(|_| settled("count", || store.tally(&tenant, minute, later)));
    let mut counts = join_all(counts).await;
    counts.sort_unstable();
    counts.dedup();
    assert_eq!(counts.len(), 16, "each has a number of its own: {counts:?}");
    // A count that was made again because nobody knew whether it was made counts twice.
    let all = store.tallied(&tenant, minute).await.expect("read");
    assert_eq!(Some(&all), counts.last());
    assert_eq!(store.tallied(&tenant, minute.plus_millis(60_000)).await.expect("read"), 0);
    assert_eq!(store.tallied(&fresh_tenant(), minute).await.expect("read"), 0);
}
