//! Whether the sender of a webhook may come in. Nothing is written before it has.

use sop_core::definition::Signed;
use sop_core::id::Digest;
use sop_core::matching::WebhookRoute;
use sop_core::signature::{self, Arrived, TOLERANCE_SECS, Unverified};

use super::{Answer, Hook, Sender};
use crate::flow::{FlowError, Host, authenticate};
use crate::port::{Clock, Role, Secrets, Tokens};

/// The header of the second layer.
/// Source: seed 002, section 3.2.
const SECRET_HEADER: &str = "x-webhook-secret";

/// Who came in.
pub(super) struct Caller {
    /// The holder of a token.
    pub(super) subject: Option<String>,
    /// Who the event will say it was.
    pub(super) actor: Option<String>,
    /// What a signature said of the delivery.
    pub(super) delivery: Option<Delivery>,
    /// What a sender that signs wants back before it sends anything.
    pub(super) challenge: Option<String>,
}

/// One delivery of a sender that signs.
pub(super) struct Delivery {
    pub(super) id: String,
    /// Milliseconds in which it could be sent again by whoever saw it.
    pub(super) replayable_ms: Option<i64>,
}

/// Whether the caller is in.
pub(super) enum Entered {
    In(Caller),
    Out(Answer),
}

pub(super) async fn enter<S, Q, C, K>(
    host: &Host<S, Q, C>,
    secrets: &K,
    route: &WebhookRoute,
    hook: &Hook<'_>,
    sender: Sender<'_>,
) -> Result<Entered, FlowError>
where
    S: Tokens,
    C: Clock,
    K: Secrets,
{
    if let Some(answer) = second_layer(host, secrets, sender).await? {
        return Ok(Entered::Out(answer));
    }
    let subject = match hook.bearer {
        Some(bearer) => match authenticate(host, bearer).await? {
            Some(token) if token.role == Role::Viewer => {
                return Ok(Entered::Out(Answer::Forbidden(token.role)));
            }
            Some(token) => Some(token.subject),
            None => return Ok(Entered::Out(Answer::Unauthorized)),
        },
        None => None,
    };
    let (needs_token, signed) = match route {
        WebhookRoute::Known { demands } => {
            (demands.token && host.settings.gateway.require_pairing, demands.signed.as_slice())
        }
        // Who is not known is not told which paths there are.
        WebhookRoute::WrongMethod { .. } | WebhookRoute::Unknown => {
            (host.settings.gateway.require_pairing, [].as_slice())
        }
    };
    if needs_token && subject.is_none() {
        return Ok(Entered::Out(Answer::Unauthorized));
    }
    let mut caller = Caller { actor: subject.clone(), subject, delivery: None, challenge: None };
    for signed in signed {
        match verified(host, secrets, signed, hook, sender).await? {
            Ok(delivery) => {
                let scheme = signed.scheme.as_str();
                caller.actor.get_or_insert_with(|| format!("signed:{scheme}"));
                caller.delivery.get_or_insert(delivery);
                caller.challenge = signature::challenge(signed.scheme, hook.body);
            }
            Err(answer) => return Ok(Entered::Out(answer)),
        }
    }
    Ok(Entered::In(caller))
}

/// What is answered when the host asks for `X-Webhook-Secret` and it is not right.
async fn second_layer<S, Q, C, K: Secrets>(
    host: &Host<S, Q, C>,
    secrets: &K,
    sender: Sender<'_>,
) -> Result<Option<Answer>, FlowError> {
    let Some(name) = &host.settings.gateway.webhook_secret else { return Ok(None) };
    let Some(secret) = secrets.secret(name).await? else {
        tracing::error!(secret = name, "the webhook secret is not among the host's secrets");
        return Ok(Some(Answer::NoSecret));
    };
    let mut sent = sender.headers.iter().filter(|(name, _)| *name == SECRET_HEADER);
    let is_right = match (sent.next(), sent.next()) {
        // Digests are compared, so the time it takes tells nothing about the secret.
        (Some((_, sent)), None) => {
            Digest::of(sent.trim().as_bytes()) == Digest::of(secret.trim().as_bytes())
        }
        (None, _) | (Some(_), Some(_)) => false,
    };
    Ok((!is_right || secret.trim().is_empty()).then_some(Answer::WrongSecret))
}

async fn verified<S, Q, C: Clock, K: Secrets>(
    host: &Host<S, Q, C>,
    secrets: &K,
    signed: &Signed,
    hook: &Hook<'_>,
    sender: Sender<'_>,
) -> Result<Result<Delivery, Answer>, FlowError> {
    let mut known = Vec::new();
    for name in &signed.secrets {
        match secrets.secret(name).await? {
            Some(secret) => known.push(secret),
            None => tracing::error!(
                secret = name,
                path = hook.raw_path,
                "a webhook's secret is not among the host's secrets"
            ),
        }
    }
    if known.is_empty() {
        return Ok(Err(Answer::NoSecret));
    }
    let arrived = Arrived { headers: sender.headers, body: hook.body, now: host.now() };
    let tolerance_secs = signed.tolerance_secs.unwrap_or(TOLERANCE_SECS);
    Ok(match signature::verify(signed.scheme, &arrived, &known, tolerance_secs) {
        Ok(found) => Ok(Delivery { id: found.delivery, replayable_ms: found.replayable_ms }),
        Err(Unverified::BadSecret) => {
            let names = signed.secrets.join(", ");
            tracing::error!(secret = names, "a webhook's secret is not in its scheme's form");
            Err(Answer::NoSecret)
        }
        Err(unverified) => Err(Answer::Unsigned(unverified)),
    })
}
