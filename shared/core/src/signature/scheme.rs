//! How each sender signs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use super::{Arrived, SIGNATURES_MAX, Unverified};
use crate::definition::Scheme;
use crate::ingress;
use crate::time::Timestamp;

/// What a request says about itself; not yet believed.
pub(super) struct Claimed<'a> {
    /// The bytes that were signed, in parts.
    pub(super) signed: Vec<&'a [u8]>,
    /// The signatures that were sent, decoded.
    signatures: Vec<Vec<u8>>,
    pub(super) signed_at: Option<Timestamp>,
    /// The sender's id of the delivery.
    pub(super) delivery: Option<String>,
}

/// The value of a header that must be there, once.
fn header<'a>(arrived: &Arrived<'a>, name: &'static str) -> Result<&'a str, Unverified> {
    let mut values = arrived.headers.iter().filter(|(other, _)| *other == name);
    match (values.next(), values.next()) {
        (None, _) => Err(Unverified::Missing { header: name }),
        (Some((_, value)), None) if !value.is_empty() => Ok(value),
        (Some(_), _) => Err(Unverified::Malformed { header: name }),
    }
}

pub(super) fn read<'a>(scheme: Scheme, arrived: &Arrived<'a>) -> Result<Claimed<'a>, Unverified> {
    match scheme {
        Scheme::Github => github(arrived),
        Scheme::Stripe => stripe(arrived),
        Scheme::Slack => slack(arrived),
        Scheme::StandardWebhooks => standard(arrived),
    }
}

/// Source: GitHub, validating webhook deliveries.
fn github<'a>(arrived: &Arrived<'a>) -> Result<Claimed<'a>, Unverified> {
    const SIGNATURE: &str = "x-hub-signature-256";
    const DELIVERY: &str = "x-github-delivery";
    let malformed = Unverified::Malformed { header: SIGNATURE };
    let text = header(arrived, SIGNATURE)?;
    let signature = text.strip_prefix("sha256=").and_then(hex).ok_or(malformed)?;
    let delivery = match header(arrived, DELIVERY) {
        Ok(id) => Some(id_of(DELIVERY, id)?),
        Err(Unverified::Missing { .. }) => None,
        Err(other) => return Err(other),
    };
    let signed = vec![arrived.body];
    Ok(Claimed { signed, signatures: vec![signature], signed_at: None, delivery })
}

/// Source: Stripe, verifying webhook signatures manually.
fn stripe<'a>(arrived: &Arrived<'a>) -> Result<Claimed<'a>, Unverified> {
    const SIGNATURE: &str = "stripe-signature";
    let malformed = || Unverified::Malformed { header: SIGNATURE };
    let text = header(arrived, SIGNATURE)?;
    let mut stamp = None;
    let mut signatures = Vec::new();
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(malformed)?;
        match key.trim() {
            "t" if stamp.is_some() => return Err(malformed()),
            "t" => stamp = Some(value.trim()),
            "v1" => signatures.push(hex(value.trim()).ok_or_else(malformed)?),
            // Other schemes are nothing: a `v0` must never be taken.
            _ => {}
        }
    }
    let stamp = stamp.ok_or_else(malformed)?;
    let signed_at = seconds(stamp).ok_or_else(malformed)?;
    let signatures = some(signatures, SIGNATURE)?;
    let signed = vec![stamp.as_bytes(), b".", arrived.body];
    let delivery = text_of(arrived.body, |it| it.id);
    Ok(Claimed { signed, signatures, signed_at: Some(signed_at), delivery })
}

/// Source: Slack, verifying requests from Slack.
fn slack<'a>(arrived: &Arrived<'a>) -> Result<Claimed<'a>, Unverified> {
    const STAMP: &str = "x-slack-request-timestamp";
    const SIGNATURE: &str = "x-slack-signature";
    let stamp = header(arrived, STAMP)?;
    let text = header(arrived, SIGNATURE)?;
    let malformed = |header| Unverified::Malformed { header };
    let signed_at = seconds(stamp).ok_or_else(|| malformed(STAMP))?;
    let signature = text.strip_prefix("v0=").and_then(hex).ok_or_else(|| malformed(SIGNATURE))?;
    let signed = vec![b"v0:".as_slice(), stamp.as_bytes(), b":", arrived.body];
    let delivery = text_of(arrived.body, |it| it.event_id);
    Ok(Claimed { signed, signatures: vec![signature], signed_at: Some(signed_at), delivery })
}

/// Source: Standard Webhooks 1.0, sections on signatures and headers.
fn standard<'a>(arrived: &Arrived<'a>) -> Result<Claimed<'a>, Unverified> {
    const ID: &str = "webhook-id";
    const STAMP: &str = "webhook-timestamp";
    const SIGNATURE: &str = "webhook-signature";
    let (id, stamp) = (header(arrived, ID)?, header(arrived, STAMP)?);
    let text = header(arrived, SIGNATURE)?;
    let malformed = |header| Unverified::Malformed { header };
    let signed_at = seconds(stamp).ok_or_else(|| malformed(STAMP))?;
    // A dot would let one id and another time be signed alike.
    if id.contains('.') {
        return Err(malformed(ID));
    }
    let delivery = Some(id_of(ID, id)?);
    let mut signatures = Vec::new();
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        let (version, value) = part.split_once(',').ok_or_else(|| malformed(SIGNATURE))?;
        // `v1a` is asymmetric and not ours to check.
        if version == "v1" {
            signatures.push(STANDARD.decode(value).map_err(|_| malformed(SIGNATURE))?);
        }
    }
    let signatures = some(signatures, SIGNATURE)?;
    let signed = vec![id.as_bytes(), b".", stamp.as_bytes(), b".", arrived.body];
    Ok(Claimed { signed, signatures, signed_at: Some(signed_at), delivery })
}

/// Whether one secret gave one of the signatures. All are tried, whichever it is.
pub(super) fn is_signed(
    scheme: Scheme,
    claimed: &Claimed<'_>,
    secrets: &[String],
) -> Result<bool, Unverified> {
    let mut found = false;
    for secret in secrets {
        let key = key(scheme, secret).ok_or(Unverified::BadSecret)?;
        for signature in &claimed.signatures {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key has any length");
            for part in &claimed.signed {
                mac.update(part);
            }
            // In constant time.
            found |= mac.verify_slice(signature).is_ok();
        }
    }
    Ok(found)
}

/// What the sender would send besides the body.
pub(super) fn sign(
    scheme: Scheme,
    secret: &str,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Option<Vec<(&'static str, String)>> {
    let key = key(scheme, secret)?;
    let stamp = now.as_millis().div_euclid(1_000).to_string();
    let mac = |parts: &[&[u8]]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key has any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes()
    };
    let digits = |parts: &[&[u8]]| -> String {
        mac(parts).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    Some(match scheme {
        Scheme::Github => vec![
            ("x-hub-signature-256", format!("sha256={}", digits(&[body]))),
            ("x-github-delivery", id.to_owned()),
        ],
        Scheme::Stripe => {
            let signature = digits(&[stamp.as_bytes(), b".", body]);
            vec![("stripe-signature", format!("t={stamp},v1={signature}"))]
        }
        Scheme::Slack => {
            let signature = digits(&[b"v0:", stamp.as_bytes(), b":", body]);
            vec![
                ("x-slack-signature", format!("v0={signature}")),
                ("x-slack-request-timestamp", stamp),
            ]
        }
        Scheme::StandardWebhooks => {
            let mac = mac(&[id.as_bytes(), b".", stamp.as_bytes(), b".", body]);
            vec![
                ("webhook-id", id.to_owned()),
                ("webhook-signature", format!("v1,{}", STANDARD.encode(mac))),
                ("webhook-timestamp", stamp),
            ]
        }
    })
}

/// The bytes that a secret stands for; `None` when it stands for none.
fn key(scheme: Scheme, secret: &str) -> Option<Vec<u8>> {
    let secret = secret.trim();
    let key = match scheme {
        Scheme::Github | Scheme::Stripe | Scheme::Slack => secret.as_bytes().to_vec(),
        Scheme::StandardWebhooks => {
            STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).ok()?
        }
    };
    (!key.is_empty()).then_some(key)
}

fn some(signatures: Vec<Vec<u8>>, header: &'static str) -> Result<Vec<Vec<u8>>, Unverified> {
    if (1..=SIGNATURES_MAX).contains(&signatures.len()) {
        return Ok(signatures);
    }
    Err(Unverified::Malformed { header })
}

/// An id that can be an idempotency key.
fn id_of(header: &'static str, id: &str) -> Result<String, Unverified> {
    let id = ingress::idempotency_key(id).map_err(|_| Unverified::Malformed { header })?;
    Ok(id.to_owned())
}

/// A time stamp in whole seconds: digits and nothing else.
fn seconds(text: &str) -> Option<Timestamp> {
    let is_digits = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let secs: i64 = text.parse().ok().filter(|_| is_digits)?;
    Some(Timestamp::from_millis(secs * 1_000))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || !bytes.len().is_multiple_of(2) || bytes.len() > 128 {
        return None;
    }
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    bytes.chunks(2).map(|pair| Some(digit(pair[0])? * 16 + digit(pair[1])?)).collect()
}

/// The ids that senders put into the body.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Ids {
    id: Option<String>,
    event_id: Option<String>,
}

fn text_of(body: &[u8], pick: fn(Ids) -> Option<String>) -> Option<String> {
    let id = pick(serde_json::from_slice(body).ok()?)?;
    ingress::idempotency_key(&id).ok().map(str::to_owned)
}
