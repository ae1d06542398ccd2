//! Ways out other than HTTP: what a host can tell the world through.

use std::future::Future;

use crate::port::PortError;

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
