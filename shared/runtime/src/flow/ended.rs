//! A run's end is an event for those who want it: SOPs whose triggers name it, and runs that wait for it.
//!
//! Whether anybody wants it is asked of the index, which is remembered, so that an end that nobody wants costs
//! nothing. What it starts is seen to by the dispatcher, as for any event.

use serde_json::{Map, Value};
use sop_core::definition::Definition;
use sop_core::engine::{Gets, Phase, Run, Stored, result_of, value_of_text};
use sop_core::event::ended::{self, Gave};
use sop_core::event::{Event, Lineage};
use sop_core::limits::{DEPTH_MAX, INLINE_BYTES_MAX};

use crate::flow::{FlowError, Host, values};
use crate::port::{Catalog, Clock, Journal};

/// The event that the end of `run` is, of which entry `seq` tells, if it is over and anybody wants to hear of it.
pub(super) async fn event_of_end<S, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    (run, seq): (&Run, u64),
) -> Result<Option<Event>, FlowError>
where
    S: Journal + Catalog,
    C: Clock,
{
    let Phase::Finished { end, .. } = &run.phase else { return Ok(None) };
    if !is_wanted(host, &ended::subject(end)).await? {
        return Ok(None);
    }
    Ok(ended::event(run, seq, gave(host, sop, run).await?))
}

/// Whether anybody wants events with `subject`. While the catalog cannot be read they are sent: a run ends all the
/// same, and its event waits among the dead letters until the catalog is mended.
async fn is_wanted<S: Catalog, Q, C: Clock>(
    host: &Host<S, Q, C>,
    subject: &str,
) -> Result<bool, FlowError> {
    match host.active().await {
        Ok(active) => Ok(active.index.names_event(subject)),
        Err(error) if error.is_retryable() => Err(error),
        Err(_) => Ok(true),
    }
}

/// What `run` gave, where it is over and has completed.
async fn gave<S: Journal, Q, C>(
    host: &Host<S, Q, C>,
    sop: &Definition,
    run: &Run,
) -> Result<Gave, FlowError> {
    if !run.has_completed() {
        return Ok(Gave::Nothing);
    }
    let id = &run.identity.id;
    let several = match result_of(sop, run) {
        Gets::One(None) => return Ok(Gave::Nothing),
        Gets::One(Some(place)) => {
            return Ok(match values::stored_at(host, id, &place).await? {
                None => Gave::Nothing,
                Some(Stored::Inline(text)) => Gave::Value(value_of_text(&text)),
                Some(Stored::Blob { .. }) => Gave::TooMuch,
            });
        }
        Gets::Each(several) => several,
    };
    let mut each = Map::new();
    for (step, place) in several {
        let stored = match place {
            Some(place) => values::stored_at(host, id, &place).await?,
            None => None,
        };
        let value = match stored {
            None => Value::Null,
            Some(Stored::Inline(text)) => value_of_text(&text),
            Some(Stored::Blob { .. }) => return Ok(Gave::TooMuch),
        };
        each.insert(step.to_string(), value);
    }
    let each = Value::Object(each);
    let is_small = each.to_string().len() <= INLINE_BYTES_MAX;
    Ok(if is_small { Gave::Value(each) } else { Gave::TooMuch })
}

/// Why `event` starts nothing: it is the end of a run that stands at the end of too long a line of runs, each of
/// which was started by the one before it.
pub(super) fn is_too_deep(event: &Event) -> Option<String> {
    match &event.lineage {
        Some(Lineage::End { of }) if of.depth >= DEPTH_MAX => Some(format!(
            "not started: runs may start each other {DEPTH_MAX} deep, and run {} is the deepest",
            of.run
        )),
        Some(
            Lineage::End { .. }
            | Lineage::Step { .. }
            | Lineage::Rerun { .. }
            | Lineage::Replay { .. },
        )
        | None => None,
    }
}
