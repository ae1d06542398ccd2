//! An input moves a run: decide, append, act.

use std::sync::Arc;

use sop_core::definition::Definition;
use sop_core::engine::{self, Cause, Input, Refusal, Run, Transition};
use sop_core::id::{Digest, InputId, RunId};
use sop_core::journal::{Entry, Sealed};

use crate::flow::act::{Moved, act, admit_next, look_again};
use crate::flow::{FlowError, Host};
use crate::port::{Append, Catalog, Clock, Heads, Journal, Queue};

/// What became of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Advanced {
    /// It moved the run.
    Moved(Box<Entry>),
    /// It had moved the run before; nothing changed.
    Duplicate(Box<Entry>),
    /// It changes nothing, and why.
    Refused(Refusal),
    /// The SOP has no free slot; the run goes on waiting.
    Full,
}

/// Times the run's next place may be lost to others before the input is left to its redelivery.
const TRIES_MAX: u32 = 8;

/// Applies `input` to `run`.
///
/// # Errors
/// When a port fails or the run does not exist; applying the input again goes on from there.
pub async fn advance<S, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    id: &InputId,
    by: &str,
    input: &Input,
) -> Result<Advanced, FlowError>
where
    S: Journal + Heads + Catalog,
    Q: Queue,
    C: Clock,
{
    for _ in 0..TRIES_MAX {
        let at = load(host, run).await?;
        if at.entry.input == *id {
            act(host, &at.sop, Moved::Before { entry: &at.entry }).await?;
            return Ok(Advanced::Duplicate(Box::new(at.entry)));
        }
        if let Some(done) = once(host, &at, id, by, input).await? {
            if let (Input::Admit, Advanced::Refused(_)) = (input, &done) {
                // The run is in the queue by a head that is behind, or two that gave their slots back at
                // once both asked it: then the other slot is free, and the ask is passed on.
                look_again(host, &at.entry).await?;
                let identity = &at.run().identity;
                let max = at.sop.max_concurrent;
                let of = (&identity.tenant, &identity.sop);
                admit_next(host, of, max, Some(run)).await?;
            }
            return Ok(done);
        }
    }
    Err(FlowError::Contended(run.clone()))
}

/// A run as it was read.
pub(super) struct At {
    pub(super) sop: Arc<Definition>,
    pub(super) hash: Digest,
    pub(super) entry: Entry,
}

impl At {
    pub(super) fn run(&self) -> &Run {
        &self.entry.after
    }
}

pub(super) async fn load<S, Q, C>(host: &Host<S, Q, C>, run: &RunId) -> Result<At, FlowError>
where
    S: Journal + Catalog,
    C: Clock,
{
    let sealed: Sealed =
        host.store.latest(run).await?.ok_or_else(|| FlowError::NoRun(run.clone()))?;
    let entry = sealed.open()?;
    let sop = host.definition(&entry.after.identity.definition).await?;
    Ok(At { sop, hash: sealed.hash, entry })
}

/// One try; `None` when another input took the place.
async fn once<S, Q, C>(
    host: &Host<S, Q, C>,
    at: &At,
    id: &InputId,
    by: &str,
    input: &Input,
) -> Result<Option<Advanced>, FlowError>
where
    S: Journal + Heads + Catalog,
    Q: Queue,
    C: Clock,
{
    let now = host.now();
    let mut queued = false;
    loop {
        let cause = Cause { input: id.clone(), by: by.to_owned() };
        let newest = (at.entry.seq, at.hash);
        let decided = engine::decide(&at.sop, at.run(), newest, input, cause, now, queued);
        let transition: Transition = match decided {
            Ok(transition) => transition,
            Err(refusal) => return Ok(Some(Advanced::Refused(refusal))),
        };
        let sealed = transition.entry.seal();
        match host.store.append(&sealed, transition.slot.as_ref()).await? {
            Append::Appended => {
                let before = Some((at.run(), at.entry.seq));
                act(host, &at.sop, Moved::New { before, transition: &transition }).await?;
                return Ok(Some(Advanced::Moved(Box::new(transition.entry))));
            }
            Append::Duplicate(sealed) => {
                let entry = sealed.open()?;
                act(host, &at.sop, Moved::Before { entry: &entry }).await?;
                return Ok(Some(Advanced::Duplicate(Box::new(entry))));
            }
            Append::Conflict => return Ok(None),
            Append::Full if matches!(input, Input::Admit) => return Ok(Some(Advanced::Full)),
            Append::Full if !queued => queued = true,
            Append::Full => return Ok(None),
        }
    }
}

/// A timer or the sweep looks at a run.
///
/// A timer names the entry that set it: when that entry is no longer the newest, the run has moved on
/// and somebody else saw to what it needs. The sweep names none: it was led here by an index that says
/// something is due, so what it finds is acted on again whether or not there is anything to decide.
pub(super) async fn wake<S, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    set_by: Option<u64>,
) -> Result<(), FlowError>
where
    S: Journal + Heads + Catalog,
    Q: Queue,
    C: Clock,
{
    let at = load(host, run).await?;
    let seq = set_by.unwrap_or(at.entry.seq);
    let id = Input::Wake.system_id(seq);
    if at.entry.input == id || at.entry.seq != seq {
        if at.entry.input == id {
            act(host, &at.sop, Moved::Before { entry: &at.entry }).await?;
        }
        return Ok(());
    }
    match advance(host, run, &id, "clock", &Input::Wake).await? {
        Advanced::Refused(Refusal::TooEarly { .. }) if set_by.is_some() => {
            // The clock of the queue is ahead of ours.
            act(host, &at.sop, Moved::Early { entry: &at.entry }).await
        }
        Advanced::Refused(_) if set_by.is_none() => {
            act(host, &at.sop, Moved::Before { entry: &at.entry }).await
        }
        Advanced::Refused(_) | Advanced::Moved(_) | Advanced::Duplicate(_) | Advanced::Full => {
            Ok(())
        }
    }
}
