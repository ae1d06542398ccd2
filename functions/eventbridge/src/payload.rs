//! EventBridge's shape: one event, which is passed on whole.
//!
//! Source: Amazon EventBridge user guide, event structure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sop_core::event::Source;
use sop_core::time::Timestamp;
use sop_core::{ingress, matching};
use sop_runtime::flow::Door;
use sop_wiring::device::Dropped;

/// What of an event the door reads.
#[derive(Debug, Deserialize)]
struct Envelope {
    /// The same when the event is delivered again.
    id: String,
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(default)]
    time: String,
    #[serde(default)]
    account: Option<String>,
}

/// Where the event comes from, for a line of the log.
pub fn source(text: &str) -> String {
    serde_json::from_str::<Envelope>(text).map_or_else(|_| "?".to_owned(), |event| event.source)
}

/// The arrival that the event in `text` is: its payload is the event itself, byte for byte.
///
/// # Errors
/// [`Dropped`], when it is no event of a bus, or too large.
pub fn door(text: &str) -> Result<Door, Dropped> {
    let event: Envelope = serde_json::from_str(text).map_err(|_| Dropped::NotEvent)?;
    if event.id.is_empty() || event.source.is_empty() || event.detail_type.is_empty() {
        return Err(Dropped::NotEvent);
    }
    Ok(Door {
        source: Source::Event,
        subject: matching::event_subject(Some(&event.source), Some(&event.detail_type)),
        data: ingress::device_payload(text.as_bytes(), |bytes| STANDARD.encode(bytes))?,
        transport_id: Some(event.id),
        time: Timestamp::parse_rfc3339(&event.time),
        actor: event.account.map(|account| format!("account:{account}")),
    })
}

#[cfg(test)]
mod tests {
    use sop_core::event::Data;
    use sop_runtime::envelope::{Body, Envelope};
    use sop_runtime::flow::Host;
    use sop_runtime::port::{Consumer, QueueName};
    use sop_testkit::{ManualClock, Memory};
    use sop_wiring::device::{Receipt, take};

    use super::*;

    /// As S3 sends it. Source: Amazon S3 user guide, EventBridge event message structure.
    const CREATED: &str = r#"{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type":"Object Created","source":"aws.s3","account":"111122223333",
        "time":"2021-11-12T00:00:00Z","region":"ca-central-1",
        "resources":["arn:aws:s3:::amzn-s3-demo-bucket1"],
        "detail":{"version":"0","bucket":{"name":"amzn-s3-demo-bucket1"},
        "object":{"key":"example-key","size":5},"reason":"PutObject"}}"#;

    #[tokio::test]
    async fn an_event_delivered_twice_is_one_event() {
        let clock = ManualClock::default();
        let memory = Memory::new(clock.clone());
        let host = Host::new((), memory.clone(), clock);
        let mut ids = Vec::new();
        for _ in 0..2 {
            match take(&host, &source(CREATED), door(CREATED)).await.unwrap() {
                Receipt::Accepted { event_id } => ids.push(event_id),
                other @ Receipt::Dropped { .. } => panic!("{other:?}"),
            }
        }
        assert_eq!(ids[0], ids[1]);
        let sent = memory.receive(QueueName::Events, 10, 1_000).await.unwrap();
        let Ok(Body::Event { event }) = Envelope::parse(&sent[0].body) else { panic!("no event") };
        assert_eq!(
            (event.source, event.subject.as_str()),
            (Source::Event, "aws.s3/Object Created")
        );
        assert_eq!(event.data, Data::Text(CREATED.to_owned()), "byte for byte");
        assert_eq!(event.time, Timestamp::parse_rfc3339("2021-11-12T00:00:00Z").unwrap());
        assert_eq!(event.actor.as_deref(), Some("account:111122223333"));
    }

    #[test]
    fn what_is_no_event_is_dropped() {
        let long = format!("{}{}", " ".repeat(300_000), CREATED);
        for text in [
            "{}",
            "[]",
            "null",
            "7",
            r#"{"id":"1","source":"","detail-type":"x"}"#,
            r#"{"id":"","source":"a","detail-type":"x"}"#,
            r#"{"id":"1","source":"a","detail-type":7}"#,
            &long,
        ] {
            assert!(door(text).is_err(), "{}", text.trim());
        }
    }

    #[test]
    fn a_source_with_a_slash_is_its_own() {
        let text = r#"{"id":"1","source":"com.x/orders%2F","detail-type":"New / big"}"#;
        assert_eq!(door(text).unwrap().subject, "com.x%2Forders%252F/New / big");
    }
}
