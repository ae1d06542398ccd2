//! Journals, admission counters and blobs.

use futures_util::future::join_all;
use sop_core::Timestamp;
use sop_core::engine::{Counters, SlotChange};
use sop_core::id::{Digest, SopName, Tenant};
use sop_runtime::port::{Append, Blobs, Journal};

use crate::conformance::{LAG_MAX, settled};
use crate::ids::{EPOCH, fresh, fresh_run, fresh_tenant, sealed, sop};
use crate::patience::eventually;

/// Proves that `store` keeps journals.
///
/// # Panics
/// When it breaks a promise.
pub async fn journal<S: Journal>(store: &S) {
    a_run_that_does_not_exist_has_no_entries(store).await;
    entries_come_back_as_they_went_in(store).await;
    entries_are_listed_in_order(store).await;
    a_place_is_taken_once(store).await;
    one_of_many_appends_wins_a_place(store).await;
    the_same_append_many_times_is_one_append(store).await;
    a_slot_changes_with_its_entry_or_not_at_all(store).await;
    a_full_sop_takes_nothing(store).await;
    a_taken_place_is_told_before_a_full_sop(store).await;
    no_more_than_the_limit_take_a_slot_at_once(store).await;
    counters_never_go_below_zero(store).await;
    the_last_completion_only_moves_forward(store).await;
    counters_belong_to_one_tenant_and_sop(store).await;
    sops_with_waiting_runs_are_congested(store).await;
}

fn change(tenant: &Tenant, sop: &SopName) -> SlotChange {
    SlotChange {
        tenant: tenant.clone(),
        sop: sop.clone(),
        active: 0,
        waiting: 0,
        active_max: None,
        completed_at: None,
    }
}

fn take(tenant: &Tenant, sop: &SopName, max: u32) -> SlotChange {
    SlotChange { active: 1, active_max: Some(max), ..change(tenant, sop) }
}

/// Appends the change alone, as the first entry of a new run.
async fn apply<S: Journal>(store: &S, slot: &SlotChange) -> Append {
    let entry = sealed(&fresh_run(&slot.tenant, &slot.sop, EPOCH), 0, "start");
    store.append(&entry, Some(slot)).await.expect("the entry is appended")
}

async fn counters<S: Journal>(store: &S, tenant: &Tenant, sop: &SopName) -> Counters {
    store.counters(tenant, sop).await.expect("the counters are read")
}

async fn a_run_that_does_not_exist_has_no_entries<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("none"));
    let run = fresh_run(&tenant, &sop, EPOCH);
    assert_eq!(store.latest(&run).await.expect("read"), None);
    assert_eq!(store.entry(&run, 0).await.expect("read"), None);
    assert_eq!(store.entries(&run, 0, 10).await.expect("read"), []);
    assert_eq!(counters(store, &tenant, &sop).await, Counters::default());
    assert_eq!(store.congested(&tenant, 10).await.expect("read"), []);
}

async fn entries_come_back_as_they_went_in<S: Journal>(store: &S) {
    let run = fresh_run(&fresh_tenant(), &sop("round-trip"), EPOCH);
    let mut big = sealed(&run, 1, "big:~!@#$%^&*()");
    big.body = format!("\"{}\"", "ü\t".repeat(32 * 1024));
    big.hash = Digest::of(big.body.as_bytes());
    for entry in [sealed(&run, 0, "start"), big] {
        assert_eq!(store.append(&entry, None).await.expect("appended"), Append::Appended);
        assert_eq!(store.entry(&run, entry.seq).await.expect("read").as_ref(), Some(&entry));
        assert_eq!(store.latest(&run).await.expect("read"), Some(entry));
    }
}

async fn entries_are_listed_in_order<S: Journal>(store: &S) {
    let tenant = fresh_tenant();
    let run = fresh_run(&tenant, &sop("order"), EPOCH);
    let neighbour = fresh_run(&tenant, &sop("order"), EPOCH);
    let written: Vec<_> = (0..12).map(|seq| sealed(&run, seq, &format!("input-{seq}"))).collect();
    for entry in &written {
        assert_eq!(store.append(entry, None).await.expect("appended"), Append::Appended);
        let other = sealed(&neighbour, entry.seq, "other");
        assert_eq!(store.append(&other, None).await.expect("appended"), Append::Appended);
    }
    assert_eq!(store.latest(&run).await.expect("read").as_ref(), written.last());
    for (from, limit) in [(0, 100), (0, 12), (0, 3), (9, 3), (10, 100), (11, 1), (12, 5)] {
        let listed = store.entries(&run, from, limit).await.expect("listed");
        let expected: Vec<_> =
            written.iter().filter(|entry| entry.seq >= from).take(limit).cloned().collect();
        assert_eq!(listed, expected, "from {from}, up to {limit}");
    }
}

async fn a_place_is_taken_once<S: Journal>(store: &S) {
    let run = fresh_run(&fresh_tenant(), &sop("place"), EPOCH);
    let first = sealed(&run, 0, "first");
    assert_eq!(store.append(&first, None).await.expect("appended"), Append::Appended);
    let mut again = first.clone();
    again.body = "{\"decided\": \"later\"}".into();
    again.hash = Digest::of(again.body.as_bytes());
    let duplicate = Append::Duplicate(Box::new(first.clone()));
    assert_eq!(store.append(&again, None).await.expect("answered"), duplicate);
    let other = sealed(&run, 0, "second");
    assert_eq!(store.append(&other, None).await.expect("answered"), Append::Conflict);
    assert_eq!(store.entries(&run, 0, 9).await.expect("read"), [first]);
}

async fn one_of_many_appends_wins_a_place<S: Journal>(store: &S) {
    let run = fresh_run(&fresh_tenant(), &sop("race"), EPOCH);
    for seq in 0..3 {
        let entries: Vec<_> = (0..16).map(|i| sealed(&run, seq, &format!("{seq}-{i}"))).collect();
        let race =
            entries.iter().map(async |entry| settled("append", || store.append(entry, None)).await);
        let answers = join_all(race).await;
        // A call made again after an unclear answer finds its own entry: that won, too.
        let won: Vec<_> = entries
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| matches!(answer, Append::Appended | Append::Duplicate(_)))
            .map(|(entry, _)| entry.clone())
            .collect();
        let lost = answers.iter().filter(|answer| **answer == Append::Conflict).count();
        assert_eq!((won.len(), lost), (1, 15), "{answers:?}");
        assert_eq!(store.latest(&run).await.expect("read").as_ref(), won.first());
    }
}

async fn the_same_append_many_times_is_one_append<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("redelivered"));
    let entry = sealed(&fresh_run(&tenant, &sop, EPOCH), 0, "start");
    let slot = take(&tenant, &sop, 1);
    let race = (0..8).map(async |_| settled("append", || store.append(&entry, Some(&slot))).await);
    for answer in join_all(race).await {
        match answer {
            Append::Appended => {}
            Append::Duplicate(there) => assert_eq!(*there, entry),
            Append::Conflict | Append::Full => panic!("the same input met {answer:?}"),
        }
    }
    assert_eq!(counters(store, &tenant, &sop).await.active, 1, "one append takes one slot");
}

async fn a_slot_changes_with_its_entry_or_not_at_all<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("together"));
    let run = fresh_run(&tenant, &sop, EPOCH);
    let slot = take(&tenant, &sop, 9);
    let entry = sealed(&run, 0, "start");
    assert_eq!(store.append(&entry, Some(&slot)).await.expect("appended"), Append::Appended);
    let one = Counters { active: 1, waiting: 0, completed_at: None };
    assert_eq!(counters(store, &tenant, &sop).await, one);
    let duplicate = store.append(&entry, Some(&slot)).await.expect("answered");
    assert_eq!(duplicate, Append::Duplicate(Box::new(entry)));
    let other = sealed(&run, 0, "other");
    let finish = SlotChange { active: -1, completed_at: Some(EPOCH), ..change(&tenant, &sop) };
    for slot in [&slot, &finish] {
        let conflict = store.append(&other, Some(slot)).await.expect("answered");
        assert_eq!(conflict, Append::Conflict);
    }
    assert_eq!(counters(store, &tenant, &sop).await, one, "only the first append counts");
    let next = sealed(&run, 1, "finish");
    assert_eq!(store.append(&next, Some(&finish)).await.expect("appended"), Append::Appended);
    let expected = Counters { active: 0, waiting: 0, completed_at: Some(EPOCH) };
    assert_eq!(counters(store, &tenant, &sop).await, expected);
}

async fn a_full_sop_takes_nothing<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("full"));
    assert_eq!(apply(store, &take(&tenant, &sop, 1)).await, Append::Appended);
    let run = fresh_run(&tenant, &sop, EPOCH);
    let entry = sealed(&run, 0, "start");
    let taking = SlotChange { waiting: -1, ..take(&tenant, &sop, 1) };
    assert_eq!(store.append(&entry, Some(&taking)).await.expect("answered"), Append::Full);
    assert_eq!(store.latest(&run).await.expect("read"), None, "nothing is appended");
    assert_eq!(counters(store, &tenant, &sop).await.active, 1);
    let more = take(&tenant, &sop, 2);
    assert_eq!(store.append(&entry, Some(&more)).await.expect("appended"), Append::Appended);
    assert_eq!(apply(store, &take(&tenant, &sop, 1)).await, Append::Full, "2 is above 1");
    let untouched = fresh_tenant();
    assert_eq!(apply(store, &take(&untouched, &sop, 0)).await, Append::Full, "none of none");
    let back = SlotChange { active: -1, ..change(&tenant, &sop) };
    for _ in 0..2 {
        assert_eq!(apply(store, &back).await, Append::Appended);
    }
    assert_eq!(apply(store, &take(&tenant, &sop, 1)).await, Append::Appended);
}

async fn a_taken_place_is_told_before_a_full_sop<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("precedence"));
    let entry = sealed(&fresh_run(&tenant, &sop, EPOCH), 0, "start");
    let slot = take(&tenant, &sop, 1);
    assert_eq!(store.append(&entry, Some(&slot)).await.expect("appended"), Append::Appended);
    let duplicate = Append::Duplicate(Box::new(entry.clone()));
    assert_eq!(store.append(&entry, Some(&slot)).await.expect("answered"), duplicate);
    let other = sealed(&entry.run, 0, "other");
    assert_eq!(store.append(&other, Some(&slot)).await.expect("answered"), Append::Conflict);
}

async fn no_more_than_the_limit_take_a_slot_at_once<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("crowd"));
    let slot = take(&tenant, &sop, 3);
    let entries: Vec<_> =
        (0..32).map(|_| sealed(&fresh_run(&tenant, &sop, EPOCH), 0, "start")).collect();
    let race = entries
        .iter()
        .map(async |entry| settled("take", || store.append(entry, Some(&slot))).await);
    let answers = join_all(race).await;
    let full = answers.iter().filter(|answer| **answer == Append::Full).count();
    assert_eq!(full, 29, "{answers:?}");
    assert_eq!(counters(store, &tenant, &sop).await.active, 3);
    let mut started = 0;
    for entry in &entries {
        started += usize::from(store.latest(&entry.run).await.expect("read").is_some());
    }
    assert_eq!(started, 3, "a run that found no slot has no entry");
}

async fn counters_never_go_below_zero<S: Journal>(store: &S) {
    let cases = [
        (-1, 0, (0, 0)),
        (0, -1, (0, 0)),
        (-1, -1, (0, 0)),
        (1, -1, (1, 0)),
        (-1, 1, (0, 1)),
        (-1, 1, (0, 2)),
        (1, -1, (1, 1)),
        (-1, -1, (0, 0)),
        (-1, -1, (0, 0)),
    ];
    let (tenant, sop) = (fresh_tenant(), sop("floor"));
    for (i, (active, waiting, expected)) in cases.into_iter().enumerate() {
        let active_max = (active > 0).then_some(5);
        let slot = SlotChange { active, waiting, active_max, ..change(&tenant, &sop) };
        assert_eq!(apply(store, &slot).await, Append::Appended, "case {i}");
        let now = counters(store, &tenant, &sop).await;
        assert_eq!((now.active, now.waiting), expected, "case {i}: {active} and {waiting}");
    }
}

async fn the_last_completion_only_moves_forward<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("cooldown"));
    let mut latest: Option<Timestamp> = None;
    for offset in [5_000, 1_000, 5_001, 5_001, -60_000] {
        let at = EPOCH.plus_millis(offset);
        let slot = SlotChange { completed_at: Some(at), ..change(&tenant, &sop) };
        assert_eq!(apply(store, &slot).await, Append::Appended, "at {offset}");
        latest = latest.max(Some(at));
        assert_eq!(counters(store, &tenant, &sop).await.completed_at, latest);
    }
    let earlier = SlotChange {
        active: 1,
        waiting: 1,
        active_max: Some(1),
        completed_at: Some(EPOCH),
        ..change(&tenant, &sop)
    };
    assert_eq!(apply(store, &earlier).await, Append::Appended);
    let expected = Counters { active: 1, waiting: 1, completed_at: latest };
    assert_eq!(counters(store, &tenant, &sop).await, expected, "what else changes still does");
}

async fn counters_belong_to_one_tenant_and_sop<S: Journal>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("mine"));
    assert_eq!(apply(store, &take(&tenant, &mine, 1)).await, Append::Appended);
    assert_eq!(apply(store, &take(&tenant, &sop("mine.2"), 1)).await, Append::Appended);
    assert_eq!(apply(store, &take(&fresh_tenant(), &mine, 1)).await, Append::Appended);
    assert_eq!(counters(store, &tenant, &mine).await.active, 1);
}

async fn sops_with_waiting_runs_are_congested<S: Journal>(store: &S) {
    let tenant = fresh_tenant();
    for name in ["b", "a", "c"] {
        let wait = SlotChange { waiting: 1, ..change(&tenant, &sop(name)) };
        assert_eq!(apply(store, &wait).await, Append::Appended);
        assert_eq!(apply(store, &wait).await, Append::Appended);
    }
    assert_eq!(apply(store, &take(&tenant, &sop("idle"), 1)).await, Append::Appended);
    let leave = SlotChange { waiting: -1, ..change(&tenant, &sop("b")) };
    let congested = async |limit: usize| {
        let mut sops = store.congested(&tenant, limit).await.expect("listed");
        sops.sort();
        sops
    };
    for (expected, what) in [
        (vec![sop("a"), sop("b"), sop("c")], "all three are congested"),
        (vec![sop("a"), sop("b"), sop("c")], "one of two left"),
        (vec![sop("a"), sop("c")], "both left"),
    ] {
        eventually(what, LAG_MAX, async || congested(100).await == expected).await;
        assert_eq!(apply(store, &leave).await, Append::Appended);
    }
    assert_eq!(congested(1).await.len(), 1);
    assert_eq!(store.congested(&fresh_tenant(), 10).await.expect("listed"), []);
}

/// Proves that `store` keeps blobs.
///
/// # Panics
/// When it breaks a promise.
pub async fn blobs<S: Blobs>(store: &S) {
    let unknown = Digest::of(fresh("blob").as_bytes());
    assert_eq!(store.blob(&unknown).await.expect("read"), None);
    let largest = fresh("blob").repeat(12 * 1024)[..256 * 1024].to_owned();
    let lively = format!("{} żółć 🚰 \u{0} \u{feff}\r\n\t\"\\", fresh("blob"));
    for text in [largest, lively] {
        let digest = Digest::of(text.as_bytes());
        for _ in 0..2 {
            store.put_blob(&digest, &text).await.expect("stored");
            assert_eq!(store.blob(&digest).await.expect("read").as_ref(), Some(&text));
        }
    }
    let empty = Digest::of(b"");
    store.put_blob(&empty, "").await.expect("stored");
    assert_eq!(store.blob(&empty).await.expect("read").as_deref(), Some(""));
}
