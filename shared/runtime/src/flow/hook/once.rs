//! A request under a key that came before is the request that came before.

use serde::{Deserialize, Serialize};
use sop_core::event::Event;
use sop_core::id::Digest;
use sop_core::ingress;
use sop_core::time::Timestamp;

use super::guard::Caller;
use super::{Accepted, Answer};
use crate::flow::accept::enqueue;
use crate::flow::{FlowError, Host};
use crate::port::{Claim, Clock, Idempotency, Queue};

/// Milliseconds for which an idempotency key is held.
/// Source: seed 002, section 3.3.
const KEY_HELD_MS: i64 = 300_000;

/// What makes two requests one.
pub(super) struct Key {
    /// With its namespace.
    text: String,
    /// Whether the request under it must be the same to the letter.
    is_callers: bool,
    held_ms: i64,
}

impl Key {
    /// The key of a request: what its sender signed as the delivery's id, else the one it gave, else the
    /// identity of its CloudEvent.
    ///
    /// A signed id comes first: a key in a header that nobody signed would let anyone send it once more.
    pub(super) fn of(
        path: &str,
        given: Option<&str>,
        caller: &Caller,
        identity: Option<&(String, String)>,
    ) -> Option<Self> {
        let family = ingress::key_namespace(path);
        // A caller knows nothing of other callers' keys.
        let actor = caller.actor.as_deref().unwrap_or("-");
        let own = |kind: &str, parts: &[&str]| {
            let digest = Digest::of(serde_json::json!([path, parts]).to_string().as_bytes());
            format!("hook/{family}/{actor}/{kind}:{digest}")
        };
        if let Some(delivery) = &caller.delivery {
            let text = own("delivery", &[delivery.id.as_str()]);
            let held_ms = delivery.replayable_ms.unwrap_or(0).max(KEY_HELD_MS);
            return Some(Self { text, is_callers: false, held_ms });
        }
        let (text, is_callers) = match (given, identity) {
            (Some(key), _) => (format!("hook/{family}/{actor}/{key}"), true),
            (None, Some((source, id))) => (own("cloudevent", &[source, id]), false),
            (None, None) => return None,
        };
        Some(Self { text, is_callers, held_ms: KEY_HELD_MS })
    }
}

/// What is remembered under a key.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    accepted: Accepted,
    time: Timestamp,
    method: Option<String>,
    body: Digest,
    catalog: Option<Digest>,
}

/// Queues `event` unless `key` was seen: then the event of then is queued again, so that a crash
/// between remembering and queueing cannot have lost it.
pub(super) async fn send<S, Q, C>(
    host: &Host<S, Q, C>,
    mut event: Event,
    accepted: Accepted,
    key: Option<&Key>,
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
    let remembered = Remembered {
        accepted,
        time: event.time,
        method: event.method.clone(),
        body: Digest::of(body),
        catalog: event.catalog,
    };
    let record = serde_json::to_string(&remembered).expect("a record has only string keys");
    let until = now.plus_millis(key.held_ms);
    match host.store.claim(&host.tenant, &key.text, &record, now, until).await? {
        Claim::New => {
            enqueue(host, &event, 0).await?;
            Ok(Answer::Accepted(remembered.accepted))
        }
        Claim::Held(first) => {
            let Ok(first) = serde_json::from_str::<Remembered>(&first) else {
                return Ok(Answer::KeyReused);
            };
            // A sender's own id names its event, whatever else changed between two tries.
            let is_same = first.body == remembered.body
                && first.method == remembered.method
                && first.accepted.path == event.subject;
            if key.is_callers && !is_same {
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
