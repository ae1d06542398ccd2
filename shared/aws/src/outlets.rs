//! Ways out on AWS: SNS topics, and MQTT topics of IoT Core.

use aws_sdk_iotdataplane::primitives::Blob;
use aws_sdk_iotdataplane::types::PayloadFormatIndicator;
use aws_sdk_sns::types::MessageAttributeValue;
use aws_types::SdkConfig;
use sop_runtime::port::{MqttMessage, Outlets, PortError, SnsMessage};

use crate::error::failed;

/// Under this name a receiver finds the key of a message: the same for the same message, however often it comes.
const KEY: &str = "idempotency-key";

/// Quality of service of what the project itself has to say: IoT Core keeps it for a session that is away.
const AT_LEAST_ONCE: u8 = 1;

const MQTT: &str = "publish to an MQTT topic";
const SNS: &str = "publish to an SNS topic";

/// What [`Outlets::sns`] may head a message with.
/// Source: Amazon SNS API reference, `Publish`: at most 100 ASCII characters, no line break.
const SUBJECT_CHARS_MAX: usize = 100;

/// Publishes to SNS and to IoT Core, in the region and account of its configuration.
#[derive(Debug, Clone)]
pub struct AwsOutlets {
    sns: aws_sdk_sns::Client,
    iot: aws_sdk_iotdataplane::Client,
}

impl AwsOutlets {
    /// Nothing is sent. `iot_endpoint` is the account's data endpoint, such as
    /// `https://....-ats.iot.eu-central-1.amazonaws.com`; without one it is the region's. Where `config` names an
    /// endpoint, an emulator's, that is it.
    pub fn new(config: &SdkConfig, iot_endpoint: Option<&str>) -> Self {
        let mut iot = aws_sdk_iotdataplane::config::Builder::from(config);
        if config.endpoint_url().is_none() {
            iot.set_endpoint_url(iot_endpoint.map(url));
        }
        Self {
            sns: aws_sdk_sns::Client::new(config),
            iot: aws_sdk_iotdataplane::Client::from_conf(iot.build()),
        }
    }
}

/// AWS tells endpoints as host names.
fn url(endpoint: &str) -> String {
    if endpoint.contains("://") { endpoint.to_owned() } else { format!("https://{endpoint}") }
}

impl Outlets for AwsOutlets {
    async fn mqtt(&self, topic: &str, payload: &str) -> Result<(), PortError> {
        self.mqtt_message(MqttMessage { topic, payload, qos: AT_LEAST_ONCE, key: None }).await
    }

    async fn sns(&self, topic_arn: &str, subject: &str, message: &str) -> Result<(), PortError> {
        let subject: String = subject.chars().take(SUBJECT_CHARS_MAX).collect();
        let subject = Some(subject.as_str()).filter(|subject| !subject.is_empty());
        self.sns_message(SnsMessage { topic_arn, subject, message, key: None, group: None }).await
    }

    async fn mqtt_message(&self, message: MqttMessage<'_>) -> Result<(), PortError> {
        let MqttMessage { topic, payload, qos, key } = message;
        let properties = key.map(|key| serde_json::json!([{ KEY: key }]).to_string());
        let publish = self
            .iot
            .publish()
            .topic(topic)
            .qos(qos.into())
            .payload(Blob::new(payload))
            .payload_format_indicator(PayloadFormatIndicator::Utf8Data)
            .set_user_properties(properties);
        publish.send().await.map(drop).map_err(|error| failed(MQTT, error))
    }

    async fn sns_message(&self, message: SnsMessage<'_>) -> Result<(), PortError> {
        let SnsMessage { topic_arn, subject, message, key, group } = message;
        let mut publish = self
            .sns
            .publish()
            .topic_arn(topic_arn)
            .message(message)
            .set_subject(subject.map(str::to_owned));
        if let Some(key) = key {
            let value = MessageAttributeValue::builder().data_type("String").string_value(key);
            let value = value.build().map_err(|error| PortError::permanent(SNS, error))?;
            publish = publish.message_attributes(KEY, value);
        }
        if topic_arn.ends_with(".fifo") {
            // A word of the project's own has no key: its topic has to tell messages apart by their content.
            publish = publish
                .set_message_deduplication_id(key.map(str::to_owned))
                .message_group_id(group.unwrap_or("sopwith"));
        }
        publish.send().await.map(drop).map_err(|error| failed(SNS, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_may_be_a_host_name() {
        assert_eq!(url("a.iot.eu-west-1.amazonaws.com"), "https://a.iot.eu-west-1.amazonaws.com");
        assert_eq!(url("http://127.0.0.1:4566"), "http://127.0.0.1:4566");
    }
}
