//! Heads, and the lists made of them.

use std::slice;

use futures_util::future::join_all;
use sop_core::engine::{Head, Status};
use sop_core::id::{RunId, SopName, Tenant};
use sop_core::time::Timestamp;
use sop_runtime::port::Heads;

use crate::conformance::{LAG_MAX, all_pages, settled};
use crate::ids::{EPOCH, fresh_head, fresh_run, fresh_tenant, sop};
use crate::patience::eventually;

/// Proves that `store` keeps heads.
///
/// # Panics
/// When it breaks a promise.
pub async fn heads<S: Heads>(store: &S) {
    the_head_of_the_newest_entry_stays(store).await;
    runs_are_listed_newest_first(store).await;
    the_inbox_is_listed_longest_waiting_first(store).await;
    queued_runs_are_listed_longest_waiting_first(store).await;
    due_runs_are_listed_most_overdue_first(store).await;
    a_head_is_where_its_places_are(store).await;
    an_older_head_changes_no_place(store).await;
    many_writers_leave_the_newest_head(store).await;
    a_page_of_one_tenant_leads_to_no_other(store).await;
}

fn later(minutes: i64) -> Timestamp {
    EPOCH.plus_millis(minutes * 60_000)
}

async fn project<S: Heads>(store: &S, heads: &[Head]) {
    for head in heads {
        store.project(head).await.expect("projected");
    }
}

fn ids(heads: &[Head]) -> Vec<RunId> {
    heads.iter().map(|head| head.run.clone()).collect()
}

async fn runs<S: Heads>(store: &S, tenant: &Tenant, limit: usize) -> Vec<Head> {
    all_pages(limit, async |after| {
        let page = store.runs(tenant, after.as_deref(), limit).await?;
        Ok((page.heads, page.next))
    })
    .await
}

async fn inbox<S: Heads>(store: &S, tenant: &Tenant, limit: usize) -> Vec<Head> {
    all_pages(limit, async |after| {
        let page = store.inbox(tenant, after.as_deref(), limit).await?;
        Ok((page.heads, page.next))
    })
    .await
}

async fn queued<S: Heads>(store: &S, tenant: &Tenant, sop: &SopName, limit: usize) -> Vec<RunId> {
    store.queued(tenant, sop, limit).await.expect("listed")
}

async fn due<S: Heads>(store: &S, tenant: &Tenant, now: Timestamp, limit: usize) -> Vec<RunId> {
    let due = store.due(tenant, now, limit).await.expect("listed");
    assert!(due.is_sorted_by_key(|(_, at)| *at) && due.iter().all(|(_, at)| *at <= now), "{due:?}");
    due.into_iter().map(|(run, _)| run).collect()
}

async fn the_head_of_the_newest_entry_stays<S: Heads>(store: &S) {
    let tenant = fresh_tenant();
    let unknown = fresh_run(&tenant, &sop("none"), EPOCH);
    assert_eq!(store.head(&unknown).await.expect("read"), None);
    let first = fresh_head(&tenant, &sop("newest"), EPOCH);
    let first = Head { seq: 3, due: Some(EPOCH), queue: Some(later(1)), ..first };
    project(store, slice::from_ref(&first)).await;
    let read = async || store.head(&first.run).await.expect("read");
    assert_eq!(read().await.as_ref(), Some(&first));
    for seq in [2, 3, 0] {
        let older = Head { seq, status: Status::Queued, step: 9, ..first.clone() };
        project(store, &[older]).await;
        assert_eq!(read().await.as_ref(), Some(&first), "entry {seq} is not newer than 3");
    }
    for seq in [4, 10, 11] {
        let newer = Head {
            seq,
            status: Status::Failed,
            gate: Some(7),
            due: None,
            inbox: Some(later(2)),
            queue: None,
            reason: Some("the pump żółć 🚰".into()),
            updated_at: later(3),
            ..first.clone()
        };
        project(store, slice::from_ref(&newer)).await;
        assert_eq!(read().await, Some(newer));
    }
}

async fn runs_are_listed_newest_first<S: Heads>(store: &S) {
    let tenant = fresh_tenant();
    assert_eq!(runs(store, &tenant, 5).await, []);
    let heads: Vec<_> = (0..11)
        .map(|i| {
            let place = |bit: i64| (i & bit != 0).then_some(EPOCH);
            let head = fresh_head(&tenant, &sop("runs"), later(i));
            Head { due: place(1), inbox: place(2), queue: place(4), ..head }
        })
        .collect();
    let order = [3, 0, 10, 7, 1, 2, 9, 8, 4, 6, 5];
    for i in order {
        project(store, &heads[i..=i]).await;
    }
    project(store, &[fresh_head(&fresh_tenant(), &sop("runs"), later(4))]).await;
    let newest_first: Vec<_> = heads.iter().rev().cloned().collect();
    eventually("all runs are listed", LAG_MAX, async || {
        runs(store, &tenant, 100).await == newest_first
    })
    .await;
    for limit in [1, 2, 3, 10, 11, 12] {
        assert_eq!(runs(store, &tenant, limit).await, newest_first, "in pages of {limit}");
    }
}

async fn the_inbox_is_listed_longest_waiting_first<S: Heads>(store: &S) {
    let tenant = fresh_tenant();
    // The longest waiting started last; two wait since the same instant.
    let waits = [9, 8, 7, 6, 5, 5, 4, 3, 2];
    let mut heads: Vec<_> = (0_i64..)
        .zip(waits)
        .map(|(i, since)| {
            let head = fresh_head(&tenant, &sop("inbox"), later(i));
            // Some are to be woken as well: the inbox goes by its own instants.
            let due = (i % 2 == 0).then(|| later(20 - i));
            let inbox = Some(later(since));
            Head { status: Status::Waiting, gate: Some(1), due, inbox, ..head }
        })
        .collect();
    project(store, &heads).await;
    let elsewhere = fresh_head(&tenant, &sop("inbox"), EPOCH);
    project(store, &[Head { due: Some(EPOCH), queue: Some(EPOCH), ..elsewhere }]).await;
    heads.sort_by_key(|head| (head.inbox, head.run.clone()));
    eventually("the inbox is full", LAG_MAX, async || {
        inbox(store, &tenant, 100).await.len() == heads.len()
    })
    .await;
    for limit in [1, 2, 4, 5, 9, 100] {
        let listed = inbox(store, &tenant, limit).await;
        assert_eq!(sinces(&listed), sinces(&heads), "in pages of {limit}");
        let (mut found, mut expected) = (ids(&listed), ids(&heads));
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "in pages of {limit}: no gap, no repeat");
    }
}

fn sinces(heads: &[Head]) -> Vec<Option<Timestamp>> {
    heads.iter().map(|head| head.inbox).collect()
}

async fn queued_runs_are_listed_longest_waiting_first<S: Heads>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("queue"));
    let heads: Vec<_> = (0..6)
        .map(|i| {
            let inbox = (i % 2 == 0).then(|| later(i));
            let queue = Some(later(10 - i));
            Head { inbox, queue, ..fresh_head(&tenant, &mine, later(i)) }
        })
        .collect();
    project(store, &heads).await;
    let others =
        [(&tenant, sop("queue-2")), (&tenant, sop("queu")), (&fresh_tenant(), mine.clone())];
    for (tenant, other) in others {
        let head = fresh_head(tenant, &other, EPOCH);
        project(store, &[Head { queue: Some(EPOCH), ..head }]).await;
    }
    let expected: Vec<_> = ids(&heads).into_iter().rev().collect();
    eventually("all queued runs are listed", LAG_MAX, async || {
        queued(store, &tenant, &mine, 100).await == expected
    })
    .await;
    for limit in [1, 2, 6] {
        assert_eq!(queued(store, &tenant, &mine, limit).await, expected[..limit]);
    }
}

async fn due_runs_are_listed_most_overdue_first<S: Heads>(store: &S) {
    let tenant = fresh_tenant();
    let heads: Vec<_> = (0..6)
        .map(|i| {
            let queue = (i % 2 == 0).then(|| later(i));
            let due = Some(later(10 - i));
            Head { due, queue, ..fresh_head(&tenant, &sop("due"), later(i)) }
        })
        .collect();
    project(store, &heads).await;
    let theirs = fresh_head(&fresh_tenant(), &sop("due"), EPOCH);
    project(store, &[Head { due: Some(EPOCH), ..theirs }]).await;
    let expected: Vec<_> = ids(&heads).into_iter().rev().collect();
    eventually("all due runs are listed", LAG_MAX, async || {
        due(store, &tenant, later(99), 100).await == expected
    })
    .await;
    assert_eq!(due(store, &tenant, later(99), 2).await, expected[..2]);
    assert_eq!(due(store, &tenant, later(7), 100).await, expected[..3], "7 is due at 7");
    assert_eq!(due(store, &tenant, later(7).plus_millis(-1), 100).await, expected[..2]);
    assert_eq!(due(store, &tenant, later(4), 100).await, []);
    let first = store.due(&tenant, later(99), 1).await.expect("listed");
    assert_eq!(first, [(expected[0].clone(), later(5))], "with its instant");
}

/// How often the sweep, the inbox and the SOP's queue find the run of `head`.
async fn found<S: Heads>(store: &S, head: &Head) -> (usize, usize, usize) {
    let is_it = |run: &RunId| *run == head.run;
    let due = due(store, &head.tenant, later(99), 9).await;
    let inbox = ids(&inbox(store, &head.tenant, 9).await);
    let queued = queued(store, &head.tenant, &head.sop, 9).await;
    let count = |runs: Vec<RunId>| runs.iter().filter(|run| is_it(run)).count();
    (count(due), count(inbox), count(queued))
}

/// Waits until the lists agree with `head`.
async fn is_listed_as<S: Heads>(store: &S, head: &Head) {
    let one = |place: Option<Timestamp>| usize::from(place.is_some());
    let expected = (one(head.due), one(head.inbox), one(head.queue));
    let what = format!("due, inbox and queue have {expected:?} of entry {}", head.seq);
    eventually(&what, LAG_MAX, async || found(store, head).await == expected).await;
    eventually("the run is listed once", LAG_MAX, async || {
        ids(&runs(store, &head.tenant, 9).await) == [head.run.clone()]
    })
    .await;
}

/// Every way from some of the three places to others, with the same instants and with others.
async fn a_head_is_where_its_places_are<S: Heads>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("moves"));
    let mut head = fresh_head(&tenant, &mine, EPOCH);
    // Minutes of due, inbox and queue.
    let moves = [
        (None, None, Some(1)),
        (Some(2), None, None),
        (Some(1), None, None),
        (None, Some(3), None),
        (Some(4), Some(3), None),
        (Some(4), Some(3), Some(2)),
        (Some(5), Some(3), Some(2)),
        (None, Some(3), Some(2)),
        (Some(1), None, Some(2)),
        (None, None, Some(1)),
        (None, Some(1), None),
        (Some(7), Some(6), Some(5)),
        (None, None, None),
        (Some(1), Some(1), Some(1)),
        (None, None, None),
    ];
    for places in moves {
        head.seq += 1;
        let [due_at, since, queued_since] = <[_; 3]>::from(places).map(|at| at.map(later));
        (head.due, head.inbox, head.queue) = (due_at, since, queued_since);
        project(store, slice::from_ref(&head)).await;
        assert_eq!(store.head(&head.run).await.expect("read").as_ref(), Some(&head));
        is_listed_as(store, &head).await;
        if let Some(due_at) = head.due {
            let before = due_at.plus_millis(-1);
            eventually("it is due at its instant, and not before", LAG_MAX, async || {
                due(store, &tenant, due_at, 9).await == [head.run.clone()]
                    && due(store, &tenant, before, 9).await.is_empty()
            })
            .await;
        }
    }
}

async fn an_older_head_changes_no_place<S: Heads>(store: &S) {
    let everywhere = (Some(later(1)), Some(later(1)), Some(later(1)));
    let nowhere = (None, None, None);
    let mixed = (Some(later(3)), None, Some(later(4)));
    for (here, there) in [(everywhere, nowhere), (nowhere, everywhere), (mixed, everywhere)] {
        let (tenant, name) = (fresh_tenant(), sop("stale"));
        let head = |seq, (due, inbox, queue)| {
            let run = fresh_head(&tenant, &name, EPOCH);
            Head { seq, due, inbox, queue, ..run }
        };
        let newest = head(5, here);
        project(store, slice::from_ref(&newest)).await;
        is_listed_as(store, &newest).await;
        for seq in [4, 5, 0] {
            let stale = Head { run: newest.run.clone(), ..head(seq, there) };
            project(store, &[stale]).await;
            assert_eq!(store.head(&newest.run).await.expect("read").as_ref(), Some(&newest));
            is_listed_as(store, &newest).await;
        }
    }
}

/// Projections that pass each other leave what the newest says, in every list.
async fn many_writers_leave_the_newest_head<S: Heads>(store: &S) {
    let head = fresh_head(&fresh_tenant(), &sop("pass"), EPOCH);
    let heads: Vec<_> = (1..=16)
        .map(|seq| {
            let place = |bit: u64| (seq & bit != 0).then_some(later(1));
            Head { seq, due: place(1), inbox: place(2), queue: place(4), ..head.clone() }
        })
        .chain([Head { seq: 17, inbox: Some(later(2)), ..head.clone() }])
        .collect();
    let race = heads.iter().rev().map(async |head| {
        settled("project", || store.project(head)).await;
    });
    join_all(race).await;
    let newest = heads.last().expect("there are some");
    assert_eq!(store.head(&head.run).await.expect("read").as_ref(), Some(newest));
    is_listed_as(store, newest).await;
}

async fn a_page_of_one_tenant_leads_to_no_other<S: Heads>(store: &S) {
    let (mine, theirs) = (fresh_tenant(), fresh_tenant());
    for tenant in [&mine, &theirs] {
        let heads: Vec<_> = (0..4)
            .map(|i| Head { inbox: Some(later(i)), ..fresh_head(tenant, &sop("fence"), later(i)) })
            .collect();
        project(store, &heads).await;
        eventually("all runs are listed", LAG_MAX, async || {
            runs(store, tenant, 9).await.len() == 4 && inbox(store, tenant, 9).await.len() == 4
        })
        .await;
    }
    let page = store.runs(&theirs, None, 2).await.expect("listed");
    let inbox = store.inbox(&theirs, None, 2).await.expect("listed");
    let hostile = ["", "x", "🚰", "' OR 1=1 --", "{}", "%", "0000.."].map(|text| Some(text.into()));
    for after in [page.next, inbox.next].into_iter().chain(hostile) {
        let after = after.as_deref();
        // A store may refuse what it did not hand out; it must not show what is not the tenant's.
        let pages = [store.runs(&mine, after, 9).await, store.inbox(&mine, after, 9).await];
        for page in pages.into_iter().flatten() {
            assert!(page.heads.iter().all(|head| head.tenant == mine), "{after:?}");
        }
    }
}
