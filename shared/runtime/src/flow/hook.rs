//! Webhooks: who sends, what it carries, what it starts; queued once, however often it is sent.

mod guard;
mod once;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sop_core::condition::Payload;
use sop_core::event::{Data, Event, Source};
use sop_core::id::EventId;
use sop_core::ingress::{self, Rejected};
use sop_core::matching::WebhookRoute;
use sop_core::signature::Unverified;

use crate::flow::log::{self, SopVerdict};
use crate::flow::rate::{self, Rate};
use crate::flow::{Active, FlowError, Host};
use crate::port::{
    Catalog, Clock, EventLog, Idempotency, Queue, RateLimits, Role, Secrets, Tokens,
};

use guard::{Caller, Entered};
use once::Key;

/// A webhook request.
#[derive(Debug, Clone, Copy)]
pub struct Hook<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// The path as it came, still percent-encoded.
    pub raw_path: &'a str,
    /// The bearer token, if one was sent.
    pub bearer: Option<&'a str>,
    /// `X-Idempotency-Key`.
    pub key: Option<&'a str>,
    /// `traceparent`.
    pub trace: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What is known of a webhook's sender besides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sender<'a> {
    /// The address at the other end of the connection.
    pub address: Option<IpAddr>,
    /// All headers: names in lower case, a value that is no text empty.
    pub headers: &'a [(&'a str, &'a str)],
}

/// What an accepted webhook is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The event.
    pub event_id: EventId,
    /// The SOPs that it matches.
    pub matched_sops: Vec<String>,
    /// The decoded path.
    pub path: String,
}

/// What a webhook is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 202: the event is durable.
    Accepted(Accepted),
    /// 200: the same key came before; the first answer's fields.
    Duplicate(Accepted),
    /// 200: no event, but a signed question whether the path is wanted; this is the answer.
    Challenge(String),
    /// 400 or 413: the request is not well formed.
    Rejected(Rejected),
    /// 401: no bearer token, or one that is not known.
    Unauthorized,
    /// 401: `X-Webhook-Secret` is missing or wrong.
    WrongSecret,
    /// 401: the signature that the path asks for is missing, late or wrong.
    Unsigned(Unverified),
    /// 503: a secret that the door needs is not among the host's.
    NoSecret,
    /// 403: the token's holder may not do this.
    Forbidden(Role),
    /// 429: the client has made as many requests as it may in this window.
    TooMany,
    /// 404: nothing matches; why, for each SOP that came near.
    NoMatch {
        /// The decoded path.
        path: String,
        /// Why not.
        near: Vec<SopVerdict>,
    },
    /// 405: the path is known with another method.
    MethodNotAllowed {
        /// The decoded path.
        path: String,
        /// The methods that are taken.
        allowed: Vec<String>,
    },
    /// 422: the key came before with another method, path or body.
    KeyReused,
}

/// An answer, and how many more the client may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    /// Where the client stands, once it was counted.
    pub rate: Option<Rate>,
}

/// Takes a webhook of a sender of whom nothing else is known, on a host without secrets.
///
/// # Errors
/// As [`take_hook`].
pub async fn hook<S, Q, C>(host: &Host<S, Q, C>, hook: Hook<'_>) -> Result<Answer, FlowError>
where
    S: Catalog + Tokens + Idempotency + EventLog + RateLimits,
    Q: Queue,
    C: Clock,
{
    Ok(take_hook(host, &(), hook, Sender::default()).await?.answer)
}

/// Takes a webhook: authenticate, count, check, match, remember the key, queue, answer.
///
/// # Errors
/// When a port fails: nothing is promised, the caller tries again.
pub async fn take_hook<S, Q, C, K>(
    host: &Host<S, Q, C>,
    secrets: &K,
    hook: Hook<'_>,
    sender: Sender<'_>,
) -> Result<Answered, FlowError>
where
    S: Catalog + Tokens + Idempotency + EventLog + RateLimits,
    Q: Queue,
    C: Clock,
    K: Secrets,
{
    let uncounted = |answer| Ok(Answered { answer, rate: None });
    let path = match ingress::decode_path(hook.raw_path) {
        Ok(path) => path,
        Err(rejected) => return uncounted(Answer::Rejected(rejected)),
    };
    let (active, route) = route(host, &path, hook.method).await?;
    let caller = match guard::enter(host, secrets, &route, &hook, sender).await? {
        Entered::In(caller) => caller,
        Entered::Out(answer) => return uncounted(answer),
    };
    let quota = host.settings.gateway.webhook_rate_limit_per_minute;
    let client = rate::client(caller.subject.as_deref(), sender.address);
    let rate = rate::take(host, "hook", &client, quota).await?;
    if rate.as_ref().is_some_and(|rate| !rate.passed) {
        return Ok(Answered { answer: Answer::TooMany, rate });
    }
    if let Some(challenge) = caller.challenge {
        tracing::info!(path, "a sender of webhooks has asked whether this path is wanted");
        return Ok(Answered { answer: Answer::Challenge(challenge), rate });
    }
    let answer = let_in(host, &active, route, &hook, sender, path, caller).await?;
    Ok(Answered { answer, rate })
}

/// Milliseconds between two looks at the catalog for paths that nobody knows: whoever asks for many pays for few.
const LOOKS_MS_MIN: i64 = 250;

/// Where the path leads. One that nobody knows may have been published a moment ago.
async fn route<S: Catalog, Q, C: Clock>(
    host: &Host<S, Q, C>,
    path: &str,
    method: &str,
) -> Result<(Arc<Active>, WebhookRoute), FlowError> {
    let active = host.active().await?;
    match active.index.webhook_route(path, method) {
        route @ WebhookRoute::Known { .. } => Ok((active, route)),
        WebhookRoute::WrongMethod { .. } | WebhookRoute::Unknown => {
            let active = host.active_since(host.now().plus_millis(-LOOKS_MS_MIN)).await?;
            let route = active.index.webhook_route(path, method);
            Ok((active, route))
        }
    }
}

/// What becomes of a request whose caller may make it.
async fn let_in<S, Q, C>(
    host: &Host<S, Q, C>,
    active: &Active,
    route: WebhookRoute,
    hook: &Hook<'_>,
    sender: Sender<'_>,
    path: String,
    caller: Caller,
) -> Result<Answer, FlowError>
where
    S: Idempotency + EventLog,
    Q: Queue,
    C: Clock,
{
    let message = match ingress::message(sender.headers, hook.body) {
        Ok(message) => message,
        Err(rejected) => return Ok(Answer::Rejected(rejected)),
    };
    let given = match hook.key.map(ingress::idempotency_key).transpose() {
        Ok(key) => key,
        Err(rejected) => return Ok(Answer::Rejected(rejected)),
    };
    if let WebhookRoute::WrongMethod { allowed } = route {
        return Ok(Answer::MethodNotAllowed { path, allowed });
    }
    let key = Key::of(&path, given, &caller, message.identity.as_ref());
    let event = event(host, hook, active, path, message.data, caller.actor);
    let payload = Payload::new(&event.data);
    let starts = active.index.matches(&event, &payload);
    let starts = starts.iter().map(|found| &active.index.sops()[found.sop]);
    let awaited = active.index.awaited(&event, &payload);
    let names = starts.chain(awaited.iter().map(|(sop, _)| *sop)).map(|sop| sop.name.to_string());
    let matched_sops: BTreeSet<String> = names.collect();
    if matched_sops.is_empty() {
        return no_match(host, active, &event, &payload).await;
    }
    let matched_sops = matched_sops.into_iter().collect();
    drop(payload);
    let accepted =
        Accepted { event_id: event.id.clone(), matched_sops, path: event.subject.clone() };
    once::send(host, event, accepted, key.as_ref(), hook.body).await
}

fn event<S, Q, C: Clock>(
    host: &Host<S, Q, C>,
    hook: &Hook<'_>,
    active: &Active,
    path: String,
    data: Data,
    actor: Option<String>,
) -> Event {
    let time = host.now();
    let id = EventId::from_random(time, &host.clock.chance());
    let trace = match hook.trace {
        Some(trace) if ingress::is_traceparent(trace) => trace.to_owned(),
        Some(_) | None => ingress::traceparent(&id),
    };
    Event {
        id,
        tenant: host.tenant.clone(),
        source: Source::Webhook,
        subject: path,
        time,
        data,
        target: None,
        catalog: active.digest,
        method: Some(hook.method.to_owned()),
        actor,
        trace: Some(trace),
        lineage: None,
    }
}

async fn no_match<S: EventLog, Q, C: Clock>(
    host: &Host<S, Q, C>,
    active: &Active,
    event: &Event,
    payload: &Payload<'_>,
) -> Result<Answer, FlowError> {
    let explained = active.index.explain_candidates(event, payload);
    let near: Vec<SopVerdict> = explained.verdicts.into_iter().map(SopVerdict::from).collect();
    log::write(host, event, near.clone(), explained.others).await?;
    let meant =
        active.index.near_webhooks(&event.subject).into_iter().map(|(sop, on)| SopVerdict {
            sop: sop.name.to_string(),
            matched: false,
            trigger: Some(sop_core::matching::describe(on)),
            reason: format!("its path is not `{}`", event.subject),
            run: None,
        });
    let near = near.into_iter().chain(meant).collect();
    Ok(Answer::NoMatch { path: event.subject.clone(), near })
}
