use serde_json::json;
use sop_core::definition::SourceFiles;
use sop_core::event::{Data, Source};
use sop_runtime::flow::Door;
use sop_runtime::port::{Consumer, QueueName};
use sop_testkit::{ManualClock, Memory};

use super::*;

const TOML: &str = r#"
[sop]
name = "overheat"
description = "Cools down."

[[triggers]]
type = "mqtt"
topic = "plant/+/temperature"
"#;

const MARKDOWN: &str = "# Overheat\n\n## Steps\n\n1. **Look** — At the gauge.\n";

type World = Arc<Host<Memory, Memory, ManualClock>>;

async fn world() -> World {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    let host = Host::new(memory.clone(), memory, clock);
    let files = SourceFiles {
        directory: "sops/overheat".into(),
        toml: TOML.into(),
        markdown: Some(MARKDOWN.into()),
    };
    flow::publish(&host, [files][..].into(), flow::Push::Publish, "test").await.unwrap();
    Arc::new(host)
}

async fn event(host: &World, topic: &str) -> String {
    let door = Door {
        source: Source::Mqtt,
        subject: topic.into(),
        data: Data::Text("{\"t\":89}".into()),
        transport_id: Some("7f1c9a52".into()),
        time: None,
        actor: None,
    };
    flow::accept(host, door).await.unwrap();
    let mut sent = host.queue.receive(QueueName::Events, 1, 600_000).await.unwrap();
    sent.remove(0).body
}

/// As an event source mapping sends it.
fn batch(bodies: &[(&str, &str)]) -> Batch {
    let records: Vec<_> = bodies
        .iter()
        .map(|(id, body)| {
            json!({
                "messageId": id,
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body,
                "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183" },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:sop-events",
                "awsRegion": "eu-west-1",
            })
        })
        .collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

fn failed(answer: &Answer) -> Vec<&str> {
    answer.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect()
}

#[tokio::test]
async fn a_poison_message_fails_alone() {
    let host = world().await;
    let event = event(&host, "plant/7/temperature").await;
    let newer = r#"{"v":999,"body":{"kind":"event"}}"#;
    let answer =
        dispatch(&host, batch(&[("m-1", "not json"), ("m-2", &event), ("m-3", newer)])).await;
    let mut failed = failed(&answer);
    failed.sort_unstable();
    assert_eq!(failed, ["m-1", "m-3"]);
    let page = flow::list_runs(&host, None, 10).await.unwrap();
    assert_eq!(page.heads.len(), 1);
}

#[tokio::test]
async fn one_event_twice_in_a_batch_is_one_run() {
    let host = world().await;
    let event = event(&host, "plant/7/temperature").await;
    let twice = batch(&[("m-1", &event), ("m-2", &event)]);
    assert_eq!(failed(&dispatch(&host, twice.clone()).await), Vec::<&str>::new());
    assert_eq!(failed(&dispatch(&host, twice).await), Vec::<&str>::new());
    assert_eq!(flow::list_runs(&host, None, 10).await.unwrap().heads.len(), 1);
}

#[tokio::test]
async fn an_event_that_matches_nothing_is_done_with() {
    let host = world().await;
    let event = event(&host, "other/topic").await;
    assert_eq!(failed(&dispatch(&host, batch(&[("m-1", &event)])).await), Vec::<&str>::new());
    assert_eq!(flow::list_runs(&host, None, 10).await.unwrap().heads.len(), 0);
}
