//! A message of the events queue: match and start, or move one run.

use sop_core::condition::Payload;
use sop_core::event::Event;
use sop_core::matching::{Listed, Match};

use crate::envelope::{Body, Envelope};
use crate::flow::advance::{advance, wake};
use crate::flow::log::{self, SopVerdict};
use crate::flow::start::{Started, start};
use crate::flow::{Active, FlowError, Host};
use crate::port::{Blobs, Catalog, Clock, EventLog, Heads, Journal, Queue};

/// Carries out one message of the events queue. When it returns `Ok` the message may be forgotten.
///
/// # Errors
/// The message is to be delivered again, or to become a dead letter; nothing was lost.
pub async fn dispatch<S, Q, C>(host: &Host<S, Q, C>, message: &str) -> Result<(), FlowError>
where
    S: Journal + Heads + Blobs + Catalog + EventLog,
    Q: Queue,
    C: Clock,
{
    match Envelope::parse(message)? {
        Body::Event { event } => event_arrived(host, &event).await.map(drop),
        Body::Input { run, id, by, input } => {
            let advanced = advance(host, &run, &id, &by, &input).await?;
            tracing::info!(run.id = %run, input.id = %id, advanced = name(&advanced), "input");
            Ok(())
        }
        Body::Wake { run, seq } => wake(host, &run, seq).await,
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
    S: Journal + Heads + Blobs + Catalog + EventLog,
    Q: Queue,
    C: Clock,
{
    let active = match &event.catalog {
        Some(digest) => host.pinned(digest).await?,
        None => host.active().await?,
    };
    let payload = Payload::new(&event.data);
    let matches = active.index.matches(event, &payload);
    let mut verdicts = Vec::new();
    for found in &matches {
        verdicts.push(one(host, &active, event, found).await?);
    }
    let explained = active.index.explain_candidates(event, &payload);
    let others = explained.others;
    let unmatched = explained.verdicts.into_iter().filter(|verdict| !verdict.matched);
    verdicts.extend(unmatched.map(SopVerdict::from));
    host.store.record(&log::line(event, verdicts.clone(), others)).await?;
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

async fn one<S, Q, C>(
    host: &Host<S, Q, C>,
    active: &Active,
    event: &Event,
    found: &Match,
) -> Result<SopVerdict, FlowError>
where
    S: Journal + Heads + Blobs + Catalog,
    Q: Queue,
    C: Clock,
{
    let listed: &Listed = &active.index.sops()[found.sop];
    let sop = host.definition(&listed.digest).await?;
    let trigger = listed.triggers.get(found.trigger).map(sop_core::matching::describe);
    let (reason, run) = match start(host, &sop, &listed.digest, event).await? {
        Started::Run { run, queued } => {
            tracing::info!(run.id = %run, sop = %listed.name, event.id = %event.id, queued, "run");
            (
                if queued { "started, waits for a free slot" } else { "started" }.to_owned(),
                Some(run),
            )
        }
        Started::Dropped { reason } => {
            tracing::info!(sop = %listed.name, event.id = %event.id, %reason, "dropped");
            (format!("dropped: {reason}"), None)
        }
    };
    Ok(SopVerdict {
        sop: listed.name.to_string(),
        matched: true,
        trigger,
        reason,
        run: run.map(|run| run.to_string()),
    })
}
