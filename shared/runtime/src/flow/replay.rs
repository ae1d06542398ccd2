//! One recorded event: looking it up, and sending it again.

use sop_core::event::{Data, Event, Lineage, Source};
use sop_core::id::{EventId, SopName};
use sop_core::ingress;

use crate::flow::accept::enqueue;
use crate::flow::log::Detail;
use crate::flow::{FlowError, Host};
use crate::port::{Catalog, Clock, EventLog, LogLine, LogQuery, Queue};

/// Lines of one millisecond read at once.
const LINES_AT_ONCE: usize = 100;

/// A line of the log with all that is kept of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The line.
    pub line: LogLine,
    /// What it says.
    pub detail: Detail,
    /// What the event carried; `None` when only its beginning was kept.
    pub data: Option<Data>,
}

/// The line of `event`, with the whole payload.
///
/// # Errors
/// When a port fails.
pub async fn recorded<S: EventLog, Q, C>(
    host: &Host<S, Q, C>,
    event: &EventId,
) -> Result<Option<Recorded>, FlowError> {
    // An id begins with its event's time, which is its line's place.
    let at = event.time();
    let mut after = None;
    let line = loop {
        let query = LogQuery {
            tenant: host.tenant.clone(),
            since: at,
            until: at,
            after,
            limit: LINES_AT_ONCE,
        };
        let page = host.store.list(&query).await?;
        if let Some(line) = page.lines.into_iter().find(|line| line.event == *event) {
            break line;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(None),
        }
    };
    let detail: Detail = serde_json::from_str(&line.detail).unwrap_or_default();
    let kept = host.store.payload(&host.tenant, event).await?;
    let data = match (kept, &detail.payload) {
        (Some(json), _) => serde_json::from_str(&json).ok(),
        (None, Some(text)) if text.len() == detail.payload_bytes => Some(Data::Text(text.clone())),
        (None, None) if detail.payload_bytes == 0 => Some(Data::Empty),
        (None, Some(_) | None) => None,
    };
    Ok(Some(Recorded { line, detail, data }))
}

/// What became of an order to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// A new event is on the queue.
    Sent(Box<Event>),
    /// The log has no such event.
    NoEvent,
    /// No active SOP has the name.
    NoSop,
    /// It cannot be sent again; why.
    Not(String),
}

/// Sends a recorded event again, as a new event that names it: to all SOPs that are active now, or to
/// `sop` alone.
///
/// # Errors
/// When a port fails.
pub async fn replay<S, Q, C>(
    host: &Host<S, Q, C>,
    event: &EventId,
    sop: Option<&SopName>,
    by: &str,
) -> Result<Replayed, FlowError>
where
    S: EventLog + Catalog,
    Q: Queue,
    C: Clock,
{
    let Some(Recorded { line, detail, data }) = recorded(host, event).await? else {
        return Ok(Replayed::NoEvent);
    };
    if line.outcome == super::log::SAMPLED {
        return Ok(Replayed::NoEvent);
    }
    if line.source == Source::Sop {
        let why = "a run's step asked for it; `sop rerun` takes a run up again";
        return Ok(Replayed::Not(why.to_owned()));
    }
    let Some(data) = data else {
        let kept = detail.payload.as_ref().map_or(0, String::len);
        let why =
            format!("only {kept} of the {} bytes of its payload were kept", detail.payload_bytes);
        return Ok(Replayed::Not(why));
    };
    if let Some(name) = sop
        && host.active().await?.index.find(name).is_none()
    {
        return Ok(Replayed::NoSop);
    }
    let time = host.now();
    let id = EventId::from_random(time, &host.clock.chance());
    let again = Event {
        trace: Some(ingress::traceparent(&id)),
        id,
        tenant: host.tenant.clone(),
        source: line.source,
        subject: line.subject,
        time,
        data,
        target: sop.cloned().or(detail.target),
        catalog: None,
        method: detail.method,
        actor: Some(by.to_owned()),
        lineage: Some(Lineage::Replay { of: event.clone() }),
    };
    enqueue(host, &again, 0).await?;
    Ok(Replayed::Sent(Box::new(again)))
}
