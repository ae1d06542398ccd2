//! Taking a run up again from one of its steps: a new run that names the old one.

use sop_core::engine::{How, Origin, Past, Place, Run};
use sop_core::event::{Data, Event, Lineage, Source};
use sop_core::id::{EventId, RunId};
use sop_core::ingress;

use crate::flow::accept::enqueue;
use crate::flow::advance::load;
use crate::flow::people::{COPY_DELAY_SECS, turned_away};
use crate::flow::start::admission;
use crate::flow::{ByHand, FlowError, Host, lineage, values};
use crate::port::{Blobs, Catalog, Clock, EventLog, Heads, Journal, Queue, Waits};

/// What became of a rerun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rerun {
    /// There is exactly one such run, or admission turned it away.
    ByHand(ByHand),
    /// It cannot be taken up from there, and why.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Takes `run`, which must be over, up again from step `from`: a new run of the same definition, with the
/// same payload, in which the steps before `from` have ended as they did.
///
/// The same `key` again is the same rerun.
///
/// # Errors
/// [`FlowError::NoRun`] when there is no such run; others when a port fails, in which case the rerun may
/// still happen by its copy.
pub async fn rerun<S, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    from: u32,
    by: &str,
    key: &str,
) -> Result<Rerun, FlowError>
where
    S: Journal + Heads + Blobs + Waits + Catalog + EventLog,
    Q: Queue,
    C: Clock,
{
    let at = load(host, run).await?;
    let origin = at.run();
    if let Some(reason) = refused(origin, from, at.sop.steps.len()) {
        return Ok(Rerun::Refused { reason });
    }
    // In a graph all that does not depend on the step is kept, in a sequence what stands before it.
    let reused =
        reused(
            origin,
            |step| {
                if at.sop.is_graph() { !at.sop.depends(step, from) } else { step < from }
            },
        );
    let payload = values::stored_at(host, run, &Place::own(0)).await?;
    let data = match &payload {
        Some(stored) => Data::Text(values::text(host, stored).await?),
        None => Data::Empty,
    };
    let time = at.entry.at;
    let id = EventId::derived(time, &["rerun", run.as_str(), &from.to_string(), by, key]);
    let event = Event {
        trace: Some(ingress::traceparent(&id)),
        id,
        tenant: host.tenant.clone(),
        source: Source::Sop,
        subject: origin.identity.sop.to_string(),
        time,
        data,
        target: Some(origin.identity.sop.clone()),
        catalog: None,
        method: None,
        actor: Some(by.to_owned()),
        lineage: Some(Lineage::Rerun {
            origin: Origin { run: run.clone(), from },
            definition: origin.identity.definition,
            reused,
        }),
    };
    if let Some(reason) = turned_away(admission(host, &at.sop, &event).await?) {
        // Before the copy is sent: what is told that it did not start must not start later.
        return Ok(Rerun::ByHand(ByHand::NotStarted { reason }));
    }
    enqueue(host, &event, COPY_DELAY_SECS).await?;
    let verdicts = match &event.lineage {
        Some(by) => lineage::arrived(host, &event, by).await?,
        None => Vec::new(),
    };
    Ok(Rerun::ByHand(match verdicts.into_iter().next() {
        Some(verdict) => match verdict.run {
            Some(run) => ByHand::Started { run, reason: verdict.reason },
            None => ByHand::NotStarted { reason: verdict.reason },
        },
        None => ByHand::NoSop,
    }))
}

fn refused(run: &Run, from: u32, steps: usize) -> Option<String> {
    if !run.is_finished() {
        return Some("the run is not over: cancel it first".to_owned());
    }
    let is_step = from >= 1 && usize::try_from(from).is_ok_and(|from| from <= steps);
    (!is_step).then(|| format!("there is no step {from}: the SOP has {steps}"))
}

/// The ends of the steps that are kept; their values are named by the run that they are in.
fn reused(run: &Run, keeps: impl Fn(u32) -> bool) -> Vec<Past> {
    run.past
        .iter()
        .filter(|past| past.how != How::Stopped && keeps(past.step))
        .map(|past| Past {
            value: past.value.as_ref().map(|place| match &place.run {
                Some(_) => place.clone(),
                // The payload is copied, so it is the new run's own.
                None if place.seq == 0 => Place::own(0),
                None => Place { run: Some(run.identity.id.clone()), seq: place.seq },
            }),
            visits: 1,
            tries: 0,
            revisions: 0,
            ..past.clone()
        })
        .collect()
}
