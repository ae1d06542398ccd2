//! SNS and IoT Core, as an emulator offers them.

use std::time::{Duration, Instant};

use sop_aws::{AwsOutlets, QueueUrls, SqsQueue};
use sop_runtime::port::{Consumer, MqttMessage, Outlets, QueueName, SnsMessage};
use sop_testkit::ids::fresh;

use crate::world;

/// The next message that `queue` gets.
async fn next(queue: &SqsQueue) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let received = queue.receive(QueueName::Events, 1, 30_000).await.unwrap();
        if let Some(one) = received.into_iter().next() {
            return one.body;
        }
        assert!(Instant::now() < deadline, "nothing came");
    }
}

/// A message to an SNS topic reaches a queue that subscribes, with its subject and its key.
#[tokio::test]
async fn sns_reaches_who_subscribes() {
    let config = world::config();
    let sns = aws_sdk_sns::Client::new(&config);
    let topic = sns.create_topic().name(fresh("it")).send().await.unwrap();
    let arn = topic.topic_arn().unwrap();
    let urls: QueueUrls = world::queues(&config).await;
    let sqs = aws_sdk_sqs::Client::new(&config);
    let named = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let attributes =
        sqs.get_queue_attributes().queue_url(&urls.events).attribute_names(named.clone());
    let attributes = attributes.send().await.unwrap();
    let queue_arn = &attributes.attributes().unwrap()[&named];
    let subscribe = sns.subscribe().topic_arn(arn).protocol("sqs").endpoint(queue_arn);
    subscribe.send().await.unwrap();

    let outlets = AwsOutlets::new(&config, None);
    let queue = SqsQueue::new(&config, urls);
    let message = SnsMessage {
        topic_arn: arn,
        subject: Some("Disk full"),
        message: "{\"disk\":\"ü\"}",
        key: Some("run-1-1"),
        group: Some("run"),
    };
    outlets.sns_message(message).await.unwrap();
    let got: serde_json::Value = serde_json::from_str(&next(&queue).await).unwrap();
    assert_eq!(got["Message"], "{\"disk\":\"ü\"}", "{got}");
    assert_eq!(got["Subject"], "Disk full", "{got}");
    assert_eq!(got["MessageAttributes"]["idempotency-key"]["Value"], "run-1-1", "{got}");

    outlets.sns(arn, &"s".repeat(300), "word").await.unwrap();
    let got: serde_json::Value = serde_json::from_str(&next(&queue).await).unwrap();
    assert_eq!((&got["Message"], &got["Subject"]), (&"word".into(), &"s".repeat(100).into()));
}

/// What is not there is an error that trying again does not mend.
#[tokio::test]
async fn a_topic_that_is_not_there_is_an_error() {
    let outlets = AwsOutlets::new(&world::config(), None);
    let arn = "arn:aws:sns:us-east-1:000000000000:nobody-made-it";
    let error = outlets.sns(arn, "s", "m").await.unwrap_err();
    assert!(!error.retryable, "{error:?}");
    assert_eq!(error.to_string(), "could not publish to an SNS topic");
}

/// An MQTT message is taken at both qualities of service, through the emulator's endpoint whatever IoT
/// endpoint is named.
#[tokio::test]
async fn mqtt_messages_are_taken() {
    for endpoint in [None, Some("nobody.iot.us-east-1.amazonaws.com")] {
        let outlets = AwsOutlets::new(&world::config(), endpoint);
        for qos in [0, 1] {
            let (topic, payload) = ("plant/1/alarm", "{\"on\":true}");
            let message = MqttMessage { topic, payload, qos, key: Some("run-1-1") };
            outlets.mqtt_message(message).await.unwrap();
        }
        outlets.mqtt("plant/1/alarm", "").await.unwrap();
    }
}
