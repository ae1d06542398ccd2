//! An input moves a run: decide, append, act.

use std::sync::Arc;

use sop_core::Timestamp;
use sop_core::definition::Definition;
use sop_core::engine::{
    self, Cause, Decided, Fact, Given, Input, Refusal, Run, Stored, Values, Verdict,
};
use sop_core::id::{Digest, InputId, RunId};
use sop_core::journal::{Entry, Sealed};

use crate::flow::act::{Moved, act, admit_next, look_again, prepare};
use crate::flow::values;
use crate::flow::{FlowError, Host, journal};
use crate::metric;
use crate::port::{Append, Blobs, Catalog, Clock, Heads, Journal, Queue, Waits};

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
    S: Journal + Blobs + Heads + Waits + Catalog,
    Q: Queue,
    C: Clock,
{
    for _ in 0..TRIES_MAX {
        let at = load(host, run).await?;
        if at.entry.input == *id {
            act(host, &at.sop, Moved::Before { entry: &at.entry }).await?;
            return Ok(Advanced::Duplicate(Box::new(at.entry)));
        }
        if let Some(earlier) = before(host, &at, id, input).await? {
            return Ok(Advanced::Duplicate(Box::new(earlier)));
        }
        if let Some(done) = once(host, &at, id, by, input).await? {
            if let (Input::Admit, Advanced::Refused(_)) = (input, &done) {
                // The run is in the queue by a head that is behind, or two that gave their slots back at
                // once both asked it: then the other slot is free, and the ask is passed on.
                look_again(host, &at.entry).await?;
                admit_next(host, &at.sop, &at.run().identity.tenant, Some(run)).await?;
            }
            return Ok(done);
        }
    }
    Err(FlowError::Contended(run.clone()))
}

/// The entry that `input` made before, when it is one that the state alone cannot tell from a new one: it
/// would move the run once more.
async fn before<S: Journal, Q, C>(
    host: &Host<S, Q, C>,
    at: &At,
    id: &InputId,
    input: &Input,
) -> Result<Option<Entry>, FlowError> {
    let could_count_again = match input {
        Input::Pause | Input::Resume | Input::Retry => true,
        Input::Report { step, .. } => at.run().past(*step).is_some(),
        // Gates have numbers; but who may not decide is refused anew, on the ledger.
        Input::Decide { .. } => at.run().refusals > 0,
        Input::Admit
        | Input::Outcome { .. }
        | Input::Event { .. }
        | Input::Cancel { .. }
        | Input::Wake => false,
    };
    if !could_count_again {
        return Ok(None);
    }
    let entries = journal(host, &at.run().identity.id).await?;
    let earlier = entries.iter().find(|entry| entry.input == *id);
    Ok(earlier.map(Sealed::open).transpose()?)
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

/// The run as it is now. One of another tenant is none: ids are all that callers know of them.
pub(super) async fn load<S, Q, C>(host: &Host<S, Q, C>, run: &RunId) -> Result<At, FlowError>
where
    S: Journal + Catalog,
    C: Clock,
{
    let sealed: Sealed =
        host.store.latest(run).await?.ok_or_else(|| FlowError::NoRun(run.clone()))?;
    let entry = sealed.open()?;
    if entry.after.identity.tenant != host.tenant {
        return Err(FlowError::NoRun(run.clone()));
    }
    let sop = host.definition(&entry.after.identity.definition).await?;
    Ok(At { sop, hash: sealed.hash, entry })
}

/// What an input would come to.
pub(super) enum Judged {
    /// It moves the run.
    Moves,
    /// It is refused, and the ledger tells of it.
    Told,
    /// It changes nothing, and why.
    Refused(Refusal),
}

/// What `input` would come to now, without changing anything.
pub(super) async fn judge<S, Q, C>(
    host: &Host<S, Q, C>,
    at: &At,
    id: &InputId,
    by: &str,
    input: &Input,
) -> Result<Judged, FlowError>
where
    S: Journal + Blobs,
    C: Clock,
{
    let newest = (at.entry.seq, at.hash);
    let mut values = Values::default();
    loop {
        let cause = Cause { input: id.clone(), by: by.to_owned() };
        let given = Given { cause, now: host.now(), queued: false, values: &values };
        match engine::decide(&at.sop, at.run(), newest, input, given) {
            Decided::Moves(transition) => {
                let is_told = matches!(transition.entry.fact, Fact::Refused { .. });
                return Ok(if is_told { Judged::Told } else { Judged::Moves });
            }
            Decided::Refused(refusal) => return Ok(Judged::Refused(refusal)),
            // Only a decision is judged by values; of the rest they only say where the run goes.
            Decided::Needs(_) if !matches!(input, Input::Decide { .. }) => {
                return Ok(Judged::Moves);
            }
            Decided::Needs(needs) => {
                values::fetch(host, at.run(), (at.entry.seq + 1, None), needs, &mut values).await?;
            }
        }
    }
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
    S: Journal + Blobs + Heads + Waits + Catalog,
    Q: Queue,
    C: Clock,
{
    let mut queued = false;
    let mut values = Values::default();
    loop {
        let cause = Cause { input: id.clone(), by: by.to_owned() };
        let given = Given { cause, now: host.now(), queued, values: &values };
        let newest = (at.entry.seq, at.hash);
        let transition = match engine::decide(&at.sop, at.run(), newest, input, given) {
            Decided::Moves(transition) => transition,
            Decided::Refused(refusal) => {
                metric::refused();
                return Ok(Some(Advanced::Refused(refusal)));
            }
            Decided::Needs(needs) => {
                let brought = (at.entry.seq + 1, brings(input));
                values::fetch(host, at.run(), brought, needs, &mut values).await?;
                continue;
            }
        };
        prepare(host, Some(at.run()), &transition).await?;
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

/// The output or payload that `input` brings.
fn brings(input: &Input) -> Option<&Stored> {
    match input {
        Input::Outcome { verdict: Verdict::Completed { output }, .. }
        | Input::Report { verdict: Verdict::Completed { output }, .. } => output.as_ref(),
        Input::Event { payload, .. } => payload.as_ref(),
        Input::Outcome { .. }
        | Input::Report { .. }
        | Input::Admit
        | Input::Decide { .. }
        | Input::Pause
        | Input::Resume
        | Input::Retry
        | Input::Cancel { .. }
        | Input::Wake => None,
    }
}

/// Who moves a run when time does.
const CLOCK: &str = "clock";

/// A timer or the sweep looks at a run.
///
/// A timer names the instant that it was set for. One that finds nothing due has been overtaken: whoever
/// moved the run saw to what it needs, unless it was another timer. The sweep names none: it was led here by an
/// index that says something is due, or will be soon, so what it finds is acted on again whether or not there
/// is anything to decide.
pub(super) async fn wake<S, Q, C>(
    host: &Host<S, Q, C>,
    run: &RunId,
    set_for: Option<Timestamp>,
) -> Result<(), FlowError>
where
    S: Journal + Blobs + Heads + Waits + Catalog,
    Q: Queue,
    C: Clock,
{
    let at = load(host, run).await?;
    let id = Input::Wake.system_id(at.entry.seq);
    match advance(host, run, &id, CLOCK, &Input::Wake).await? {
        Advanced::Refused(Refusal::TooEarly { at: due }) if set_for == Some(due) => {
            // The clock of the queue is ahead of ours.
            act(host, &at.sop, Moved::Early { entry: &at.entry, at: due }).await
        }
        Advanced::Refused(_) if set_for.is_none() => {
            act(host, &at.sop, Moved::Swept { entry: &at.entry }).await
        }
        // The entry may be one that this very timer led to, appended by a process that died.
        Advanced::Refused(_) if at.entry.by == CLOCK => {
            act(host, &at.sop, Moved::Before { entry: &at.entry }).await
        }
        Advanced::Refused(_) | Advanced::Moved(_) | Advanced::Duplicate(_) | Advanced::Full => {
            Ok(())
        }
    }
}
