//! Ways out other than HTTP: what a host can tell the world through.

use std::future::Future;

use crate::port::PortError;

/// A message for whoever subscribes to an MQTT topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MqttMessage<'a> {
    /// Where: a topic name, without wildcards.
    pub topic: &'a str,
    /// What.
    pub payload: &'a str,
    /// 0 or 1.
    pub qos: u8,
    /// The same for the same message, however often it is sent, where the outlet can hand it on.
    pub key: Option<&'a str>,
}

/// A message for whoever subscribes to an SNS topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnsMessage<'a> {
    /// Where.
    pub topic_arn: &'a str,
    /// Heads it where it goes on as e-mail.
    pub subject: Option<&'a str>,
    /// What.
    pub message: &'a str,
    /// The same for the same message, however often it is sent; a FIFO topic passes it on once.
    pub key: Option<&'a str>,
    /// Messages of one group keep their order in a FIFO topic.
    pub group: Option<&'a str>,
}

/// Publishes texts. At least once: after `Err` it may have been published.
pub trait Outlets: Send + Sync {
    /// Publishes `payload` to an MQTT topic, for whoever is subscribed.
    fn mqtt(
        &self,
        topic: &str,
        payload: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Publishes `message` to an SNS topic; `subject` heads it where it goes on as e-mail.
    fn sns(
        &self,
        topic_arn: &str,
        subject: &str,
        message: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Publishes what a step has to say. An outlet that knows neither qualities of service nor keys publishes it
    /// as [`Self::mqtt`] does.
    fn mqtt_message(
        &self,
        message: MqttMessage<'_>,
    ) -> impl Future<Output = Result<(), PortError>> + Send {
        self.mqtt(message.topic, message.payload)
    }

    /// Publishes what a step has to say. An outlet that knows no keys publishes it as [`Self::sns`] does.
    fn sns_message(
        &self,
        message: SnsMessage<'_>,
    ) -> impl Future<Output = Result<(), PortError>> + Send {
        self.sns(message.topic_arn, message.subject.unwrap_or_default(), message.message)
    }
}

/// One set of ways out for many.
impl<O: Outlets> Outlets for std::sync::Arc<O> {
    async fn mqtt(&self, topic: &str, payload: &str) -> Result<(), PortError> {
        (**self).mqtt(topic, payload).await
    }

    async fn sns(&self, topic_arn: &str, subject: &str, message: &str) -> Result<(), PortError> {
        (**self).sns(topic_arn, subject, message).await
    }

    async fn mqtt_message(&self, message: MqttMessage<'_>) -> Result<(), PortError> {
        (**self).mqtt_message(message).await
    }

    async fn sns_message(&self, message: SnsMessage<'_>) -> Result<(), PortError> {
        (**self).sns_message(message).await
    }
}

/// A host that has none.
impl Outlets for () {
    async fn mqtt(&self, _topic: &str, _payload: &str) -> Result<(), PortError> {
        Err(PortError::permanent("publish to an MQTT topic", "this host has no MQTT broker"))
    }

    async fn sns(&self, _topic: &str, _subject: &str, _message: &str) -> Result<(), PortError> {
        Err(PortError::permanent("publish to an SNS topic", "this host cannot reach SNS"))
    }
}
