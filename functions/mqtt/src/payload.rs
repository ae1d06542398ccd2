//! An IoT rule's shape, for MQTT triggers.

use sop_core::event::Source;
use sop_core::topic;
use sop_runtime::flow::Door;
use sop_wiring::device::Dropped;

pub use sop_wiring::device::Uplink;

/// The arrival that `message` is; `request` is the invocation's id.
///
/// # Errors
/// [`Dropped`], when the topic is none or the payload is too large.
pub fn door(message: &Uplink, request: &str) -> Result<Door, Dropped> {
    topic::check_name(&message.topic)?;
    Ok(Door {
        source: Source::Mqtt,
        subject: message.topic.clone(),
        data: message.data()?,
        transport_id: Some(message.id(request)),
        time: message.time(),
        actor: message.client(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sop_core::event::Data;
    use sop_runtime::envelope::{Body, Envelope};
    use sop_runtime::flow::Host;
    use sop_runtime::port::{Consumer, QueueName};
    use sop_testkit::{Failing, Fuse, ManualClock, Memory, Moment};
    use sop_wiring::device::{Receipt, take};

    use super::*;

    fn uplink(topic: &str, payload: &str) -> Uplink {
        let message = json!({
            "topic": topic,
            "payload": payload,
            "id": "7f1c9a52-9d0e-4f9b-a3cd-3f1f6a1f8a11",
            "time": 1_772_352_000_123_i64,
            "client": "boiler-3",
        });
        serde_json::from_value(message).unwrap()
    }

    #[tokio::test]
    async fn a_message_is_one_event_however_often_the_function_is_called() {
        let clock = ManualClock::default();
        let memory = Memory::new(clock.clone());
        let host = Host::new((), memory.clone(), clock);
        let message = uplink("plant/7/temperature", "eyJ0Ijo4OX0=");
        for request in ["r-1", "r-2"] {
            let receipt = take(&host, &message.topic, door(&message, request)).await.unwrap();
            assert!(matches!(receipt, Receipt::Accepted { .. }));
        }
        let sent = memory.receive(QueueName::Events, 10, 1_000).await.unwrap();
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0].body, sent[1].body);
        let Ok(Body::Event { event }) = Envelope::parse(&sent[0].body) else { panic!("no event") };
        assert_eq!(event.source, Source::Mqtt);
        assert_eq!(event.subject, "plant/7/temperature");
        assert_eq!(event.data, Data::Text("{\"t\":89}".into()));
        assert_eq!(event.time.as_millis(), 1_772_352_000_123);
        assert_eq!(event.actor.as_deref(), Some("boiler-3"));
    }

    #[tokio::test]
    async fn what_is_no_topic_is_dropped() {
        let memory = Memory::default();
        let host = Host::new((), memory.clone(), ManualClock::default());
        for topic in ["", "plant/+/t", "plant/#", "a\0b"] {
            let message = uplink(topic, "");
            let receipt = take(&host, &message.topic, door(&message, "r")).await.unwrap();
            assert!(matches!(receipt, Receipt::Dropped { .. }), "{topic:?}");
        }
        assert_eq!(memory.backlog(QueueName::Events), 0);
    }

    #[tokio::test]
    async fn a_queue_that_fails_makes_the_call_fail() {
        let fuse = Fuse::dead_from(1, Moment::Before);
        let host = Host::new((), Failing::new(Memory::default(), &fuse), ManualClock::default());
        let message = uplink("plant/7", "");
        assert!(take(&host, "plant/7", door(&message, "r")).await.is_err());
    }
}
