//! Idempotency keys.

use futures_util::future::join_all;
use sop_runtime::port::{Claim, Idempotency};

use crate::conformance::settled;
use crate::ids::{EPOCH, fresh, fresh_tenant};

/// Proves that `store` keeps idempotency keys.
///
/// # Panics
/// When it breaks a promise.
pub async fn idempotency<S: Idempotency>(store: &S) {
    a_key_is_held_until_it_expires(store).await;
    keys_are_apart(store).await;
    one_of_many_claims_wins(store).await;
}

async fn a_key_is_held_until_it_expires<S: Idempotency>(store: &S) {
    let (tenant, key) = (fresh_tenant(), fresh("sop"));
    // When, until when, with which record; and what the answer is. All in milliseconds.
    let cases = [
        (0, 300, "first", Claim::New),
        (0, 300, "first", Claim::Held("first".into())),
        (299, 9_999, "second", Claim::Held("first".into())),
        (-5_000, 9_999, "early", Claim::Held("first".into())),
        (300, 1_300, "third", Claim::New),
        (1_299, 9_999, "fourth", Claim::Held("third".into())),
        (9_999, 10_000, "", Claim::New),
        (9_999, 10_000, "fifth", Claim::Held(String::new())),
    ];
    for (now, until, record, expected) in cases {
        let (now, until) = (EPOCH.plus_millis(now), EPOCH.plus_millis(until));
        let claim = store.claim(&tenant, &key, record, now, until).await.expect("answered");
        assert_eq!(claim, expected, "`{record}` at {now}");
    }
}

async fn keys_are_apart<S: Idempotency>(store: &S) {
    let (now, until) = (EPOCH, EPOCH.plus_millis(300_000));
    let key = fresh("sop");
    let longest = format!("{key}{}", "k".repeat(512 - key.len()));
    let neighbour = format!("{}j", &longest[..511]);
    let lively = format!("{key}#żółć 🚰'\"; \u{1}");
    let (mine, theirs) = (fresh_tenant(), fresh_tenant());
    for (tenant, key) in [
        (&mine, &key),
        (&theirs, &key),
        (&mine, &longest),
        (&mine, &neighbour),
        (&mine, &lively),
        (&mine, &key.to_uppercase()),
    ] {
        let claim = store.claim(tenant, key, key, now, until).await.expect("answered");
        assert_eq!(claim, Claim::New, "{key}");
        let claim = store.claim(tenant, key, "other", now, until).await.expect("answered");
        assert_eq!(claim, Claim::Held(key.clone()));
    }
}

async fn one_of_many_claims_wins<S: Idempotency>(store: &S) {
    let (tenant, key) = (fresh_tenant(), fresh("sop"));
    for round in 0..3 {
        let now = EPOCH.plus_millis(round * 1_000);
        let until = now.plus_millis(1_000);
        let records: Vec<_> = (0..16).map(|i| format!("{round}-{i}")).collect();
        let race = records.iter().map(async |record| {
            settled("claim", || store.claim(&tenant, &key, record, now, until)).await
        });
        let answers = join_all(race).await;
        let new = answers.iter().filter(|answer| **answer == Claim::New).count();
        assert!(new <= 1, "{new} claims won: {answers:?}");
        let held = store.claim(&tenant, &key, "late", now, until).await.expect("answered");
        let Claim::Held(winner) = held else { panic!("nobody won: {answers:?}") };
        for (record, answer) in records.iter().zip(answers) {
            match answer {
                Claim::New => assert_eq!(record, &winner),
                Claim::Held(other) => assert_eq!(other, winner),
            }
        }
    }
}
