//! Pairing codes and tokens.

use futures_util::future::join_all;
use sop_core::id::{Digest, Tenant};
use sop_runtime::port::{Grant, Pairing, Role, Token, Tokens};

use crate::conformance::settled;
use crate::ids::{EPOCH, fresh, fresh_tenant};

/// Proves that `store` keeps pairing codes and tokens.
///
/// # Panics
/// When it breaks a promise.
pub async fn tokens<S: Tokens>(store: &S) {
    tokens_come_back(store).await;
    tokens_are_listed_by_tenant(store).await;
    pairing_changes_from_the_version_it_has(store).await;
    one_of_many_changes_wins(store).await;
}

async fn tokens_come_back<S: Tokens>(store: &S) {
    let unknown = Digest::of(fresh("token").as_bytes());
    assert_eq!(store.token(&unknown).await.expect("read"), None);
    for expires_at in [None, Some(EPOCH)] {
        let token = Token {
            hash: Digest::of(fresh("token").as_bytes()),
            tenant: fresh_tenant(),
            subject: "paired:żółć 🚰".into(),
            role: Role::Viewer,
            issued_at: EPOCH,
            expires_at,
            revoked_at: None,
        };
        for subject in [token.subject.as_str(), "paired:1a2b3c4d"] {
            let token = Token { subject: subject.into(), ..token.clone() };
            store.put_token(&token).await.expect("stored");
            // Lapsed or not: judging that is the caller's.
            assert_eq!(store.token(&token.hash).await.expect("read"), Some(token));
        }
    }
}

async fn tokens_are_listed_by_tenant<S: Tokens>(store: &S) {
    let (mine, theirs) = (fresh_tenant(), fresh_tenant());
    let token = |tenant: &Tenant| Token {
        hash: Digest::of(fresh("token").as_bytes()),
        tenant: tenant.clone(),
        subject: "paired:1a2b3c4d".into(),
        role: Role::Ingress,
        issued_at: EPOCH,
        // Far ahead: the store's own clock may not be ours.
        expires_at: Some(EPOCH.plus_millis(100 * 365 * 86_400_000)),
        revoked_at: None,
    };
    let mut all: Vec<Token> = (0..5).map(|_| token(&mine)).collect();
    for token in all.iter().chain([&token(&theirs)]) {
        store.put_token(token).await.expect("stored");
    }
    all.sort_by_key(|token| token.hash.to_string());
    assert_eq!(store.tokens(&mine, None, 10).await.expect("listed"), all);
    assert_eq!(store.tokens(&mine, None, 2).await.expect("listed"), all[..2]);
    let second = all[1].hash.to_string();
    assert_eq!(store.tokens(&mine, Some(&second), 2).await.expect("listed"), all[2..4]);
    // What a hash begins with comes before it.
    assert_eq!(store.tokens(&mine, Some(&second[..16]), 1).await.expect("listed"), all[1..2]);
    assert_eq!(store.tokens(&theirs, None, 10).await.expect("listed").len(), 1);
    assert_eq!(store.tokens(&fresh_tenant(), None, 10).await.expect("listed"), []);
    // Taken back: at once, in the list and where it is asked for.
    let revoked = Token { revoked_at: Some(EPOCH), ..all[1].clone() };
    store.put_token(&revoked).await.expect("stored");
    assert_eq!(store.token(&revoked.hash).await.expect("read"), Some(revoked.clone()));
    assert_eq!(store.tokens(&mine, None, 10).await.expect("listed")[1], revoked);
}

fn pairing(failures: u32) -> Pairing {
    Pairing {
        code: failures.is_multiple_of(2).then(|| Digest::of(fresh("code").as_bytes())),
        expires_at: EPOCH.plus_millis(600_000),
        failures,
        locked_until: EPOCH,
        grant: Grant { role: Role::Ingress, subject: None, life_secs: Some(60) },
    }
}

async fn pairing_changes_from_the_version_it_has<S: Tokens>(store: &S) {
    let tenant = fresh_tenant();
    assert_eq!(store.pairing(&tenant).await.expect("read"), (0, None));
    assert!(!store.set_pairing(&tenant, 1, &pairing(0)).await.expect("answered"));
    assert_eq!(store.pairing(&tenant).await.expect("read"), (0, None));
    for (version, failures) in (0..).zip([0, 1, 2, 3]) {
        let state = pairing(failures);
        assert!(store.set_pairing(&tenant, version, &state).await.expect("answered"));
        for stale in [version, version + 2, 0] {
            let other = pairing(9);
            assert!(!store.set_pairing(&tenant, stale, &other).await.expect("answered"));
        }
        assert_eq!(store.pairing(&tenant).await.expect("read"), (version + 1, Some(state)));
    }
    assert_eq!(store.pairing(&fresh_tenant()).await.expect("read"), (0, None));
}

async fn one_of_many_changes_wins<S: Tokens>(store: &S) {
    let tenant = fresh_tenant();
    for version in 0..3 {
        let states: Vec<_> = (0..16).map(pairing).collect();
        let race = states.iter().map(async |state| {
            settled("pairing", || store.set_pairing(&tenant, version, state)).await
        });
        let answers = join_all(race).await;
        let won: Vec<_> = states.iter().zip(&answers).filter(|(_, won)| **won).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let expected = (version + 1, Some(won[0].0.clone()));
        assert_eq!(store.pairing(&tenant).await.expect("read"), expected);
    }
}
