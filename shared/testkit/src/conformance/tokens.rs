//! Pairing codes and tokens.

use futures_util::future::join_all;
use sop_core::id::Digest;
use sop_runtime::port::{Pairing, Token, Tokens};

use crate::conformance::settled;
use crate::ids::{EPOCH, fresh, fresh_tenant};

/// Proves that `store` keeps pairing codes and tokens.
///
/// # Panics
/// When it breaks a promise.
pub async fn tokens<S: Tokens>(store: &S) {
    tokens_come_back(store).await;
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
            issued_at: EPOCH,
            expires_at,
        };
        for subject in [token.subject.as_str(), "paired:1a2b3c4d"] {
            let token = Token { subject: subject.into(), ..token.clone() };
            store.put_token(&token).await.expect("stored");
            // Lapsed or not: judging that is the caller's.
            assert_eq!(store.token(&token.hash).await.expect("read"), Some(token));
        }
    }
}

fn pairing(failures: u32) -> Pairing {
    Pairing {
        code: failures.is_multiple_of(2).then(|| Digest::of(fresh("code").as_bytes())),
        expires_at: EPOCH.plus_millis(600_000),
        failures,
        locked_until: EPOCH,
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
