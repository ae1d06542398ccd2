//! Journals and blobs.

use futures_util::future::join_all;
use sop_core::engine::{Counters, SlotChange};
use sop_core::id::Digest;
use sop_runtime::port::{Append, Blobs, Journal};

use crate::conformance::counters::counters;
use crate::conformance::settled;
use crate::ids::{EPOCH, fresh, fresh_run, fresh_tenant, no_change, sealed, sop};

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
    counters(store).await;
}

async fn a_run_that_does_not_exist_has_no_entries<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("none"));
    let run = fresh_run(&tenant, &sop, EPOCH);
    assert_eq!(store.latest(&run).await.expect("read"), None);
    assert_eq!(store.entry(&run, 0).await.expect("read"), None);
    assert_eq!(store.entries(&run, 0, 10).await.expect("read"), []);
    assert_eq!(store.counters(&tenant, &sop).await.expect("read"), Counters::default());
    assert_eq!(store.total(&tenant).await.expect("read"), 0);
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
    let slot = SlotChange {
        active: 1,
        active_max: Some(1),
        total_max: Some(1),
        ..no_change(&tenant, &sop)
    };
    let race = (0..8).map(async |_| settled("append", || store.append(&entry, Some(&slot))).await);
    for answer in join_all(race).await {
        match answer {
            Append::Appended => {}
            Append::Duplicate(there) => assert_eq!(*there, entry),
            Append::Conflict | Append::Full => panic!("the same input met {answer:?}"),
        }
    }
    let counters = store.counters(&tenant, &sop).await.expect("read");
    let total = store.total(&tenant).await.expect("read");
    assert_eq!((counters.active, total), (1, 1), "one append takes one slot");
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
