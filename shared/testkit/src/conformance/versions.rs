//! The versions of each SOP.

use std::slice;

use futures_util::future::join_all;
use sop_core::id::{Digest, SopName, Tenant};
use sop_runtime::port::{Version, Versions};

use crate::conformance::settled;
use crate::ids::{EPOCH, fresh, fresh_tenant, sop};

/// Proves that `store` keeps versions.
///
/// # Panics
/// When it breaks a promise.
pub async fn versions<S: Versions>(store: &S) {
    the_one_pushed_last_comes_first(store).await;
    who_pushed_it_first_stays(store).await;
    what_was_published_is_not_forgotten(store).await;
    versions_belong_to_one_tenant_and_sop(store).await;
    all_that_came_at_once_are_there(store).await;
}

/// A version of `sop` pushed `seconds` after [`EPOCH`].
fn pushed(sop: &SopName, seconds: i64) -> Version {
    Version {
        sop: sop.clone(),
        digest: Digest::of(fresh("definition").as_bytes()),
        version: format!("1.{seconds}.0-żółć 🚰"),
        pushed_at: EPOCH.plus_millis(seconds * 1_000),
        pushed_by: "person:ann#a".into(),
        published_at: None,
        published_by: None,
    }
}

async fn put<S: Versions>(store: &S, tenant: &Tenant, version: &Version) {
    store.put_version(tenant, version).await.expect("stored");
}

async fn list<S: Versions>(store: &S, tenant: &Tenant, sop: Option<&SopName>) -> Vec<Version> {
    store.versions(tenant, sop, 1_000).await.expect("listed")
}

async fn the_one_pushed_last_comes_first<S: Versions>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("order"));
    assert_eq!(list(store, &tenant, Some(&mine)).await, []);
    assert_eq!(list(store, &tenant, None).await, []);
    let mut all = Vec::new();
    for seconds in [3, 1, 12, 2, -5, 9] {
        let version = pushed(&mine, seconds);
        put(store, &tenant, &version).await;
        all.push(version);
        all.sort_by_key(|version| std::cmp::Reverse(version.pushed_at));
        assert_eq!(list(store, &tenant, Some(&mine)).await, all, "a store reads what it wrote");
        assert_eq!(list(store, &tenant, None).await, all);
    }
    for limit in [1, 3, 6, 7] {
        let found = store.versions(&tenant, Some(&mine), limit).await.expect("listed");
        assert_eq!(found, all[..limit.min(6)], "up to {limit}");
    }
}

async fn who_pushed_it_first_stays<S: Versions>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("again"));
    let first = pushed(&mine, 5);
    for (seconds, by) in [(5, "person:ann#a"), (9, "person:ben"), (1, "person:cem")] {
        let pushed_at = EPOCH.plus_millis(seconds * 1_000);
        let again = Version { pushed_at, pushed_by: by.into(), ..first.clone() };
        put(store, &tenant, &again).await;
        assert_eq!(
            list(store, &tenant, Some(&mine)).await,
            slice::from_ref(&first),
            "pushed by {by}"
        );
    }
}

async fn what_was_published_is_not_forgotten<S: Versions>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("published"));
    let first = pushed(&mine, 1);
    let at = |seconds: i64| Some(EPOCH.plus_millis(seconds * 1_000));
    let by = |name: &str| Some(name.to_owned());
    put(store, &tenant, &first).await;
    let mut expected = first.clone();
    // Published, pushed again, rolled back to, and pushed again.
    for (published_at, published_by) in
        [(at(2), by("person:ann")), (None, None), (at(7), by("person:ben")), (None, None)]
    {
        let pushed_by = "person:dee".to_owned();
        let put_now = Version { published_at, published_by, pushed_by, ..first.clone() };
        put(store, &tenant, &put_now).await;
        if put_now.published_at.is_some() {
            (expected.published_at, expected.published_by) =
                (put_now.published_at, put_now.published_by);
        }
        assert_eq!(list(store, &tenant, Some(&mine)).await, slice::from_ref(&expected));
    }
    let at_once =
        Version { published_at: at(3), published_by: by("person:ann"), ..pushed(&mine, 3) };
    put(store, &tenant, &at_once).await;
    assert_eq!(list(store, &tenant, Some(&mine)).await, [at_once, expected]);
}

async fn versions_belong_to_one_tenant_and_sop<S: Versions>(store: &S) {
    let (tenant, theirs) = (fresh_tenant(), fresh_tenant());
    let sops = ["pump", "pump-2", "pum", "pump.x"].map(sop);
    // The same definition may be pushed by two tenants.
    let mut all: Vec<_> = sops.iter().flat_map(|sop| [pushed(sop, 2), pushed(sop, 1)]).collect();
    for version in &all {
        put(store, &tenant, version).await;
    }
    put(store, &theirs, &all[0]).await;
    for (i, sop) in sops.iter().enumerate() {
        assert_eq!(list(store, &tenant, Some(sop)).await, all[2 * i..2 * i + 2]);
    }
    let found = list(store, &tenant, None).await;
    for sop in &sops {
        let of: Vec<_> = found.iter().filter(|version| version.sop == *sop).collect();
        let expected: Vec<_> = all.iter().filter(|version| version.sop == *sop).collect();
        assert_eq!(of, expected, "of an SOP the one pushed last comes first");
    }
    assert_eq!(found.len(), all.len());
    for limit in [1, 2, 5] {
        let found = store.versions(&tenant, None, limit).await.expect("listed");
        assert_eq!(found.len(), limit);
    }
    all.truncate(1);
    assert_eq!(list(store, &theirs, None).await, all);
    assert_eq!(list(store, &theirs, Some(&sops[1])).await, []);
}

async fn all_that_came_at_once_are_there<S: Versions>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("race"));
    let digest = Digest::of(fresh("definition").as_bytes());
    let one = Version { digest, version: "1.0.0".into(), ..pushed(&mine, 1) };
    let published_at = Some(EPOCH);
    let published_by = Some("person:ann".to_owned());
    let published = Version { published_at, published_by, ..one.clone() };
    // One definition, pushed many times and published once, beside others.
    let mut puts = vec![one.clone(); 8];
    puts.push(published.clone());
    puts.extend((2..10).map(|seconds| pushed(&mine, seconds)));
    let race =
        puts.iter().map(async |put| settled("put", || store.put_version(&tenant, put)).await);
    join_all(race).await;
    let found = list(store, &tenant, Some(&mine)).await;
    let mut expected = puts[8..].to_vec();
    expected.reverse();
    expected.sort_by_key(|version| std::cmp::Reverse(version.pushed_at));
    assert_eq!(found, expected);
}
