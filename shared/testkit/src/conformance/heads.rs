//! Heads, and the lists made of them.

use sop_core::engine::{Attention, Head, Status};
use sop_core::id::{RunId, SopName, Tenant};
use sop_core::time::Timestamp;
use sop_runtime::port::Heads;

use crate::conformance::{LAG_MAX, all_pages};
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
    a_head_is_where_its_attention_is(store).await;
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
    store.due(tenant, now, limit).await.expect("listed")
}

async fn the_head_of_the_newest_entry_stays<S: Heads>(store: &S) {
    let tenant = fresh_tenant();
    let unknown = fresh_run(&tenant, &sop("none"), EPOCH);
    assert_eq!(store.head(&unknown).await.expect("read"), None);
    let mut first = fresh_head(&tenant, &sop("newest"), EPOCH, Attention::Due { at: EPOCH });
    first.seq = 3;
    project(store, &[first.clone()]).await;
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
            attention: Attention::Nothing,
            reason: Some("the pump żółć 🚰".into()),
            updated_at: later(3),
            ..first.clone()
        };
        project(store, std::slice::from_ref(&newer)).await;
        assert_eq!(read().await, Some(newer));
    }
}

async fn runs_are_listed_newest_first<S: Heads>(store: &S) {
    let tenant = fresh_tenant();
    assert_eq!(runs(store, &tenant, 5).await, []);
    let attention = [
        Attention::Nothing,
        Attention::Inbox { since: EPOCH },
        Attention::Queue { since: EPOCH },
        Attention::Due { at: EPOCH },
    ];
    let heads: Vec<_> = (0..11_i8)
        .map(|i| {
            let kind = attention[usize::from(i.unsigned_abs()) % attention.len()];
            fresh_head(&tenant, &sop("runs"), later(i64::from(i)), kind)
        })
        .collect();
    let order = [3, 0, 10, 7, 1, 2, 9, 8, 4, 6, 5];
    for i in order {
        project(store, &heads[i..=i]).await;
    }
    project(store, &[fresh_head(&fresh_tenant(), &sop("runs"), later(4), attention[0])]).await;
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
            let attention = Attention::Inbox { since: later(since) };
            let head = fresh_head(&tenant, &sop("inbox"), later(i), attention);
            Head { status: Status::Waiting, gate: Some(1), ..head }
        })
        .collect();
    project(store, &heads).await;
    for attention in [Attention::Due { at: EPOCH }, Attention::Queue { since: EPOCH }] {
        project(store, &[fresh_head(&tenant, &sop("inbox"), EPOCH, attention)]).await;
    }
    heads.sort_by_key(|head| match head.attention {
        Attention::Inbox { since } => (since, head.run.clone()),
        Attention::Nothing | Attention::Due { .. } | Attention::Queue { .. } => unreachable!(),
    });
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

fn sinces(heads: &[Head]) -> Vec<Attention> {
    heads.iter().map(|head| head.attention).collect()
}

async fn queued_runs_are_listed_longest_waiting_first<S: Heads>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("queue"));
    let heads: Vec<_> = (0..6)
        .map(|i| {
            let attention = Attention::Queue { since: later(10 - i) };
            fresh_head(&tenant, &mine, later(i), attention)
        })
        .collect();
    project(store, &heads).await;
    let attention = Attention::Queue { since: EPOCH };
    for other in [sop("queue-2"), sop("queu")] {
        project(store, &[fresh_head(&tenant, &other, EPOCH, attention)]).await;
    }
    project(store, &[fresh_head(&fresh_tenant(), &mine, EPOCH, attention)]).await;
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
        .map(|i| fresh_head(&tenant, &sop("due"), later(i), Attention::Due { at: later(10 - i) }))
        .collect();
    project(store, &heads).await;
    let attention = Attention::Due { at: EPOCH };
    project(store, &[fresh_head(&fresh_tenant(), &sop("due"), EPOCH, attention)]).await;
    let expected: Vec<_> = ids(&heads).into_iter().rev().collect();
    eventually("all due runs are listed", LAG_MAX, async || {
        due(store, &tenant, later(99), 100).await == expected
    })
    .await;
    assert_eq!(due(store, &tenant, later(99), 2).await, expected[..2]);
    assert_eq!(due(store, &tenant, later(7), 100).await, expected[..3], "7 is due at 7");
    assert_eq!(due(store, &tenant, later(7).plus_millis(-1), 100).await, expected[..2]);
    assert_eq!(due(store, &tenant, later(4), 100).await, []);
}

async fn a_head_is_where_its_attention_is<S: Heads>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("moves"));
    let first = fresh_head(&tenant, &mine, EPOCH, Attention::Nothing);
    let moves = [
        Attention::Queue { since: later(1) },
        Attention::Due { at: later(2) },
        Attention::Due { at: later(1) },
        Attention::Inbox { since: later(3) },
        Attention::Queue { since: later(2) },
        Attention::Inbox { since: later(1) },
        Attention::Due { at: later(5) },
        Attention::Nothing,
    ];
    for (seq, attention) in (1_u64..).zip(moves) {
        project(store, &[Head { seq, attention, ..first.clone() }]).await;
        let expected = match attention {
            Attention::Nothing => (0, 0, 0),
            Attention::Queue { .. } => (1, 0, 0),
            Attention::Due { .. } => (0, 1, 0),
            Attention::Inbox { .. } => (0, 0, 1),
        };
        eventually(&format!("the run is only in {attention:?}"), LAG_MAX, async || {
            let found = (
                queued(store, &tenant, &mine, 9).await.len(),
                due(store, &tenant, later(99), 9).await.len(),
                inbox(store, &tenant, 9).await.len(),
            );
            found == expected
        })
        .await;
        let run = || vec![first.run.clone()];
        eventually("the run is listed once", LAG_MAX, async || {
            ids(&runs(store, &tenant, 9).await) == run()
        })
        .await;
    }
    let stale = Head { attention: Attention::Inbox { since: EPOCH }, ..first.clone() };
    project(store, &[stale]).await;
    assert_eq!(inbox(store, &tenant, 9).await, [], "an older head changes no index");
}

async fn a_page_of_one_tenant_leads_to_no_other<S: Heads>(store: &S) {
    let (mine, theirs) = (fresh_tenant(), fresh_tenant());
    for tenant in [&mine, &theirs] {
        let heads: Vec<_> = (0..4)
            .map(|i| {
                fresh_head(tenant, &sop("fence"), later(i), Attention::Inbox { since: later(i) })
            })
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
