//! The catalog.

use futures_util::future::join_all;
use sop_core::id::Digest;
use sop_runtime::port::{Catalog, CatalogHead, Publish};

use crate::conformance::settled;
use crate::ids::{fresh, fresh_tenant};

/// Proves that `store` keeps the catalog.
///
/// # Panics
/// When it breaks a promise.
pub async fn catalog<S: Catalog>(store: &S) {
    the_head_moves_from_the_version_it_has(store).await;
    one_of_many_publishes_wins(store).await;
    snapshots_of_any_size_come_back(store).await;
    definitions_come_back(store).await;
}

fn fresh_digest() -> Digest {
    Digest::of(fresh("digest").as_bytes())
}

async fn the_head_moves_from_the_version_it_has<S: Catalog>(store: &S) {
    let tenant = fresh_tenant();
    assert_eq!(store.catalog_head(&tenant).await.expect("read"), None);
    let early = store.publish(&tenant, 1, &fresh_digest()).await.expect("answered");
    assert_eq!(early, Publish::Conflict, "there is no version 1 to move from");
    assert_eq!(store.catalog_head(&tenant).await.expect("read"), None);
    for version in 1..=3 {
        let head = CatalogHead { version, snapshot: fresh_digest() };
        let publish = store.publish(&tenant, version - 1, &head.snapshot).await.expect("answered");
        assert_eq!(publish, Publish::Published(head));
        assert_eq!(store.catalog_head(&tenant).await.expect("read"), Some(head));
        for stale in [version - 1, version + 1, 0] {
            let publish = store.publish(&tenant, stale, &fresh_digest()).await.expect("answered");
            assert_eq!(publish, Publish::Conflict, "from {stale} at {version}");
        }
        assert_eq!(store.catalog_head(&tenant).await.expect("read"), Some(head));
    }
    assert_eq!(store.catalog_head(&fresh_tenant()).await.expect("read"), None);
}

async fn one_of_many_publishes_wins<S: Catalog>(store: &S) {
    let tenant = fresh_tenant();
    for expected in 0..3 {
        let snapshots: Vec<_> = (0..16).map(|_| fresh_digest()).collect();
        let race = snapshots.iter().map(async |snapshot| {
            settled("publish", || store.publish(&tenant, expected, snapshot)).await
        });
        let answers = join_all(race).await;
        let won: Vec<_> = answers
            .iter()
            .filter_map(|answer| match answer {
                Publish::Published(head) => Some(*head),
                Publish::Conflict => None,
            })
            .collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        assert_eq!(won[0].version, expected + 1);
        assert_eq!(store.catalog_head(&tenant).await.expect("read"), won.first().copied());
    }
}

/// About `bytes` of JSON that does not compress to nothing.
fn lengthy_json(bytes: usize) -> String {
    let mut json = String::from("[");
    let mut seed = Digest::of(fresh("snapshot").as_bytes());
    while json.len() < bytes {
        seed = Digest::of(seed.as_bytes());
        json.push_str(&format!("{{\"sop\":\"{seed}\",\"topic\":\"wärme/🚰/+\"}},"));
    }
    json.push_str("null]");
    json
}

async fn snapshots_of_any_size_come_back<S: Catalog>(store: &S) {
    assert_eq!(store.snapshot(&fresh_digest()).await.expect("read"), None);
    for json in ["[]".to_owned(), lengthy_json(100_000), lengthy_json(3_000_000)] {
        let digest = Digest::of(json.as_bytes());
        for _ in 0..2 {
            store.put_snapshot(&digest, &json).await.expect("stored");
            let read = store.snapshot(&digest).await.expect("read");
            assert!(read.as_ref() == Some(&json), "{} bytes do not come back", json.len());
        }
    }
}

async fn definitions_come_back<S: Catalog>(store: &S) {
    assert_eq!(store.definition(&fresh_digest()).await.expect("read"), None);
    // A definition and a snapshot never meet, even under one digest.
    let json = format!("{{\"name\":\"{}\",\"text\":\"żółć 🚰\"}}", fresh("sop"));
    let digest = Digest::of(json.as_bytes());
    for _ in 0..2 {
        store.put_definition(&digest, &json).await.expect("stored");
        assert_eq!(store.definition(&digest).await.expect("read").as_ref(), Some(&json));
    }
    assert_eq!(store.snapshot(&digest).await.expect("read"), None);
    let large = lengthy_json(300_000);
    let digest = Digest::of(large.as_bytes());
    store.put_definition(&digest, &large).await.expect("stored");
    assert!(store.definition(&digest).await.expect("read") == Some(large));
}
