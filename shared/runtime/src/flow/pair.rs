//! Pairing: a one-time code becomes a bearer token. Only hashes are kept.

use sop_core::id::{Digest, Tenant};
use sop_core::time::Timestamp;

use crate::flow::{FlowError, Host};
use crate::port::{Clock, Grant, Pairing, Token, Tokens, random};

/// Milliseconds that a pairing code lives.
const CODE_LIFE_MS: i64 = 600_000;

/// Wrong tries after which nobody may try for a while.
const FAILURES_MAX: u32 = 5;

/// Milliseconds for which nobody may try then.
const LOCKED_MS: i64 = 300_000;

/// Milliseconds for which a token that was taken back is still listed.
const REVOKED_KEPT_MS: i64 = 30 * 86_400_000;

/// What became of a pairing code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paired {
    /// The code is used up; this is the token, which is shown once and kept nowhere.
    Token {
        /// What the caller sends as `Authorization: Bearer`.
        token: String,
        /// Who the ledger will say it was.
        subject: String,
    },
    /// The code is wrong, used up or too old.
    Wrong,
    /// Too many wrong tries.
    Locked {
        /// Until when.
        until: Timestamp,
    },
}

/// Makes a pairing code of six digits, which lives ten minutes and replaces any other.
///
/// # Errors
/// When the store fails.
pub async fn new_code<S: Tokens, Q, C: Clock>(host: &Host<S, Q, C>) -> Result<String, FlowError> {
    new_code_for(host, &Grant::default()).await
}

/// As [`new_code`], of a code whose token will be as `grant` says.
///
/// # Errors
/// When the store fails.
pub async fn new_code_for<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    grant: &Grant,
) -> Result<String, FlowError> {
    loop {
        // Rejection keeps the digits evenly likely.
        let number = loop {
            let draw = u32::from_be_bytes(random());
            if draw < u32::MAX - u32::MAX % 1_000_000 {
                break draw % 1_000_000;
            }
        };
        let code = format!("{number:06}");
        let (version, _) = host.store.pairing(&host.tenant).await?;
        let now = host.now();
        let pairing = Pairing {
            code: Some(code_hash(&host.tenant, &code)),
            expires_at: now.plus_millis(CODE_LIFE_MS),
            failures: 0,
            locked_until: Timestamp::default(),
            grant: grant.clone(),
        };
        if host.store.set_pairing(&host.tenant, version, &pairing).await? {
            return Ok(code);
        }
    }
}

/// Redeems a pairing code.
///
/// # Errors
/// When the store fails.
pub async fn redeem<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    code: &str,
) -> Result<Paired, FlowError> {
    loop {
        let (version, pairing) = host.store.pairing(&host.tenant).await?;
        let Some(pairing) = pairing else { return Ok(Paired::Wrong) };
        let now = host.now();
        if now < pairing.locked_until {
            return Ok(Paired::Locked { until: pairing.locked_until });
        }
        let (next, right) = judge(&pairing, code_hash(&host.tenant, code.trim()), now);
        if !host.store.set_pairing(&host.tenant, version, &next).await? {
            continue;
        }
        if !right {
            return Ok(if now < next.locked_until {
                Paired::Locked { until: next.locked_until }
            } else {
                Paired::Wrong
            });
        }
        let (token, subject) = issue(host, "paired", &pairing.grant).await?;
        return Ok(Paired::Token { token, subject });
    }
}

/// Whether `offered` opens `pairing`, and what pairing is afterwards: a right code is used up, the
/// fifth wrong one locks.
fn judge(pairing: &Pairing, offered: Digest, now: Timestamp) -> (Pairing, bool) {
    let open = pairing.code.filter(|_| now < pairing.expires_at);
    // Digests are compared, so the time it takes tells nothing about the code.
    if open == Some(offered) {
        return (Pairing { code: None, failures: 0, ..pairing.clone() }, true);
    }
    let failures = pairing.failures + 1;
    if failures >= FAILURES_MAX {
        let locked_until = now.plus_millis(LOCKED_MS);
        return (Pairing { failures: 0, locked_until, ..pairing.clone() }, false);
    }
    (Pairing { failures, ..pairing.clone() }, false)
}

/// Issues an operator's token whose subject begins with `kind`.
///
/// # Errors
/// When the store fails.
pub async fn issue_token<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    kind: &str,
) -> Result<(String, String), FlowError> {
    issue(host, kind, &Grant::default()).await
}

/// Issues a token as `grant` says; its text, which is shown once and kept nowhere, and its subject.
///
/// # Errors
/// When the store fails.
pub async fn issue<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    kind: &str,
    grant: &Grant,
) -> Result<(String, String), FlowError> {
    let secret = Digest::of(&random::<32>()).to_string();
    let text = format!("sop_{secret}");
    let hash = Digest::of(text.as_bytes());
    let subject = match &grant.subject {
        Some(subject) => subject.clone(),
        None => format!("{kind}:{}", &hash.to_string()[..8]),
    };
    let now = host.now();
    let life_ms = |secs: u64| i64::try_from(secs.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let token = Token {
        hash,
        tenant: host.tenant.clone(),
        subject: subject.clone(),
        role: grant.role,
        issued_at: now,
        expires_at: grant.life_secs.map(|secs| now.plus_millis(life_ms(secs))),
        revoked_at: None,
    };
    host.store.put_token(&token).await?;
    Ok((text, subject))
}

/// Up to `limit` tokens, from behind the hash `after`: those that work, and those that did a while ago.
///
/// # Errors
/// When the store fails.
pub async fn tokens<S: Tokens, Q, C>(
    host: &Host<S, Q, C>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Token>, FlowError> {
    Ok(host.store.tokens(&host.tenant, after, limit).await?)
}

/// Takes back the token that `id` names, at once; `None` when there is none.
///
/// # Errors
/// When the store fails.
pub async fn revoke<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    id: &str,
) -> Result<Option<Token>, FlowError> {
    // An id is what a hash begins with, so the hash is the next in order.
    let found = host.store.tokens(&host.tenant, Some(id), 1).await?;
    let Some(token) = found.into_iter().next().filter(|token| token.id() == id) else {
        return Ok(None);
    };
    let now = host.now();
    let until = now.plus_millis(REVOKED_KEPT_MS);
    let revoked = Token {
        revoked_at: token.revoked_at.or(Some(now)),
        expires_at: Some(token.expires_at.map_or(until, |at| at.min(until))),
        ..token
    };
    host.store.put_token(&revoked).await?;
    Ok(Some(revoked))
}

/// The token that `bearer` is, if it is known and has not lapsed.
///
/// # Errors
/// When the store fails.
pub async fn authenticate<S: Tokens, Q, C: Clock>(
    host: &Host<S, Q, C>,
    bearer: &str,
) -> Result<Option<Token>, FlowError> {
    let token = host.store.token(&Digest::of(bearer.as_bytes())).await?;
    let now = host.now();
    Ok(token.filter(|token| {
        token.tenant == host.tenant
            && token.revoked_at.is_none()
            && token.expires_at.is_none_or(|expires_at| now < expires_at)
    }))
}

fn code_hash(tenant: &Tenant, code: &str) -> Digest {
    Digest::of(format!("pair\n{tenant}\n{code}").as_bytes())
}
