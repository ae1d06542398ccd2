//! An event starts a run, exactly once.

use sop_core::definition::Definition;
use sop_core::engine::{self, Admission, Cause, Identity, Stored, decide_admission};
use sop_core::event::Event;
use sop_core::id::{Digest, InputId, RunId};

use crate::flow::act::{Moved, act};
use crate::flow::{FlowError, Host};
use crate::port::{Append, Blobs, Catalog, Clock, Heads, Journal, Queue};

/// What became of an event for one SOP that it matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Started {
    /// There is exactly one run of it: made now, or by an earlier delivery of the same event.
    Run {
        /// The run.
        run: RunId,
        /// Whether it waits for a slot.
        queued: bool,
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
    S: Journal + Heads + Blobs + Catalog,
    Q: Queue,
    C: Clock,
{
    let run = RunId::derive(&event.tenant, &sop.name, &event.id, event.time);
    let mut queued = match admission(host, sop, event).await? {
        Admission::Admit => false,
        Admission::Queue => true,
        Admission::Drop { reason } => return Ok(Started::Dropped { reason }),
    };
    let payload = event.data.text().map(Stored::of);
    if let (Some(Stored::Blob { digest, .. }), Some(text)) = (&payload, event.data.text()) {
        host.store.put_blob(digest, text).await?;
    }
    let identity = identity(sop, digest, event, run.clone(), host.now());
    loop {
        let cause = Cause { input: input_id(event), by: by(event) };
        let now = host.now();
        let transition = engine::start(sop, identity.clone(), payload.clone(), cause, now, queued);
        let sealed = transition.entry.seal();
        match host.store.append(&sealed, transition.slot.as_ref()).await? {
            Append::Appended => {
                act(host, sop, Moved::New { before: None, transition: &transition }).await?;
                let queued = transition.entry.queued;
                return Ok(Started::Run { run, queued });
            }
            Append::Duplicate(_) | Append::Conflict => {
                heal(host, &run).await?;
                return Ok(Started::Run { run, queued: false });
            }
            Append::Full if !queued => queued = true,
            // A queued start takes no slot, so no store may answer that there is none.
            Append::Full => return Err(FlowError::Contended(run)),
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
    match decide_admission(sop, &counters, host.now()) {
        Admission::Drop { reason } => {
            // A run that an earlier delivery started is no new one, whatever the counter says now.
            let run = RunId::derive(&event.tenant, &sop.name, &event.id, event.time);
            let is_there = host.store.latest(&run).await?.is_some();
            Ok(if is_there { Admission::Admit } else { Admission::Drop { reason } })
        }
        admitted @ (Admission::Admit | Admission::Queue) => Ok(admitted),
    }
}

/// The run exists: if nobody has moved it since its start, what the start asks for is sent unless it
/// was. The run goes by the definition it started with, whatever is active now.
async fn heal<S, Q, C>(host: &Host<S, Q, C>, run: &RunId) -> Result<(), FlowError>
where
    S: Journal + Heads + Catalog,
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

fn identity(
    sop: &Definition,
    digest: &Digest,
    event: &Event,
    id: RunId,
    started_at: sop_core::Timestamp,
) -> Identity {
    Identity {
        id,
        tenant: event.tenant.clone(),
        sop: sop.name.clone(),
        version: sop.version.clone(),
        definition: *digest,
        event: event.id.clone(),
        source: event.source,
        subject: event.subject.clone(),
        started_at,
        trace: event.trace.clone(),
    }
}

fn input_id(event: &Event) -> InputId {
    InputId::parse(event.id.as_str()).expect("an event id is visible ASCII")
}

fn by(event: &Event) -> String {
    event.actor.clone().unwrap_or_else(|| "event".to_owned())
}
