//! What people do: queued first, delayed by seconds, then applied at once. The copy finds it settled,
//! or heals a crash.

use sop_core::engine::{self, Cause, Input, Refusal};
use sop_core::event::{Data, Event, Source};
use sop_core::id::{EventId, InputId, RunId, SopName};
use sop_core::ingress;
use sop_core::time::Timestamp;

use crate::envelope::Body;
use crate::flow::accept::enqueue;
use crate::flow::advance::{advance, load};
use crate::flow::dispatch::event_arrived;
use crate::flow::query::journal;
use crate::flow::{Advanced, FlowError, Host, SopVerdict};
use crate::port::{
    Blobs, Catalog, Claim, Clock, EventLog, Heads, Idempotency, Journal, Queue, QueueName, random,
};

/// Milliseconds for which a start's key is held.
const KEY_HELD_MS: i64 = 24 * 3_600_000;

/// Seconds after which the copy is looked at.
const COPY_DELAY_SECS: u32 = 5;

/// What became of what a person did.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// It is applied, now or by an earlier try of the same request.
    Applied,
    /// It changes nothing, and why.
    Refused(Refusal),
}

/// Applies a person's input to `run`. The same `id` again is the same input.
///
/// # Errors
/// [`FlowError::NoRun`] when there is no such run; others when a port fails, in which case the input
/// may still be applied by its copy.
pub async fn submit<S, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    id: &InputId,
    by: &str,
    input: Input,
) -> Result<Submitted, FlowError>
where
    S: Journal + Heads + Catalog,
    Q: Queue,
    C: Clock,
{
    let at = load(host, run).await?;
    if at.entry.input == *id {
        advance(host, run, id, by, &input).await?;
        return Ok(Submitted::Applied);
    }
    let cause = Cause { input: id.clone(), by: by.to_owned() };
    let newest = (at.entry.seq, at.hash);
    let preview = engine::decide(&at.sop, at.run(), newest, &input, cause, host.now(), false);
    if let Err(refusal) = preview {
        return refused(host, run, id, refusal).await;
    }
    let copy =
        Body::Input { run: run.clone(), id: id.clone(), by: by.to_owned(), input: input.clone() };
    host.queue.send(QueueName::Events, &[copy.into_message(COPY_DELAY_SECS)]).await?;
    Ok(match advance(host, run, id, by, &input).await? {
        Advanced::Moved(_) | Advanced::Duplicate(_) | Advanced::Full => Submitted::Applied,
        Advanced::Refused(refusal) => return refused(host, run, id, refusal).await,
    })
}

/// An input that changes nothing was applied by an earlier try, or never: the journal tells.
async fn refused<S: Journal, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    id: &InputId,
    refusal: Refusal,
) -> Result<Submitted, FlowError> {
    let entries = journal(host, run).await?;
    let was_applied = entries.iter().any(|entry| entry.input == *id);
    Ok(if was_applied { Submitted::Applied } else { Submitted::Refused(refusal) })
}

/// Starts `sop` by hand. The verdict of the SOP is returned: the run, or why there is none; `None` when
/// there is no active SOP of that name.
///
/// # Errors
/// When a port fails, in which case the start may still happen by its copy.
pub async fn run_by_hand<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &SopName,
    by: &str,
    data: Data,
    key: Option<&str>,
) -> Result<Option<SopVerdict>, FlowError>
where
    S: Journal + Heads + Blobs + Catalog + EventLog + Idempotency,
    Q: Queue,
    C: Clock,
{
    let active = host.active().await?;
    if active.index.find(sop).is_none() {
        return Ok(None);
    }
    let (id, time) = identity(host, sop, key).await?;
    let event = Event {
        trace: Some(ingress::traceparent(&id)),
        id,
        tenant: host.tenant.clone(),
        source: Source::Manual,
        subject: sop.to_string(),
        time,
        data,
        target: Some(sop.clone()),
        catalog: active.digest,
        method: None,
        actor: Some(by.to_owned()),
    };
    enqueue(host, &event, COPY_DELAY_SECS).await?;
    let verdicts = event_arrived(host, &event).await?;
    let found = verdicts.into_iter().find(|verdict| verdict.sop == sop.as_str());
    // An SOP without a trigger of the event's kind is no candidate: the log only counts it.
    Ok(Some(found.unwrap_or_else(|| SopVerdict {
        sop: sop.to_string(),
        matched: false,
        trigger: None,
        reason: "it has no manual trigger".to_owned(),
        run: None,
    })))
}

/// The id and time of a start's event: those of the first try when its key came before.
async fn identity<S: Idempotency, Q, C: Clock>(
    host: &Host<S, Q, C>,
    sop: &SopName,
    key: Option<&str>,
) -> Result<(EventId, Timestamp), FlowError> {
    let time = host.now();
    let fresh = (EventId::from_random(time, &random()), time);
    let Some(key) = key else { return Ok(fresh) };
    let record = serde_json::to_string(&fresh).expect("an id and a time are JSON");
    let key = format!("run/{sop}/{key}");
    let until = time.plus_millis(KEY_HELD_MS);
    Ok(match host.store.claim(&host.tenant, &key, &record, time, until).await? {
        Claim::New => fresh,
        Claim::Held(first) => serde_json::from_str(&first).unwrap_or(fresh),
    })
}
