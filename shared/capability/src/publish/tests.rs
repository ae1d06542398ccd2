use std::sync::Mutex;

use serde_json::{Value, json};
use sop_runtime::flow::Perform;
use sop_runtime::port::{MqttMessage, Outlets, PortError, SnsMessage};
use sop_testkit::ManualClock;

use crate::BuiltIns;
use crate::testing::call;

/// Keeps what it was told; fails as long as it is to.
#[derive(Default)]
struct Told {
    sent: Mutex<Vec<String>>,
    failures: Mutex<u32>,
}

impl Told {
    fn take(&self, line: String) -> Result<(), PortError> {
        self.sent.lock().unwrap().push(line);
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(PortError::retryable("publish", "the broker is away"));
        }
        Ok(())
    }
}

impl Outlets for Told {
    async fn mqtt(&self, _topic: &str, _payload: &str) -> Result<(), PortError> {
        unreachable!("a step's message has a key")
    }

    async fn sns(&self, _arn: &str, _subject: &str, _message: &str) -> Result<(), PortError> {
        unreachable!("a step's message has a key")
    }

    async fn mqtt_message(&self, it: MqttMessage<'_>) -> Result<(), PortError> {
        let MqttMessage { topic, payload, qos, key } = it;
        self.take(format!("{topic} {payload} {qos} {}", key.unwrap()))
    }

    async fn sns_message(&self, it: SnsMessage<'_>) -> Result<(), PortError> {
        let SnsMessage { topic_arn, subject, message, key, group } = it;
        assert!(key.unwrap().starts_with(group.unwrap()), "{key:?} {group:?}");
        self.take(format!("{topic_arn} {subject:?} {message} {}", key.unwrap()))
    }
}

const ARN: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";

fn built_ins(failures: u32) -> BuiltIns<ManualClock, (), Told> {
    let told = Told { sent: Mutex::default(), failures: Mutex::new(failures) };
    BuiltIns::new(ManualClock::default()).with_outlets(told)
}

/// B10: texts go as they are, other JSON as its text, under the key of the try.
#[tokio::test]
async fn a_message_goes_out_with_its_key() {
    let key = call("noop", Value::Null, Value::Null).key;
    let long = "line\none ".repeat(40);
    let cut = format!("{:.100}", long.replace('\n', " "));
    for (capability, with, sent, output) in [
        (
            "mqtt.publish",
            json!({"topic": "plant/1", "payload": "on"}),
            format!("plant/1 on 1 {key}"),
            json!({"topic": "plant/1", "bytes": 2}),
        ),
        (
            "mqtt.publish",
            json!({"topic": "plant/1", "payload": {"on": true}, "qos": 0}),
            format!("plant/1 {{\"on\":true}} 0 {key}"),
            json!({"topic": "plant/1", "bytes": 11}),
        ),
        (
            "sns.publish",
            json!({"topic_arn": ARN, "message": [1, "ü"]}),
            format!("{ARN} None [1,\"ü\"] {key}"),
            json!({"topic_arn": ARN, "bytes": 8}),
        ),
        (
            "sns.publish",
            json!({"topic_arn": ARN, "message": "m", "subject": long}),
            format!("{ARN} {:?} m {key}", Some(cut)),
            json!({"topic_arn": ARN, "bytes": 1}),
        ),
    ] {
        let built_ins = built_ins(0);
        let call = call(capability, with, Value::Null);
        assert_eq!(built_ins.perform(&call).await, Ok(output));
        // Twice: the same message under the same key, for the receiver to know again.
        built_ins.perform(&call).await.unwrap();
        assert_eq!(*built_ins.outlets.sent.lock().unwrap(), [sent.clone(), sent]);
    }
}

/// B11: what cannot be sent is the step's failure, and is sent by the next try.
#[tokio::test]
async fn what_cannot_be_sent_fails_the_try() {
    for (capability, with) in [
        ("mqtt.publish", json!({"topic": "a", "payload": 1})),
        ("sns.publish", json!({"topic_arn": ARN, "message": "m"})),
    ] {
        let built_ins = built_ins(1);
        let call = call(capability, with, Value::Null);
        let failed = built_ins.perform(&call).await.unwrap_err();
        assert_eq!(failed, "could not publish: the broker is away");
        built_ins.perform(&call).await.unwrap();
        assert_eq!(built_ins.outlets.sent.lock().unwrap().len(), 2);
    }
}

/// B12: a template makes no topic that the author could not have written, and nothing too large is sent.
#[tokio::test]
async fn what_templates_have_made_is_checked_again() {
    let large = "x".repeat(256 * 1024 + 1);
    for (capability, with, reason) in [
        ("mqtt.publish", json!({"topic": "a/#", "payload": 1}), "no topic to publish to"),
        ("mqtt.publish", json!({"topic": "", "payload": 1}), "no topic to publish to"),
        (
            "mqtt.publish",
            json!({"topic": "$aws/things/x/shadow/update", "payload": 1}),
            "broker's own",
        ),
        ("mqtt.publish", json!({"topic": null, "payload": 1}), "`topic` is not a text"),
        ("mqtt.publish", json!({"topic": "a", "payload": 1, "qos": "1"}), "0 or 1"),
        ("mqtt.publish", json!({"topic": "a", "payload": large}), "at most 131072"),
        ("sns.publish", json!({"topic_arn": "a", "message": "m"}), "not the ARN"),
        ("sns.publish", json!({"topic_arn": ARN, "message": ""}), "empty"),
        ("sns.publish", json!({"topic_arn": ARN, "message": large}), "at most 262144"),
        ("sns.publish", json!({"topic_arn": ARN, "message": "m", "subject": 1}), "not a text"),
    ] {
        let built_ins = built_ins(0);
        let failed = built_ins.perform(&call(capability, with, Value::Null)).await.unwrap_err();
        assert!(failed.contains(reason), "{failed}");
        assert!(built_ins.outlets.sent.lock().unwrap().is_empty(), "{reason}");
    }
}

/// B13: a host that has no way out says so.
#[tokio::test]
async fn a_host_without_the_way_out_says_so() {
    let built_ins = BuiltIns::new(ManualClock::default());
    let sns = call("sns.publish", json!({"topic_arn": ARN, "message": "m"}), Value::Null);
    let failed = built_ins.perform(&sns).await.unwrap_err();
    assert_eq!(failed, "could not publish to an SNS topic: this host cannot reach SNS");
}
