//! Events that come from runs: a step starts a run, or a person has one taken up again.

use sop_core::definition::Definition;
use sop_core::engine::Parent;
use sop_core::event::{Event, Lineage};
use sop_core::id::{Digest, RunId, SopName};
use std::sync::Arc;

use crate::flow::act::PARENT;
use crate::flow::advance::{advance, load};
use crate::flow::dispatch::outcome;
use crate::flow::execute::{awaits, no_child};
use crate::flow::start::{Started, start};
use crate::flow::{FlowError, Host, SopVerdict, log};
use crate::port::{Blobs, Catalog, Clock, EventLog, Heads, Journal, Queue, Waits};

/// Starts what the event asks for, and writes its line of the log.
pub(super) async fn arrived<S, Q, C>(
    host: &Host<S, Q, C>,
    event: &Event,
    by: &Lineage,
) -> Result<Vec<SopVerdict>, FlowError>
where
    S: Journal + Heads + Blobs + Waits + Catalog + EventLog,
    Q: Queue,
    C: Clock,
{
    let (reason, run) = match by {
        Lineage::Step { parent } => child(host, event, parent).await?,
        Lineage::Rerun { definition, .. } => {
            let sop = host.definition(definition).await?;
            let started = start(host, &sop, definition, event).await?;
            outcome(event, &sop.name, started)
        }
        // They are matched like any other, and never come here.
        Lineage::Replay { .. } | Lineage::End { .. } => ("matched".to_owned(), None),
    };
    let verdict = SopVerdict {
        sop: event.subject.clone(),
        matched: true,
        trigger: None,
        reason,
        run: run.map(|run| run.to_string()),
    };
    log::write(host, event, vec![verdict.clone()], 0).await?;
    Ok(vec![verdict])
}

/// Starts the run that a step waits for, or tells the step that there will be none.
async fn child<S, Q, C>(
    host: &Host<S, Q, C>,
    event: &Event,
    parent: &Parent,
) -> Result<(String, Option<RunId>), FlowError>
where
    S: Journal + Heads + Blobs + Waits + Catalog,
    Q: Queue,
    C: Clock,
{
    if !is_awaited(host, parent).await? {
        return Ok(("the run that asked for it no longer waits for it".to_owned(), None));
    }
    let Some((sop, digest)) = active(host, event.target.as_ref()).await? else {
        let reason = format!("there is no active SOP `{}`", event.subject);
        no_child(host, parent, reason.clone()).await?;
        return Ok((reason, None));
    };
    let started = start(host, &sop, &digest, event).await?;
    let (reason, run) = outcome(event, &sop.name, started.clone());
    match started {
        Started::Run { run, .. } => {
            // The parent may have given up while the child was being started, too early to cancel it.
            if !is_awaited(host, parent).await? {
                cancel(host, &run, parent).await?;
            }
        }
        Started::Coalesced { .. } | Started::Dropped { .. } => {
            no_child(host, parent, format!("`{}` was not started: {reason}", sop.name)).await?;
        }
    }
    Ok((reason, run))
}

async fn is_awaited<S, Q, C>(host: &Host<S, Q, C>, parent: &Parent) -> Result<bool, FlowError>
where
    S: Journal + Catalog,
    C: Clock,
{
    Ok(awaits(load(host, &parent.run).await?.run(), parent))
}

async fn active<S, Q, C>(
    host: &Host<S, Q, C>,
    name: Option<&SopName>,
) -> Result<Option<(Arc<Definition>, Digest)>, FlowError>
where
    S: Catalog,
    C: Clock,
{
    let active = host.active().await?;
    match name.and_then(|name| active.index.find(name)) {
        Some(listed) => Ok(Some((host.definition(&listed.digest).await?, listed.digest))),
        None => Ok(None),
    }
}

async fn cancel<S, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    parent: &Parent,
) -> Result<(), FlowError>
where
    S: Journal + Blobs + Heads + Waits + Catalog,
    Q: Queue,
    C: Clock,
{
    let (id, input) = super::act::orphaned(&parent.run);
    advance(host, run, &id, PARENT, &input).await.map(drop)
}
