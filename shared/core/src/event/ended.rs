//! What others hear of a run's end: an event in the shape of Amazon EventBridge's, so that one trigger type takes
//! events of a bus and the ends of runs alike.
//!
//! The id follows from the run and its end, so an end that is told again is the same event.
//!
//! Source: Amazon EventBridge user guide, event structure.

use serde::Serialize;
use serde_json::Value;

use crate::engine::{End, Follows, Phase, Run, Status};
use crate::event::{Data, Event, Lineage, Source};
use crate::id::{EventId, RunId, SopName};
use crate::ingress;
use crate::matching::event_subject;

/// The `source` of the ends of runs.
pub const SOURCE: &str = "sopwith";

/// Their detail types.
pub const DETAIL_TYPES: [&str; 3] = ["Run Completed", "Run Failed", "Run Cancelled"];

/// What a run that is over gave, as far as its event has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Gave {
    /// Nothing.
    Nothing,
    /// This; at most [`INLINE_BYTES_MAX`](crate::limits::INLINE_BYTES_MAX) bytes of text.
    Value(Value),
    /// More than that.
    TooMuch,
}

/// The detail type of `end`.
pub const fn detail_type(end: &End) -> &'static str {
    let [completed, failed, cancelled] = DETAIL_TYPES;
    match end {
        End::Completed => completed,
        End::Failed { .. } => failed,
        End::Cancelled { .. } => cancelled,
    }
}

/// The subject of the event that `end` is.
pub fn subject(end: &End) -> String {
    event_subject(Some(SOURCE), Some(detail_type(end)))
}

/// The event that the end of `run` is, of which entry `seq` tells; `None` while it is not over.
///
/// Its payload is the event as EventBridge would have it, without an account. Who started the run counts as
/// having started what follows, so that nobody approves by a detour what they may not approve themselves.
pub fn event(run: &Run, seq: u64, gave: Gave) -> Option<Event> {
    let Phase::Finished { end, at, .. } = &run.phase else { return None };
    let identity = &run.identity;
    let id = EventId::derived(*at, &["end", identity.id.as_str(), &seq.to_string()]);
    let body = Body {
        version: "0",
        id: &id,
        source: SOURCE,
        detail_type: detail_type(end),
        time: at.to_string(),
        resources: [],
        detail: Detail {
            sop: &identity.sop,
            run: &identity.id,
            version: &identity.version,
            status: Status::of(run),
            reason: match end {
                End::Completed => None,
                End::Failed { reason } | End::Cancelled { reason } => Some(reason),
            },
            event: &identity.event,
            output_omitted: gave == Gave::TooMuch,
            output: match gave {
                Gave::Value(value) => Some(value),
                Gave::Nothing | Gave::TooMuch => None,
            },
        },
    };
    let text = serde_json::to_string(&body).expect("only string keys");
    let of = Follows { run: identity.id.clone(), depth: identity.depth() + 1 };
    Some(Event {
        trace: identity.trace.clone().or_else(|| Some(ingress::traceparent(&id))),
        id,
        tenant: identity.tenant.clone(),
        source: Source::Event,
        subject: subject(end),
        time: *at,
        data: Data::Text(text),
        target: None,
        catalog: None,
        method: None,
        actor: identity.actor.clone(),
        lineage: Some(Lineage::End { of }),
    })
}

#[derive(Serialize)]
struct Body<'a> {
    version: &'static str,
    id: &'a EventId,
    source: &'static str,
    #[serde(rename = "detail-type")]
    detail_type: &'static str,
    time: String,
    resources: [&'static str; 0],
    detail: Detail<'a>,
}

#[derive(Serialize)]
struct Detail<'a> {
    sop: &'a SopName,
    run: &'a RunId,
    version: &'a str,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    event: &'a EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    output_omitted: bool,
}
