//! The queues on SQS standard queues.
//!
//! No message group is set: the port does not say whose a message is, and one group for all would be no
//! fairer than none.

mod consumer;
mod dead;

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
    SendMessageBatchRequestEntry,
};
use aws_types::SdkConfig;
use sop_core::limits::DELAY_SECS_MAX;
use sop_runtime::port::{Message, PortError, Queue, QueueName};

use crate::count::Meter;
use crate::error::failed;

/// Messages that one `SendMessageBatch` takes.
/// Source: Amazon SQS developer guide, message quotas.
const BATCH_ENTRIES_MAX: usize = 10;

/// Bytes of one message, and of all messages of one batch.
/// Source: Amazon SQS developer guide, message quotas (1 MiB).
const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Rounds in which a batch sends what was not taken.
const ROUNDS_MAX: usize = 6;

/// Seconds that a receive may wait: below the time-out of one attempt.
const WAIT_SECS_MAX: u8 = 2;

const SEND: &str = "send to a queue";

/// Where the queues are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueUrls {
    /// Events and inputs.
    pub events: String,
    /// Effects.
    pub effects: String,
    /// Dead letters of `events`; only needed to read them.
    pub events_dead: Option<String>,
    /// Dead letters of `effects`; only needed to read them.
    pub effects_dead: Option<String>,
    /// What never became an event; only needed to read it.
    pub arrivals_dead: Option<String>,
}

/// The queues. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    urls: QueueUrls,
    wait_secs: i32,
}

impl SqsQueue {
    /// The queues at `urls`. Nothing is sent.
    pub fn new(config: &SdkConfig, urls: QueueUrls) -> Self {
        Self { client: Client::new(config), urls, wait_secs: 0 }
    }

    /// The queues at `urls`, with every request counted by `meter`.
    pub fn metered(config: &SdkConfig, urls: QueueUrls, meter: &Meter) -> Self {
        let config = Builder::from(config).interceptor(meter.clone()).build();
        Self { client: Client::from_conf(config), urls, wait_secs: 0 }
    }

    /// The queues, where a receive waits up to `secs` seconds (0 to 2) for a message.
    ///
    /// Without a wait SQS asks only some of its servers, and may find nothing where there is something.
    /// Source: Amazon SQS developer guide, short and long polling.
    #[must_use]
    pub fn waiting(self, secs: u8) -> Self {
        Self { wait_secs: secs.min(WAIT_SECS_MAX).into(), ..self }
    }

    fn url(&self, queue: QueueName) -> &str {
        match queue {
            QueueName::Events => &self.urls.events,
            QueueName::Effects => &self.urls.effects,
        }
    }

    async fn send_batch(&self, url: &str, bodies: Vec<(String, u32)>) -> Result<(), PortError> {
        let mut rest = entries(bodies)?;
        for round in 0..ROUNDS_MAX {
            crate::pause::backoff(round).await;
            let output = self
                .client
                .send_message_batch()
                .queue_url(url)
                .set_entries(Some(rest.clone()))
                .send()
                .await
                .map_err(|error| failed(SEND, error))?;
            let refused = output.failed();
            if let Some(fault) = refused.iter().find(|entry| entry.sender_fault()) {
                return Err(PortError::permanent(SEND, said(fault)));
            }
            rest.retain(|entry| refused.iter().any(|refused| refused.id() == entry.id()));
            if rest.is_empty() {
                return Ok(());
            }
        }
        Err(PortError::retryable(SEND, "the queue did not take every message"))
    }
}

impl Queue for SqsQueue {
    async fn send(&self, queue: QueueName, messages: &[Message]) -> Result<(), PortError> {
        let url = self.url(queue);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for message in messages {
            let body = sendable(&message.body);
            if body.len() > BATCH_BYTES_MAX {
                return Err(PortError::permanent(SEND, "a message is at most 1 MiB"));
            }
            if batch.len() == BATCH_ENTRIES_MAX || bytes + body.len() > BATCH_BYTES_MAX {
                self.send_batch(url, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
            bytes += body.len();
            batch.push((body, message.delay_secs.min(DELAY_SECS_MAX)));
        }
        if batch.is_empty() { Ok(()) } else { self.send_batch(url, batch).await }
    }
}

fn entries(bodies: Vec<(String, u32)>) -> Result<Vec<SendMessageBatchRequestEntry>, PortError> {
    let trace = trace_header()?;
    let entry = |(i, (body, delay_secs)): (usize, (String, u32))| {
        SendMessageBatchRequestEntry::builder()
            .id(i.to_string())
            .message_body(body)
            .set_delay_seconds(i32::try_from(delay_secs).ok().filter(|secs| *secs > 0))
            .set_message_system_attributes(trace.clone())
            .build()
            .map_err(|error| PortError::permanent(SEND, error))
    };
    bodies.into_iter().enumerate().map(entry).collect()
}

/// What makes X-Ray show the function that takes a message as called by this one: the invocation's own trace.
/// It adds nothing to what a message costs.
/// Source: AWS X-Ray developer guide, Amazon SQS and AWS X-Ray.
fn trace_header() -> Result<
    Option<HashMap<MessageSystemAttributeNameForSends, MessageSystemAttributeValue>>,
    PortError,
> {
    let Ok(trace) = std::env::var("_X_AMZN_TRACE_ID") else { return Ok(None) };
    let value =
        MessageSystemAttributeValue::builder().data_type("String").string_value(trace).build();
    let value = value.map_err(|error| PortError::permanent(SEND, error))?;
    Ok(Some(HashMap::from([(MessageSystemAttributeNameForSends::AwsTraceHeader, value)])))
}

/// `body`, a JSON text, without the two characters that SQS refuses and JSON allows in strings.
/// Source: Amazon SQS API reference, `SendMessage`: #x9, #xA, #xD, #x20 to #xD7FF, #xE000 to #xFFFD, above.
fn sendable(body: &str) -> String {
    if !body.contains(['\u{fffe}', '\u{ffff}']) {
        return body.to_owned();
    }
    body.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
}

/// What SQS said about one entry of a batch.
fn said(entry: &BatchResultErrorEntry) -> String {
    format!("{}: {}", entry.code(), entry.message().unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_sqs_refuses_become_escapes_of_the_same_json() {
        let text = "a\u{fffe}b\u{ffff}c";
        let json = serde_json::to_string(text).unwrap();
        let sent = sendable(&json);
        assert!(!sent.contains(['\u{fffe}', '\u{ffff}']));
        assert_eq!(serde_json::from_str::<String>(&sent).unwrap(), text);
    }
}
