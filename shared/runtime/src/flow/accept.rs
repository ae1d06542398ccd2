//! Doors: what arrived becomes an event on the queue. Nothing is answered before it is durable.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sop_core::condition::Payload;
use sop_core::definition::Auth;
use sop_core::event::{Data, Event, Source};
use sop_core::id::{Digest, EventId};
use sop_core::ingress::{self, Rejected};
use sop_core::matching::WebhookRoute;
use sop_core::time::Timestamp;

use crate::envelope::Body;
use crate::flow::log::{self, SopVerdict};
use crate::flow::{Active, FlowError, Host, authenticate};
use crate::metric;
use crate::port::{Catalog, Claim, Clock, EventLog, Idempotency, Queue, QueueName, Tokens};

/// Milliseconds for which an idempotency key is held.
/// Source: seed 002, section 3.3.
const KEY_HELD_MS: i64 = 300_000;

/// What a door knows of an arrival that nobody waits for an answer to: a device's, a schedule's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Which door.
    pub source: Source,
    /// Topic, expression, `board/signal`.
    pub subject: String,
    /// The payload, checked by [`ingress`].
    pub data: Data,
    /// The id that the transport gives the arrival, if it gives one: the same on redelivery.
    pub transport_id: Option<String>,
    /// When it arrived, as the transport says.
    pub time: Option<Timestamp>,
    /// Who sent it.
    pub actor: Option<String>,
}

/// Puts an arrival on the events queue; durable when it returns `Ok`.
///
/// # Errors
/// When the queue fails: the door must not acknowledge.
pub async fn accept<S, Q, C>(host: &Host<S, Q, C>, door: Door) -> Result<Event, FlowError>
where
    Q: Queue,
    C: Clock,
{
    let time = door.time.unwrap_or_else(|| host.now());
    let id = match &door.transport_id {
        Some(transport_id) => {
            EventId::derived(time, &[door.source.as_str(), &door.subject, transport_id])
        }
        None => EventId::from_random(time, &host.clock.chance()),
    };
    let event = Event {
        trace: Some(ingress::traceparent(&id)),
        id,
        tenant: host.tenant.clone(),
        source: door.source,
        subject: door.subject,
        time,
        data: door.data,
        target: None,
        catalog: None,
        method: None,
        actor: door.actor,
        lineage: None,
    };
    enqueue(host, &event, 0).await?;
    Ok(event)
}

/// Puts `event` on the queue.
pub(super) async fn enqueue<S, Q: Queue, C>(
    host: &Host<S, Q, C>,
    event: &Event,
    delay_secs: u32,
) -> Result<(), FlowError> {
    let body = Body::Event { event: Box::new(event.clone()) };
    host.queue.send(QueueName::Events, &[body.into_message(delay_secs)]).await?;
    metric::accepted(event.source);
    tracing::info!(
        event.id = %event.id,
        event.source = %event.source,
        event.subject = %event.subject,
        trace = event.trace.as_deref().unwrap_or(""),
        "accepted"
    );
    Ok(())
}

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
    /// 400 or 413: the request is not well formed.
    Rejected(Rejected),
    /// 401: no bearer token, or one that is not known.
    Unauthorized,
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

/// What is remembered under an idempotency key.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    accepted: Accepted,
    time: Timestamp,
    method: Option<String>,
    body: Digest,
    catalog: Option<Digest>,
}

/// Takes a webhook: authenticate, check, match, remember the key, queue, answer.
///
/// # Errors
/// When a port fails: nothing is promised, the caller tries again.
pub async fn hook<S, Q, C>(host: &Host<S, Q, C>, hook: Hook<'_>) -> Result<Answer, FlowError>
where
    S: Catalog + Tokens + Idempotency + EventLog,
    Q: Queue,
    C: Clock,
{
    let path = match ingress::decode_path(hook.raw_path) {
        Ok(path) => path,
        Err(rejected) => return Ok(Answer::Rejected(rejected)),
    };
    let active = host.active().await?;
    let route = active.index.webhook_route(&path, hook.method);
    let actor = match (&route, hook.bearer) {
        (WebhookRoute::Known { auth: Auth::None }, None) => None,
        (_, Some(bearer)) => match authenticate(host, bearer).await? {
            Some(token) => Some(token.subject),
            None => return Ok(Answer::Unauthorized),
        },
        // Who is not known is not told which paths there are.
        (
            WebhookRoute::Known { auth: Auth::Bearer }
            | WebhookRoute::WrongMethod { .. }
            | WebhookRoute::Unknown,
            None,
        ) => return Ok(Answer::Unauthorized),
    };
    let data = match ingress::webhook_body(hook.body) {
        Ok(data) => data,
        Err(rejected) => return Ok(Answer::Rejected(rejected)),
    };
    let key = match hook.key.map(ingress::idempotency_key).transpose() {
        Ok(key) => key,
        Err(rejected) => return Ok(Answer::Rejected(rejected)),
    };
    if let WebhookRoute::WrongMethod { allowed } = route {
        return Ok(Answer::MethodNotAllowed { path, allowed });
    }
    let event = event(host, &hook, &active, path, data, actor);
    let payload = Payload::new(&event.data);
    let starts = active.index.matches(&event, &payload);
    let starts = starts.iter().map(|found| &active.index.sops()[found.sop]);
    let awaited = active.index.awaited(&event, &payload);
    let names = starts.chain(awaited.iter().map(|(sop, _)| *sop)).map(|sop| sop.name.to_string());
    let matched_sops: BTreeSet<String> = names.collect();
    if matched_sops.is_empty() {
        return no_match(host, &active, &event, &payload).await;
    }
    let matched_sops = matched_sops.into_iter().collect();
    drop(payload);
    let accepted =
        Accepted { event_id: event.id.clone(), matched_sops, path: event.subject.clone() };
    send_once(host, event, accepted, key, hook.body).await
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
    Ok(Answer::NoMatch { path: event.subject.clone(), near })
}

/// Queues `event` unless `key` was seen: then the event of then is queued again, so that a crash
/// between remembering and queueing cannot have lost it.
async fn send_once<S, Q, C>(
    host: &Host<S, Q, C>,
    mut event: Event,
    accepted: Accepted,
    key: Option<&str>,
    body: &[u8],
) -> Result<Answer, FlowError>
where
    S: Idempotency,
    Q: Queue,
    C: Clock,
{
    let Some(key) = key else {
        enqueue(host, &event, 0).await?;
        return Ok(Answer::Accepted(accepted));
    };
    let now = host.now();
    let key = {
        // A caller knows nothing of other callers' keys.
        let caller = event.actor.as_deref().unwrap_or("-");
        format!("hook/{}/{caller}/{key}", ingress::key_namespace(&event.subject))
    };
    let remembered = Remembered {
        accepted,
        time: event.time,
        method: event.method.clone(),
        body: Digest::of(body),
        catalog: event.catalog,
    };
    let record = serde_json::to_string(&remembered).expect("a record has only string keys");
    let until = now.plus_millis(KEY_HELD_MS);
    match host.store.claim(&host.tenant, &key, &record, now, until).await? {
        Claim::New => {
            enqueue(host, &event, 0).await?;
            Ok(Answer::Accepted(remembered.accepted))
        }
        Claim::Held(first) => {
            let Ok(first) = serde_json::from_str::<Remembered>(&first) else {
                return Ok(Answer::KeyReused);
            };
            let is_same = first.body == remembered.body
                && first.method == remembered.method
                && first.accepted.path == event.subject;
            if !is_same {
                return Ok(Answer::KeyReused);
            }
            event.id = first.accepted.event_id.clone();
            event.time = first.time;
            event.catalog = first.catalog;
            event.trace = Some(ingress::traceparent(&event.id));
            enqueue(host, &event, 0).await?;
            Ok(Answer::Duplicate(first.accepted))
        }
    }
}
