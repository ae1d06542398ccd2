//! Word of an open gate, sent to the routes of its policy.
//!
//! Sent at least once: the same word has the same id, by which a receiver knows it again.

mod sign;

use serde_json::Value;
use sop_core::Timestamp;
use sop_core::definition::Route;
use sop_runtime::port::{Outlets, Secrets};

use crate::chain;
use crate::http_request::Client;

pub use sign::signature;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Word<'a> {
    /// The same for the same word, however often it is sent: at most 200 visible ASCII characters.
    pub id: &'a str,
    /// When what it tells of happened.
    pub at: Timestamp,
    /// A short line for people.
    pub subject: &'a str,
    /// What is said.
    pub body: &'a Value,
}

/// Sends `word` along `route`.
///
/// `now` is when it is sent: receivers of a signed one refuse what is too old.
///
/// # Errors
/// The reason, which names hosts and topics and holds no secret. Sending again may help.
pub async fn send<S: Secrets, O: Outlets>(
    (client, secrets, outlets): (&Client, &S, &O),
    route: &Route,
    word: Word<'_>,
    now: Timestamp,
) -> Result<(), String> {
    match route {
        Route::Webhook { url, secret } => {
            let key = match secret {
                None => None,
                Some(name) => {
                    let key = secrets.secret(name).await.map_err(|error| chain(&error))?;
                    Some(key.ok_or_else(|| format!("there is no secret `{name}`"))?)
                }
            };
            webhook(client, url, word, key.as_deref(), now).await
        }
        Route::Sns { topic_arn } => {
            let message = word.body.to_string();
            let sent = outlets.sns(topic_arn, word.subject, &message).await;
            sent.map_err(|error| chain(&error))
        }
        Route::Mqtt { topic } => {
            outlets.mqtt(topic, &word.body.to_string()).await.map_err(|error| chain(&error))
        }
    }
}

/// Posts `word` to `url` by the rules of Standard Webhooks, signed when there is a `key`.
///
/// `webhook-timestamp` is when it is sent, `webhook-id` stays the same.
///
/// # Errors
/// The reason: the key is none, the host does not answer, or answers anything but 2xx.
///
/// Source: Standard Webhooks, version 1.0.0, "Signature scheme" and "Webhook headers".
pub async fn webhook(
    client: &Client,
    url: &str,
    word: Word<'_>,
    key: Option<&str>,
    now: Timestamp,
) -> Result<(), String> {
    let body = word.body.to_string();
    let seconds = now.as_millis().div_euclid(1_000);
    let mut headers =
        vec![("webhook-id", word.id.to_owned()), ("webhook-timestamp", seconds.to_string())];
    if let Some(key) = key {
        let signature = signature(key, word.id, seconds, &body)
            .ok_or("the signing key is not base 64, as in `whsec_...`")?;
        headers.push(("webhook-signature", signature));
    }
    client.post(url, headers, body).await
}

#[cfg(test)]
mod tests;
