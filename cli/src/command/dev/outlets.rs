//! What steps and gates publish on one machine: to our own MQTT server's subscribers, and, as on AWS, to the SOPs
//! that listen to the topic.

use std::sync::Arc;

use sop_local::mqtt::{Published, Publisher, Refused};
use sop_runtime::port::{Outlets, PortError};

use super::Local;
use super::doors::arrived;

const PUBLISH: &str = "publish to an MQTT topic";

/// Under this name it is an event's actor.
const CLIENT_ID: &str = "sop";

/// The ways out of one machine.
#[derive(Debug)]
pub(super) struct LocalOutlets {
    host: Arc<Local>,
    publisher: Publisher,
}

impl LocalOutlets {
    pub(super) fn new(host: Arc<Local>, publisher: Publisher) -> Self {
        Self { host, publisher }
    }
}

impl Outlets for LocalOutlets {
    async fn mqtt(&self, topic: &str, payload: &str) -> Result<(), PortError> {
        self.publisher.mqtt(topic, payload).await?;
        let published = Published {
            client_id: CLIENT_ID.to_owned(),
            topic: topic.to_owned(),
            payload: payload.as_bytes().to_vec(),
            qos: 1,
            retain: false,
            packet_id: None,
            dup: false,
        };
        arrived(&self.host, published).await.map_err(|refused| match refused {
            Refused::TryAgain => PortError::retryable(PUBLISH, refused),
            Refused::TooLarge
            | Refused::NotAuthorised
            | Refused::TopicNotTaken
            | Refused::PayloadInvalid => PortError::permanent(PUBLISH, refused),
        })
    }

    async fn sns(&self, topic_arn: &str, subject: &str, message: &str) -> Result<(), PortError> {
        self.publisher.sns(topic_arn, subject, message).await
    }
}
