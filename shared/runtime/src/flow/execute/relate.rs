//! Runs that start runs: a child is started, its parent is told how it ended.

use serde_json::Value;
use sop_core::engine::{Effect, End, Gets, Parent, Phase, Run, Stand, Stored, Verdict, result_of};
use sop_core::event::{Data, Event, Lineage, Source};
use sop_core::id::SopName;
use sop_core::limits::{DEPTH_MAX, PAYLOAD_BYTES_MAX};

use super::{Of, tell};
use crate::flow::accept::enqueue;
use crate::flow::{FlowError, Host, values};
use crate::port::{Blobs, Clock, Journal, Queue};

/// Puts the event that starts the child on the queue, while its parent waits for it.
pub(super) async fn start_child<S, Q, C>(
    host: &Host<S, Q, C>,
    run: &Run,
    effect: Effect,
) -> Result<(), FlowError>
where
    S: Journal + Blobs,
    Q: Queue,
    C: Clock,
{
    let Effect::StartChild { parent, event, at, with, args, trace } = effect else {
        return Err(FlowError::WrongQueue);
    };
    if !awaits(run, &parent) {
        return Ok(());
    }
    let with = match args {
        Some(seq) => values::args_at(host, &parent.run, seq, parent.step).await?.value,
        None => with,
    };
    let name = with.get("sop").and_then(Value::as_str).unwrap_or_default();
    let data = match with.get("payload") {
        None | Some(Value::Null) => Data::Empty,
        Some(Value::String(text)) => Data::Text(text.clone()),
        Some(payload) => Data::Text(payload.to_string()),
    };
    let bytes = data.text().map_or(0, str::len);
    let refused = match SopName::parse(name) {
        Err(error) => Some(error.to_string()),
        Ok(_) if parent.depth >= DEPTH_MAX => {
            Some(format!("runs may start each other {DEPTH_MAX} deep, and this one is the deepest"))
        }
        Ok(_) if bytes > PAYLOAD_BYTES_MAX => {
            Some(format!("the payload has {bytes} bytes; at most {PAYLOAD_BYTES_MAX} are taken"))
        }
        Ok(_) => None,
    };
    if let Some(reason) = refused {
        return no_child(host, &parent, reason).await;
    }
    let target = SopName::parse(name).ok();
    let event = Event {
        id: event,
        tenant: host.tenant.clone(),
        source: Source::Sop,
        subject: name.to_owned(),
        time: at,
        data,
        target,
        catalog: None,
        method: None,
        actor: run.identity.actor.clone(),
        trace,
        lineage: Some(Lineage::Step { parent }),
    };
    enqueue(host, &event, 0).await
}

/// Whether `run` waits for the child that works for `parent`.
pub(in crate::flow) fn awaits(run: &Run, parent: &Parent) -> bool {
    run.live(parent.step).is_some_and(|live| {
        matches!(live.stand, Stand::Child { .. }) && live.attempt == parent.attempt
    })
}

/// Tells a parent that its step has no child and will have none.
pub(in crate::flow) async fn no_child<S, Q: Queue, C>(
    host: &Host<S, Q, C>,
    parent: &Parent,
    reason: String,
) -> Result<(), FlowError> {
    let verdict = Verdict::Failed { reason };
    tell(host, parent.run.clone(), (parent.step, parent.attempt), "child", (verdict, None)).await
}

/// Tells the parent how `run` ended and what it gave.
pub(super) async fn tell_parent<S, Q, C>(
    host: &Host<S, Q, C>,
    (sop, run): Of<'_>,
    parent: &Parent,
) -> Result<(), FlowError>
where
    S: Journal + Blobs,
    Q: Queue,
    C: Clock,
{
    let Phase::Finished { end, .. } = &run.phase else { return Ok(()) };
    let id = &run.identity.id;
    let verdict = match end {
        End::Completed => {
            Verdict::Completed { output: result(host, run, result_of(sop, run)).await? }
        }
        End::Failed { reason } => Verdict::Failed { reason: format!("run {id} failed: {reason}") },
        End::Cancelled { reason } => {
            Verdict::Failed { reason: format!("run {id} was cancelled: {reason}") }
        }
    };
    tell(host, parent.run.clone(), (parent.step, parent.attempt), "child", (verdict, None)).await
}

/// What a run gives: the value at one place as it is stored, or an object of several.
async fn result<S: Journal + Blobs, Q, C>(
    host: &Host<S, Q, C>,
    run: &Run,
    gets: Gets,
) -> Result<Option<Stored>, FlowError> {
    let id = &run.identity.id;
    match gets {
        Gets::One(None) => Ok(None),
        Gets::One(Some(place)) => values::stored_at(host, id, &place).await,
        several @ Gets::Each(_) => {
            let text = values::input(host, id, &several).await?.to_string();
            let stored = Stored::of(&text);
            if let Stored::Blob { digest, bytes, .. } = &stored {
                if *bytes > PAYLOAD_BYTES_MAX {
                    return Ok(None);
                }
                host.store.put_blob(digest, &text).await?;
            }
            Ok(Some(stored))
        }
    }
}
