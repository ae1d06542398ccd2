//! Doors: what arrived becomes an event on the queue. Nothing is answered before it is durable.

use sop_core::event::{Data, Event, Source};
use sop_core::id::EventId;
use sop_core::ingress;
use sop_core::time::Timestamp;

use crate::envelope::Body;
use crate::flow::{FlowError, Host};
use crate::metric;
use crate::port::{Clock, Queue, QueueName};

/// What a door knows of an arrival that nobody waits for an answer to: a device's, a schedule's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Which door.
    pub source: Source,
    /// Topic, expression, `board/signal`.
    pub subject: String,
    /// The payload, checked by [`ingress`].
    pub data: Data,
    /// The id that the transport gives the arrival, if it gives one: the same on redelivery.
    pub transport_id: Option<String>,
    /// When it arrived, as the transport says.
    pub time: Option<Timestamp>,
    /// Who sent it.
    pub actor: Option<String>,
}

/// Puts an arrival on the events queue; durable when it returns `Ok`.
///
/// # Errors
/// When the queue fails: the door must not acknowledge.
pub async fn accept<S, Q, C>(host: &Host<S, Q, C>, door: Door) -> Result<Event, FlowError>
where
    Q: Queue,
    C: Clock,
{
    let time = door.time.unwrap_or_else(|| host.now());
    let id = match &door.transport_id {
        Some(transport_id) => {
            EventId::derived(time, &[door.source.as_str(), &door.subject, transport_id])
        }
        None => EventId::from_random(time, &host.clock.chance()),
    };
    let event = Event {
        trace: Some(ingress::traceparent(&id)),
        id,
        tenant: host.tenant.clone(),
        source: door.source,
        subject: door.subject,
        time,
        data: door.data,
        target: None,
        catalog: None,
        method: None,
        actor: door.actor,
        lineage: None,
    };
    enqueue(host, &event, 0).await?;
    Ok(event)
}

/// Puts `event` on the queue.
pub(super) async fn enqueue<S, Q: Queue, C>(
    host: &Host<S, Q, C>,
    event: &Event,
    delay_secs: u32,
) -> Result<(), FlowError> {
    let body = Body::Event { event: Box::new(event.clone()) };
    host.queue.send(QueueName::Events, &[body.into_message(delay_secs)]).await?;
    metric::accepted(event.source);
    tracing::info!(
        event.id = %event.id,
        event.source = %event.source,
        event.subject = %event.subject,
        trace = event.trace.as_deref().unwrap_or(""),
        "accepted"
    );
    Ok(())
}
