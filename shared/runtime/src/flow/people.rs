//! What people do: queued first, delayed by seconds, then applied at once. The copy finds it settled,
//! or heals a crash.

use serde::{Deserialize, Serialize};
use sop_core::definition::Trigger;
use sop_core::engine::{Admission, Fact, Input, Refusal, Stored};
use sop_core::event::{Data, Event, Source};
use sop_core::id::{Digest, EventId, InputId, RunId, SopName};
use sop_core::ingress;
use sop_core::matching::describe;
use sop_core::time::Timestamp;

use crate::envelope::Body;
use crate::flow::accept::enqueue;
use crate::flow::advance::{Judged, advance, judge, load};
use crate::flow::dispatch::event_arrived;
use crate::flow::log;
use crate::flow::start::admission;
use crate::flow::{Advanced, FlowError, Host, SopVerdict, journal};
use crate::port::{
    Blobs, Catalog, Claim, Clock, EventLog, Heads, Idempotency, Journal, Queue, QueueName, Waits,
};

/// Milliseconds for which a start's key is held.
const KEY_HELD_MS: i64 = 24 * 3_600_000;

/// Seconds after which the copy is looked at.
pub(super) const COPY_DELAY_SECS: u32 = 5;

/// What became of what a person did.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted {
    /// It is applied, now or by an earlier try of the same request.
    Applied,
    /// It changes nothing, and why.
    Refused(Refusal),
}

/// What became of a start by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHand {
    /// No active SOP has that name.
    NoSop,
    /// The key came with another payload before.
    KeyReused,
    /// There is exactly one run of it, made now or by an earlier try of the same request.
    Started {
        /// The run.
        run: String,
        /// What the log says of it.
        reason: String,
    },
    /// Nothing was started.
    NotStarted {
        /// Why.
        reason: String,
    },
}

/// Applies a person's input to `run`. The same `id` again is the same input, however far the run has
/// moved since.
///
/// `value` is the text that `input` names when it was too big to be part of it.
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
    value: Option<&str>,
) -> Result<Submitted, FlowError>
where
    S: Journal + Heads + Waits + Catalog + Blobs,
    Q: Queue,
    C: Clock,
{
    let at = load(host, run).await?;
    if at.entry.input == *id {
        advance(host, run, id, by, &input).await?;
        return Ok(said(at.entry.fact));
    }
    match judge(host, &at, id, by, &input).await? {
        Judged::Moves => {}
        Judged::Refused(refusal) => {
            return Ok(earlier(host, run, id).await?.unwrap_or(Submitted::Refused(refusal)));
        }
        // The ledger tells of each request once.
        Judged::Told => {
            if let Some(said) = earlier(host, run, id).await? {
                return Ok(said);
            }
        }
    }
    // Only now: what is refused leaves nothing behind.
    if let Some((value, Stored::Blob { digest, .. })) = value.map(|text| (text, Stored::of(text))) {
        host.store.put_blob(&digest, value).await?;
    }
    let copy =
        Body::Input { run: run.clone(), id: id.clone(), by: by.to_owned(), input: input.clone() };
    host.queue.send(QueueName::Events, &[copy.into_message(COPY_DELAY_SECS)]).await?;
    Ok(match advance(host, run, id, by, &input).await? {
        Advanced::Moved(entry) | Advanced::Duplicate(entry) => said(entry.fact),
        Advanced::Full => Submitted::Applied,
        Advanced::Refused(refusal) => {
            earlier(host, run, id).await?.unwrap_or(Submitted::Refused(refusal))
        }
    })
}

/// What was said to the input before: it may have moved the run, and the run moved on.
async fn earlier<S: Journal, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    id: &InputId,
) -> Result<Option<Submitted>, FlowError> {
    let entries = journal(host, run).await?;
    match entries.iter().find(|entry| entry.input == *id) {
        Some(earlier) => Ok(Some(said(earlier.open()?.fact))),
        None => Ok(None),
    }
}

/// What the entry of a person's input answers. A decision by somebody who may not decide is on the ledger
/// too, as a refusal.
fn said(fact: Fact) -> Submitted {
    match fact {
        Fact::Refused { refusal, .. } => Submitted::Refused(refusal),
        Fact::Started { .. }
        | Fact::Admitted
        | Fact::Voted { .. }
        | Fact::Approved { .. }
        | Fact::Amended { .. }
        | Fact::Revised { .. }
        | Fact::Denied { .. }
        | Fact::GateTimedOut { .. }
        | Fact::StepCompleted { .. }
        | Fact::StepFailed { .. }
        | Fact::OutcomeUnknown { .. }
        | Fact::Woke { .. }
        | Fact::EventCame { .. }
        | Fact::Paused
        | Fact::Resumed
        | Fact::Retried { .. }
        | Fact::Cancelled { .. }
        | Fact::TimedOut => Submitted::Applied,
    }
}

/// Starts `sop` by hand. The same `key` from the same person again is the same start.
///
/// # Errors
/// When a port fails, in which case the start may still happen by its copy.
pub async fn run_by_hand<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &SopName,
    by: &str,
    data: Data,
    key: Option<&str>,
) -> Result<ByHand, FlowError>
where
    S: Journal + Heads + Blobs + Waits + Catalog + EventLog + Idempotency,
    Q: Queue,
    C: Clock,
{
    let active = host.active().await?;
    let Some(listed) = active.index.find(sop) else { return Ok(ByHand::NoSop) };
    if !listed.triggers.iter().any(|trigger| matches!(trigger, Trigger::Manual)) {
        let reason = format!("`{sop}` has no manual trigger");
        return Ok(ByHand::NotStarted { reason });
    }
    let first = first_try(host, sop, by, &data, key).await?;
    if first.payload != payload_digest(&data) {
        return Ok(ByHand::KeyReused);
    }
    let FirstTry { event: id, time, .. } = first;
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
        lineage: None,
    };
    let definition = host.definition(&listed.digest).await?;
    if let Some(reason) = turned_away(admission(host, &definition, &event).await?) {
        // Looked at before the copy is sent: what is told that it did not start must not start later.
        let verdict = SopVerdict {
            sop: sop.to_string(),
            matched: true,
            trigger: Some(describe(&Trigger::Manual)),
            reason: reason.clone(),
            run: None,
        };
        log::write(host, &event, vec![verdict], 0).await?;
        return Ok(ByHand::NotStarted { reason });
    }
    enqueue(host, &event, COPY_DELAY_SECS).await?;
    let verdicts = event_arrived(host, &event).await?;
    Ok(match verdicts.into_iter().find(|verdict| verdict.sop == sop.as_str()) {
        Some(SopVerdict { run: Some(run), reason, .. }) => ByHand::Started { run, reason },
        Some(SopVerdict { run: None, reason, .. }) => ByHand::NotStarted { reason },
        None => ByHand::NoSop,
    })
}

/// Why nothing is started, when nothing is.
pub(super) fn turned_away(admission: Admission) -> Option<String> {
    match admission {
        Admission::Drop { reason } => Some(format!("dropped: {reason}")),
        Admission::Coalesce { run } => {
            Some(format!("coalesced: run {run} is under way and stands for it"))
        }
        Admission::Admit | Admission::Queue => None,
    }
}

/// What the first request with a key was.
#[derive(Debug, Serialize, Deserialize)]
struct FirstTry {
    event: EventId,
    time: Timestamp,
    payload: Digest,
}

fn payload_digest(data: &Data) -> Digest {
    Digest::of(data.text().unwrap_or_default().as_bytes())
}

/// The event of a start: that of the first try when its key came before.
async fn first_try<S: Idempotency, Q, C: Clock>(
    host: &Host<S, Q, C>,
    sop: &SopName,
    by: &str,
    data: &Data,
    key: Option<&str>,
) -> Result<FirstTry, FlowError> {
    let time = host.now();
    let event = EventId::from_random(time, &host.clock.chance());
    let fresh = FirstTry { event, time, payload: payload_digest(data) };
    let Some(key) = key else { return Ok(fresh) };
    let record = serde_json::to_string(&fresh).expect("a record has only string keys");
    let key = format!("run/{sop}/{by}/{key}");
    let until = time.plus_millis(KEY_HELD_MS);
    Ok(match host.store.claim(&host.tenant, &key, &record, time, until).await? {
        Claim::New => fresh,
        Claim::Held(first) => serde_json::from_str(&first).unwrap_or(fresh),
    })
}
