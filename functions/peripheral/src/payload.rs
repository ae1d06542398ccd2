//! An IoT rule's shape, for device uplinks.

use sop_core::event::Source;
use sop_core::{ingress, matching, topic};
use sop_runtime::flow::Door;
use sop_wiring::device::Dropped;

pub use sop_wiring::device::Uplink;

/// The arrival that `message` is; `request` is the invocation's id.
///
/// # Errors
/// [`Dropped`], when the topic is not an uplink's or the payload is too large.
pub fn door(message: &Uplink, request: &str) -> Result<Door, Dropped> {
    topic::check_name(&message.topic)?;
    let (board, signal) = ingress::uplink(&message.topic).ok_or(Dropped::NotUplink)?;
    Ok(Door {
        source: Source::Peripheral,
        subject: matching::peripheral_subject(board, signal).ok_or(Dropped::NotUplink)?,
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
    use sop_testkit::{ManualClock, Memory};
    use sop_wiring::device::{Receipt, take};

    use super::*;

    fn uplink(topic: &str) -> Uplink {
        let message = json!({ "topic": topic, "payload": "NDI=", "time": 1_772_352_000_123_i64 });
        serde_json::from_value(message).unwrap()
    }

    #[tokio::test]
    async fn an_uplink_is_an_event_of_its_board_and_signal() {
        let clock = ManualClock::default();
        let memory = Memory::new(clock.clone());
        let host = Host::new((), memory.clone(), clock);
        let message = uplink("peripherals/pump-7/pressure");
        let receipt = take(&host, &message.topic, door(&message, "r-1")).await.unwrap();
        let sent = memory.receive(QueueName::Events, 10, 1_000).await.unwrap();
        let Ok(Body::Event { event }) = Envelope::parse(&sent[0].body) else { panic!("no event") };
        assert_eq!(receipt, Receipt::Accepted { event_id: event.id.to_string() });
        assert_eq!((event.source, event.subject.as_str()), (Source::Peripheral, "pump-7/pressure"));
        assert_eq!(event.data, Data::Text("42".into()));
    }

    #[test]
    fn what_is_no_uplink_is_dropped() {
        for topic in ["peripherals/pump-7", "peripherals//x", "peripherals/a/b/c", "plant/a/b", ""]
        {
            assert!(door(&uplink(topic), "r").is_err(), "{topic}");
        }
    }
}
