use serde_json::json;
use sop_capability::BuiltIns;
use sop_core::definition::SourceFiles;
use sop_core::engine::{Input, Verdict};
use sop_core::event::{Data, Source};
use sop_runtime::envelope::{Body, Envelope};
use sop_runtime::flow::{Call, Door, Notice};
use sop_runtime::port::{Consumer, QueueName};
use sop_testkit::{ManualClock, Memory};

use super::*;

const TOML: &str = r#"
[sop]
name = "check"
description = "Checks what came."
execution_mode = "auto"

[[triggers]]
type = "mqtt"
topic = "plant/#"
"#;

const MARKDOWN: &str = "# Check\n\n## Steps\n\n1. **Check** — What came.\n   - kind: capability\n   - capability: json.validate\n   - with: {\"schema\": {\"required\": [\"t\"]}}\n";

type World = Arc<Host<Memory, Memory, ManualClock>>;

/// A world whose effects queue has one message, and that message.
async fn world(payload: &str) -> (World, String) {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    let host = Host::new(memory.clone(), memory, clock);
    let files = SourceFiles {
        directory: "sops/check".into(),
        toml: TOML.into(),
        markdown: Some(MARKDOWN.into()),
    };
    let published =
        flow::publish(&host, [files][..].into(), flow::Push::Publish, "test").await.unwrap();
    assert!(matches!(published, flow::Published::Active { .. }), "{published:?}");
    let door = Door {
        source: Source::Mqtt,
        subject: "plant/7".into(),
        data: Data::Text(payload.into()),
        transport_id: None,
        time: None,
        actor: None,
    };
    flow::accept(&host, door).await.unwrap();
    let sent = host.queue.receive(QueueName::Events, 1, 600_000).await.unwrap();
    flow::dispatch(&host, &sent[0].body).await.unwrap();
    host.queue.acknowledge(QueueName::Events, &[sent[0].receipt.clone()]).await.unwrap();
    let mut effects = host.queue.receive(QueueName::Effects, 10, 600_000).await.unwrap();
    assert_eq!(effects.len(), 1);
    (Arc::new(host), effects.remove(0).body)
}

/// As an event source mapping sends it.
fn batch(bodies: &[(&str, &str)]) -> Batch {
    let records: Vec<_> = bodies
        .iter()
        .map(|(id, body)| json!({ "messageId": id, "body": body, "eventSource": "aws:sqs" }))
        .collect();
    serde_json::from_value(json!({ "Records": records })).unwrap()
}

/// The verdicts that were sent back.
async fn verdicts(host: &World) -> Vec<Verdict> {
    let sent = host.queue.receive(QueueName::Events, 10, 600_000).await.unwrap();
    sent.iter()
        .filter_map(|delivery| match Envelope::parse(&delivery.body).unwrap() {
            Body::Input { input: Input::Outcome { verdict, .. }, .. } => Some(verdict),
            Body::Input { .. } | Body::Event { .. } | Body::Wake { .. } | Body::Effect { .. } => {
                None
            }
        })
        .collect()
}

#[tokio::test]
async fn an_effect_is_carried_out_and_its_outcome_sent_back() {
    for (payload, done) in [("{\"t\":89}", true), ("{\"x\":1}", false)] {
        let (host, effect) = world(payload).await;
        let built_ins = Arc::new(BuiltIns::new(ManualClock::default()));
        let doers = (&built_ins, &Arc::new(()));
        let answer = execute(&host, doers, batch(&[("m-1", "not json"), ("m-2", &effect)])).await;
        let failed: Vec<_> =
            answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        assert_eq!(failed, ["m-1"]);
        let verdicts = verdicts(&host).await;
        assert_eq!(verdicts.len(), 1);
        assert_eq!(matches!(verdicts[0], Verdict::Completed { .. }), done, "{payload}");
    }
}

/// A built-in that is broken.
struct Broken;

impl Perform for Broken {
    async fn perform(&self, call: &Call) -> Result<serde_json::Value, String> {
        panic!("{} is broken", call.capability);
    }

    async fn notify(&self, notice: &Notice) -> Result<(), String> {
        panic!("{} is broken", notice.id);
    }
}

#[tokio::test]
async fn a_built_in_that_panics_fails_its_message_only() {
    let (host, effect) = world("{}").await;
    let late = effect.replacen("\"attempt\":1", "\"attempt\":9", 1);
    assert_ne!(late, effect);
    let doers = (&Arc::new(Broken), &Arc::new(()));
    let answer = execute(&host, doers, batch(&[("m-1", &effect), ("m-2", &late)])).await;
    assert_eq!(answer.batch_item_failures.len(), 1);
    assert_eq!(answer.batch_item_failures[0].item_identifier, "m-1");
    assert!(verdicts(&host).await.is_empty());
}
