//! Whether a webhook was signed by whoever knows a secret: pure checks over the bytes as they came.
//!
//! Nothing here is ever logged or told to a caller but which part failed. Signatures are compared in constant time,
//! and the time stamp is looked at only once the signature stands, so a forger learns no more than "wrong".

mod scheme;

use crate::definition::Scheme;
use crate::id::Digest;
use crate::time::Timestamp;

use scheme::Claimed;

/// Signatures of one request that are looked at: senders who rotate their secrets send two.
pub const SIGNATURES_MAX: usize = 8;

/// Seconds for which the sender's clock may be off where a trigger does not say.
/// Source: Stripe, Slack and Standard Webhooks, each of which recommends five minutes.
pub const TOLERANCE_SECS: u64 = 300;

/// What arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// Headers as they came: names in lower case, a value that is no text empty.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body, byte by byte.
    pub body: &'a [u8],
    /// When it arrived.
    pub now: Timestamp,
}

/// What a signature that stands tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The sender's own id of the delivery: the same when it sends it again.
    pub delivery: String,
    /// Milliseconds in which the same request could still be verified; `None` when it could be for ever.
    pub replayable_ms: Option<i64>,
}

/// Which part of a signature failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The header is not there.
    #[error("the header `{header}` is missing: this path takes signed requests only")]
    Missing {
        /// Its name.
        header: &'static str,
    },
    /// The header is there, more than once or not in the form that its scheme has.
    #[error("the header `{header}` is not in the form that it has to be in")]
    Malformed {
        /// Its name.
        header: &'static str,
    },
    /// No secret gives a signature that was sent.
    #[error("the signature does not verify: another secret, or the body was changed on its way")]
    Wrong,
    /// It is signed, and too old or ahead of time.
    #[error(
        "the signature is more than {tolerance_secs} s old, or as far ahead: a replay, or a wrong clock"
    )]
    Late {
        /// How far off it may be.
        tolerance_secs: u64,
    },
    /// A secret is not in the form that the scheme has: the host's fault, not the caller's.
    #[error("the secret of this path cannot be used")]
    BadSecret,
}

/// Whether one of `secrets` signed what arrived, as `scheme` signs.
///
/// # Errors
/// [`Unverified`] names the part that failed.
pub fn verify(
    scheme: Scheme,
    arrived: &Arrived<'_>,
    secrets: &[String],
    tolerance_secs: u64,
) -> Result<Verified, Unverified> {
    let claimed = scheme::read(scheme, arrived)?;
    if !scheme::is_signed(scheme, &claimed, secrets)? {
        return Err(Unverified::Wrong);
    }
    let Some(signed_at) = claimed.signed_at else {
        return Ok(Verified { delivery: delivery(&claimed), replayable_ms: None });
    };
    let tolerance_ms = i64::try_from(tolerance_secs).unwrap_or(i64::MAX / 4).saturating_mul(1_000);
    let off_ms = arrived.now.millis_since(signed_at);
    // A stamp has whole seconds: it is not late for the rest of the last one.
    if off_ms.saturating_abs() > tolerance_ms.saturating_add(999) {
        return Err(Unverified::Late { tolerance_secs });
    }
    let replayable_ms = tolerance_ms.saturating_add(1_000).saturating_sub(off_ms);
    Ok(Verified { delivery: delivery(&claimed), replayable_ms: Some(replayable_ms.max(0)) })
}

/// What a sender wants back before it sends anything, to see that whoever has the path also wants it: Slack's
/// `url_verification`. `None` of any other body, and of senders who ask nothing.
///
/// Source: Slack API, `url_verification`.
pub fn challenge(scheme: Scheme, body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Asked {
        r#type: String,
        challenge: String,
    }
    match scheme {
        Scheme::Slack => {
            let asked: Asked = serde_json::from_slice(body).ok()?;
            (asked.r#type == "url_verification").then_some(asked.challenge)
        }
        Scheme::Github | Scheme::Stripe | Scheme::StandardWebhooks => None,
    }
}

/// The headers of a request as its sender signs them, for tests and stories; `None` when the secret is not in
/// the scheme's form.
pub fn sign(
    scheme: Scheme,
    secret: &str,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Option<Vec<(&'static str, String)>> {
    scheme::sign(scheme, secret, id, now, body)
}

/// The sender's id, or a name of what it signed.
fn delivery(claimed: &Claimed<'_>) -> String {
    match &claimed.delivery {
        Some(id) => id.clone(),
        None => Digest::of(&claimed.signed.concat()).to_string(),
    }
}

#[cfg(test)]
mod tests;
