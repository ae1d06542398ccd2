//! An event starts a run, exactly once.

use sop_core::Timestamp;
use sop_core::definition::Definition;
use sop_core::engine::{
    self, Admission, Beginning, Cause, Decided, Given, Identity, Stored, Transition, Values,
    decide_admission,
};
use sop_core::event::{Event, Lineage};
use sop_core::id::{Digest, InputId, RunId};

use crate::flow::act::{Moved, act, prepare};
use crate::flow::{FlowError, Host, values};
use crate::port::{Append, Blobs, Catalog, Clock, Heads, Journal, Queue, Waits};

/// What became of an event for one SOP that it matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Started {
    /// There is exactly one run of it: made now, or by an earlier delivery of the same event.
    Run {
        /// The run.
        run: RunId,
        /// Whether it waits for a slot, or to begin.
        queued: bool,
    },
    /// A run that is under way stands for it.
    Coalesced {
        /// That run.
        run: RunId,
    },
    /// Admission turned it away.
    Dropped {
        /// Why.
        reason: String,
    },
}

/// Starts the run of `sop` (named `digest`) that `event` asks for.
pub(super) async fn start<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    digest: &Digest,
    event: &Event,
) -> Result<Started, FlowError>
where
    S: Journal + Heads + Blobs + Waits + Catalog,
    Q: Queue,
    C: Clock,
{
    let run = RunId::derive(&event.tenant, &sop.name, &event.id, event.time);
    let payload = event.data.text().map(Stored::of);
    if let (Some(Stored::Blob { digest, .. }), Some(text)) = (&payload, event.data.text()) {
        host.store.put_blob(digest, text).await?;
    }
    let beginning = beginning(sop, digest, event, run.clone(), payload, host.now());
    loop {
        let queued = match admission(host, sop, event).await? {
            Admission::Admit => false,
            Admission::Queue => true,
            Admission::Coalesce { run } => return Ok(Started::Coalesced { run }),
            Admission::Drop { reason } => return Ok(Started::Dropped { reason }),
        };
        let mut transition = first(host, sop, &beginning, event, queued).await?;
        let mut append =
            host.store.append(&transition.entry.seal(), transition.slot.as_ref()).await?;
        if append == Append::Full && !queued {
            // Others were quicker. What the policy says to that, the counter tells now.
            if !sop.admission_policy.queues() {
                continue;
            }
            transition = first(host, sop, &beginning, event, true).await?;
            append = host.store.append(&transition.entry.seal(), transition.slot.as_ref()).await?;
        }
        return match append {
            Append::Appended => {
                act(host, sop, Moved::New { before: None, transition: &transition }).await?;
                Ok(Started::Run { run, queued: transition.entry.queued })
            }
            Append::Duplicate(_) | Append::Conflict => {
                heal(host, &run).await?;
                Ok(Started::Run { run, queued: false })
            }
            // A queued start takes no slot, so no store may answer that there is none.
            Append::Full => Err(FlowError::Contended(run)),
        };
    }
}

/// The first transition of the run, and what it names put into the store.
async fn first<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    beginning: &Beginning,
    event: &Event,
    queued: bool,
) -> Result<Transition, FlowError>
where
    S: Journal + Blobs + Waits,
    C: Clock,
{
    let mut at_hand = Values::default();
    loop {
        let cause = Cause { input: input_id(event), by: by(event) };
        let given = Given { cause, now: host.now(), queued, values: &at_hand };
        match engine::start(sop, beginning.clone(), given) {
            Decided::Moves(transition) => {
                prepare(host, None, &transition).await?;
                return Ok(*transition);
            }
            Decided::Needs(needs) => {
                let brought = (0, beginning.payload.as_ref());
                let run = engine::unborn(sop, beginning.identity.clone());
                values::fetch(host, &run, brought, needs, &mut at_hand).await?;
            }
            Decided::Refused(_) => unreachable!("a start is not refused"),
        }
    }
}

/// Whether the run of `sop` that `event` asks for may start now.
pub(super) async fn admission<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    event: &Event,
) -> Result<Admission, FlowError>
where
    S: Journal,
    C: Clock,
{
    if !sop.has_admission() {
        return Ok(Admission::Admit);
    }
    let counters = host.store.counters(&event.tenant, &sop.name).await?;
    let total = match sop.max_concurrent_total {
        Some(_) => host.store.total(&event.tenant).await?,
        None => 0,
    };
    match decide_admission(sop, &counters, total, host.now()) {
        refused @ (Admission::Drop { .. } | Admission::Coalesce { .. }) => {
            // A run that an earlier delivery started is no new one, whatever the counter says now.
            let run = RunId::derive(&event.tenant, &sop.name, &event.id, event.time);
            let is_there = host.store.latest(&run).await?.is_some();
            Ok(if is_there { Admission::Admit } else { refused })
        }
        admitted @ (Admission::Admit | Admission::Queue) => Ok(admitted),
    }
}

/// The run exists: if nobody has moved it since its start, what the start asks for is sent unless it
/// was. The run goes by the definition it started with, whatever is active now.
async fn heal<S, Q, C>(host: &Host<S, Q, C>, run: &RunId) -> Result<(), FlowError>
where
    S: Journal + Heads + Waits + Catalog,
    Q: Queue,
    C: Clock,
{
    match host.store.latest(run).await? {
        Some(sealed) if sealed.seq == 0 => {
            let entry = sealed.open()?;
            let sop = host.definition(&entry.after.identity.definition).await?;
            act(host, &sop, Moved::Before { entry: &entry }).await
        }
        Some(_) | None => Ok(()),
    }
}

fn beginning(
    sop: &Definition,
    digest: &Digest,
    event: &Event,
    id: RunId,
    payload: Option<Stored>,
    started_at: Timestamp,
) -> Beginning {
    let (mut parent, mut origin, mut follows, mut reused) = (None, None, None, Vec::new());
    match &event.lineage {
        Some(Lineage::Step { parent: of }) => parent = Some(of.clone()),
        Some(Lineage::Rerun { origin: of, reused: taken, .. }) => {
            (origin, reused) = (Some(of.clone()), taken.clone());
        }
        Some(Lineage::End { of }) => follows = Some(of.clone()),
        Some(Lineage::Replay { .. }) | None => {}
    }
    let identity = Identity {
        id,
        tenant: event.tenant.clone(),
        sop: sop.name.clone(),
        version: sop.version.clone(),
        definition: *digest,
        event: event.id.clone(),
        source: event.source,
        subject: event.subject.clone(),
        actor: event.actor.clone(),
        started_at,
        trace: event.trace.clone(),
        parent,
        origin,
        follows,
    };
    Beginning { identity, payload, reused }
}

fn input_id(event: &Event) -> InputId {
    InputId::parse(event.id.as_str()).expect("an event id is visible ASCII")
}

fn by(event: &Event) -> String {
    event.actor.clone().unwrap_or_else(|| "event".to_owned())
}
