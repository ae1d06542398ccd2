//! A message of the events queue: match and start, or move one run.

use std::sync::Arc;

use sop_core::condition::Payload;
use sop_core::definition::Trigger;
use sop_core::engine::{Input, Stored};
use sop_core::event::{Event, Lineage};
use sop_core::id::{RunId, SopName};
use sop_core::matching::{Listed, Match, Wait};

use crate::envelope::{Body, Envelope};
use crate::flow::act::PARENT;
use crate::flow::advance::{advance, wake};
use crate::flow::ended::is_too_deep;
use crate::flow::key::{self, First};
use crate::flow::lineage;
use crate::flow::log::{self, SopVerdict};
use crate::flow::start::{Started, start};
use crate::flow::{Active, FlowError, Host};
use crate::metric;
use crate::port::{
    Blobs, Catalog, Clock, EventLog, Heads, Idempotency, Journal, Queue, QueueName, Waiting, Waits,
};

/// Carries out one message of the events queue. When it returns `Ok` the message may be forgotten.
///
/// # Errors
/// The message is to be delivered again, or to become a dead letter; nothing was lost.
pub async fn dispatch<S, Q, C>(host: &Host<S, Q, C>, message: &str) -> Result<(), FlowError>
where
    S: Journal + Heads + Blobs + Waits + Catalog + EventLog + Idempotency,
    Q: Queue,
    C: Clock,
{
    match Envelope::parse(message)? {
        Body::Event { event } => event_arrived(host, &event).await.map(drop),
        Body::Input { run, id, by, input } => {
            let advanced = match advance(host, &run, &id, &by, &input).await {
                // A child that its parent gave up before it was started never will be.
                Err(FlowError::NoRun(_)) if by == PARENT => return Ok(()),
                advanced => advanced?,
            };
            tracing::info!(run.id = %run, input.id = %id, advanced = name(&advanced), "input");
            Ok(())
        }
        Body::Wake { run, at } => wake(host, &run, at).await,
        Body::Effect { .. } => Err(FlowError::WrongQueue),
    }
}

fn name(advanced: &crate::flow::Advanced) -> &'static str {
    use crate::flow::Advanced;
    match advanced {
        Advanced::Moved(_) => "moved",
        Advanced::Duplicate(_) => "duplicate",
        Advanced::Refused(_) => "refused",
        Advanced::Full => "full",
    }
}

/// Matches an event, starts what it matches, and writes its line of the log.
pub(super) async fn event_arrived<S, Q, C>(
    host: &Host<S, Q, C>,
    event: &Event,
) -> Result<Vec<SopVerdict>, FlowError>
where
    S: Journal + Heads + Blobs + Waits + Catalog + EventLog + Idempotency,
    Q: Queue,
    C: Clock,
{
    if let Some(by @ (Lineage::Step { .. } | Lineage::Rerun { .. })) = &event.lineage {
        return lineage::arrived(host, event, by).await;
    }
    let payload = Payload::new(&event.data);
    let active = catalog_for(host, event, &payload).await?;
    let matches = active.index.matches(event, &payload);
    let mut verdicts = Vec::new();
    for found in &matches {
        verdicts.push(one(host, &active, (event, &payload), found).await?);
    }
    let waits = active.index.awaited(event, &payload);
    for (listed, wait) in &waits {
        verdicts.extend(deliver(host, event, &payload, (listed, wait)).await?);
    }
    let explained = active.index.explain_candidates(event, &payload);
    let others = explained.others;
    let unmatched = explained.verdicts.into_iter().filter(|verdict| !verdict.matched);
    verdicts.extend(unmatched.map(SopVerdict::from));
    log::write(host, event, verdicts.clone(), others).await?;
    metric::dispatched(event, verdicts.iter().any(|verdict| verdict.matched), host.now());
    tracing::info!(
        event.id = %event.id,
        event.source = %event.source,
        event.subject = %event.subject,
        trace = event.trace.as_deref().unwrap_or(""),
        matched = matches.len(),
        "event"
    );
    Ok(verdicts)
}

/// What the event is matched against: the catalog that its door saw, else the active one. Before nobody wants it,
/// the head is looked at again, unless that was done after it came: what was published before is not missed.
async fn catalog_for<S: Catalog, Q, C: Clock>(
    host: &Host<S, Q, C>,
    event: &Event,
    payload: &Payload<'_>,
) -> Result<Arc<Active>, FlowError> {
    if let Some(digest) = &event.catalog {
        return host.pinned(digest).await;
    }
    let active = host.active().await?;
    if active.index.wants(event, payload) {
        return Ok(active);
    }
    // A schedule's event has the time at which it was due; it was made now, by a host that knows its SOP.
    let came = if event.target.is_some() { host.now() } else { event.time };
    host.active_since(came).await
}

async fn one<S, Q, C>(
    host: &Host<S, Q, C>,
    active: &Active,
    (event, payload): (&Event, &Payload<'_>),
    found: &Match,
) -> Result<SopVerdict, FlowError>
where
    S: Journal + Heads + Blobs + Waits + Catalog + Idempotency,
    Q: Queue,
    C: Clock,
{
    let listed: &Listed = &active.index.sops()[found.sop];
    let sop = host.definition(&listed.digest).await?;
    let trigger = listed.triggers.get(found.trigger);
    let said = |reason: String, run: Option<RunId>| SopVerdict {
        sop: listed.name.to_string(),
        matched: true,
        trigger: trigger.map(sop_core::matching::describe),
        reason,
        run: run.map(|run| run.to_string()),
    };
    if let Some(reason) = is_too_deep(event) {
        tracing::warn!(sop = %listed.name, event.id = %event.id, %reason, "too deep");
        return Ok(said(reason, None));
    }
    // Whoever sends an event again wants it to count.
    let is_replay = matches!(event.lineage, Some(Lineage::Replay { .. }));
    let path = trigger.and_then(Trigger::key).filter(|_| !is_replay);
    let first = match path {
        Some(path) => key::first(host, &listed.name, path, (event, payload)).await?,
        None => First::Yes,
    };
    if let First::No { reason, run } = first {
        tracing::info!(sop = %listed.name, event.id = %event.id, %reason, "duplicate");
        return Ok(said(reason, run));
    }
    let started = start(host, &sop, &listed.digest, event).await?;
    let (mut reason, run) = outcome(event, &listed.name, started);
    if let (First::Keyless, Some(path)) = (first, path) {
        reason
            .push_str(&format!("; the payload has no `{}` to tell a repetition by", path.as_str()));
    }
    Ok(said(reason, run))
}

/// What the log says of a start, and the run.
pub(super) fn outcome(event: &Event, sop: &SopName, started: Started) -> (String, Option<RunId>) {
    match started {
        Started::Run { run, queued } => {
            metric::start(if queued { "queued" } else { "started" });
            tracing::info!(run.id = %run, sop = %sop, event.id = %event.id, queued, "run");
            let reason = if queued { "started, waits for a free slot" } else { "started" };
            (reason.to_owned(), Some(run))
        }
        Started::Coalesced { run } => {
            metric::start("coalesced");
            tracing::info!(run.id = %run, sop = %sop, event.id = %event.id, "coalesced");
            (format!("coalesced: run {run} is under way and stands for it"), Some(run))
        }
        Started::Dropped { reason } => {
            metric::start("dropped");
            tracing::info!(sop = %sop, event.id = %event.id, %reason, "dropped");
            (format!("dropped: {reason}"), None)
        }
    }
}

/// Runs that one event is brought to for one wait.
const WAITING_MAX: usize = 100;

/// Brings an event to the runs that wait for it; what the log says of it.
async fn deliver<S, Q, C>(
    host: &Host<S, Q, C>,
    event: &Event,
    payload: &Payload<'_>,
    (listed, wait): (&Listed, &Wait),
) -> Result<Vec<SopVerdict>, FlowError>
where
    S: Blobs + Waits,
    Q: Queue,
    C: Clock,
{
    let said = |reason: String, run: Option<&RunId>| SopVerdict {
        sop: listed.name.to_string(),
        matched: run.is_some(),
        trigger: Some(format!("wait.event {}", sop_core::matching::describe(&wait.on))),
        reason,
        run: run.map(ToString::to_string),
    };
    let Some(key) = wait.key_of_event(&event.tenant, &listed.name, payload) else {
        let path = wait.correlate.as_deref().unwrap_or_default();
        return Ok(vec![said(format!("the event has no `{path}` to find a run by"), None)]);
    };
    let waiting = host.store.waiting(&key, WAITING_MAX).await?;
    if waiting.is_empty() {
        return Ok(vec![said("no run waits for it".to_owned(), None)]);
    }
    let stored = event.data.text().map(Stored::of);
    if let (Some(Stored::Blob { digest, .. }), Some(text)) = (&stored, event.data.text()) {
        host.store.put_blob(digest, text).await?;
    }
    let mut verdicts = Vec::new();
    for Waiting { run, step } in &waiting {
        let (step, event) = (*step, event.id.clone());
        let input = Input::Event { step, event, payload: stored.clone() };
        let id = input.system_id(0);
        let body = Body::Input { run: run.clone(), id, by: "event".to_owned(), input };
        host.queue.send(QueueName::Events, &[body.into_message(0)]).await?;
        verdicts
            .push(said(format!("brought to step {step} of a run that waits for it"), Some(run)));
    }
    Ok(verdicts)
}
