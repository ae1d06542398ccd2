//! Batches of queue messages, each on its own: one that fails does not take the others with it.

use std::future::Future;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use sop_runtime::envelope::{Body, Envelope};
use sop_runtime::flow::{self, FlowError, Host};
use sop_runtime::metric;
use sop_runtime::port::{Clock, Failures, QueueName};
use tracing::Instrument;

use crate::log::chain;

/// Messages carried out at once: a whole batch of the usual size.
/// Source: Amazon SQS developer guide, event source mappings (10 messages by default).
const AT_ONCE_MAX: usize = 10;

/// What SQS calls a function with; fields that nobody reads are left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Batch {
    /// The messages.
    #[serde(rename = "Records")]
    pub records: Vec<Record>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// SQS's own id, which a failure is reported with.
    pub message_id: String,
    /// An envelope.
    pub body: String,
    /// What SQS knows of it.
    #[serde(default)]
    pub attributes: Attributes,
}

/// What SQS knows of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Attributes {
    /// How often it was received, this time included, in decimal.
    pub approximate_receive_count: Option<String>,
}

impl Record {
    fn attempt(&self) -> u32 {
        let count = self.attributes.approximate_receive_count.as_deref();
        count.and_then(|count| count.parse().ok()).unwrap_or(1)
    }
}

/// What SQS is answered: it delivers these messages again and deletes the others.
///
/// Source: AWS Lambda developer guide, partial batch responses for SQS.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The failures.
    pub batch_item_failures: Vec<Failure>,
}

/// One message that is to be delivered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Its id.
    pub item_identifier: String,
}

/// Carries out each message of `batch` with `carry_out`, ten at a time; why one failed for good is noted
/// in `host`'s store.
///
/// Each runs as a task of its own, so that a panic is that message's failure only.
pub async fn each<S, Q, C, F, T>(host: &Host<S, Q, C>, batch: Batch, carry_out: F) -> Answer
where
    S: Failures,
    C: Clock,
    F: Fn(String) -> T,
    T: Future<Output = Result<(), FlowError>> + Send + 'static,
{
    let failures = stream::iter(batch.records)
        .map(|record| {
            let attempt = record.attempt();
            let Record { message_id, body, .. } = record;
            let task = carry_out(body.clone()).instrument(tracing::Span::current());
            let task = tokio::spawn(task);
            async move {
                let (retryable, error) = match task.await {
                    Ok(Ok(())) => return None,
                    Ok(Err(error)) => (error.is_retryable(), chain(&error)),
                    Err(error) => (false, chain(&error)),
                };
                report(&message_id, &body, retryable, &error);
                note(host, &body, attempt, &error).await;
                Some(Failure { item_identifier: message_id })
            }
        })
        .buffer_unordered(AT_ONCE_MAX)
        .filter_map(std::future::ready)
        .collect()
        .await;
    Answer { batch_item_failures: failures }
}

/// Nobody depends on the note: that it could not be kept is only logged.
async fn note<S: Failures, Q, C: Clock>(
    host: &Host<S, Q, C>,
    body: &str,
    attempt: u32,
    error: &str,
) {
    if let Err(error) = flow::note_failure(&host.store, body, attempt, error, host.now()).await {
        tracing::error!(error = chain(&error), "a failure could not be noted");
    }
}

fn report(message: &str, body: &str, retryable: bool, error: &str) {
    let (mut run, mut event, mut trace) = (None, None, None);
    let mut queue = QueueName::Events;
    match Envelope::parse(body) {
        Ok(Body::Event { event: arrived }) => {
            event = Some(arrived.id);
            trace = arrived.trace;
        }
        Ok(Body::Input { run: moved, .. } | Body::Wake { run: moved, .. }) => run = Some(moved),
        Ok(Body::Effect { effect }) => {
            queue = QueueName::Effects;
            if let sop_core::engine::Effect::Perform { key, trace: of, .. } = effect {
                run = Some(key.run);
                trace = of;
            }
        }
        Err(_) => {}
    }
    metric::message_failed(queue);
    let run = run.as_ref().map(tracing::field::display);
    let event = event.as_ref().map(tracing::field::display);
    let trace = trace.as_deref();
    if retryable {
        tracing::warn!(message, run.id = run, event.id = event, trace, error, "message failed");
    } else {
        tracing::error!(message, run.id = run, event.id = event, trace, error, "message is poison");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use sop_runtime::port::PortError;
    use sop_testkit::{ManualClock, Memory};

    use super::*;

    /// As an event source mapping sends it.
    const BATCH: &str = r#"{"Records": [
        {"messageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
         "body": "fine", "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
         "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
         "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:sop-events", "awsRegion": "us-east-2"},
        {"messageId": "2e1424d4-f796-459a-8184-9c92662be6da", "body": "poison",
         "attributes": {"ApproximateReceiveCount": "5"}},
        {"messageId": "3e1424d4", "body": "panic"},
        {"messageId": "4e1424d4", "body": "throttled"},
        {"messageId": "5e1424d4", "body": "fine"}]}"#;

    fn host() -> Host<Memory, Memory, ManualClock> {
        let clock = ManualClock::default();
        let memory = Memory::new(clock.clone());
        Host::new(memory.clone(), memory, clock)
    }

    /// Only what is about to be given up costs a note.
    #[tokio::test]
    async fn the_reason_of_what_dies_is_kept() {
        let host = host();
        each(&host, batch(), carry_out).await;
        let note =
            async |body: &str| host.store.failure(&sop_runtime::port::dead_id(body)).await.unwrap();
        let poison = note("poison").await.unwrap();
        assert_eq!((poison.attempt, poison.at), (5, host.now()));
        assert_eq!(poison.error, FlowError::WrongQueue.to_string());
        for other in ["fine", "throttled", "panic"] {
            assert_eq!(note(other).await, None, "{other}");
        }
    }

    fn batch() -> Batch {
        serde_json::from_str(BATCH).unwrap()
    }

    async fn carry_out(body: String) -> Result<(), FlowError> {
        match body.as_str() {
            "fine" => Ok(()),
            "poison" => Err(FlowError::WrongQueue),
            "throttled" => Err(PortError::retryable("append", "throttled").into()),
            other => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn only_what_failed_is_delivered_again() {
        let answer = serde_json::to_value(each(&host(), batch(), carry_out).await).unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap();
        let mut ids: Vec<&str> =
            failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["2e1424d4-f796-459a-8184-9c92662be6da", "3e1424d4", "4e1424d4"]);
    }

    #[tokio::test]
    async fn an_answer_without_failures_has_an_empty_list() {
        let mut batch = batch();
        batch.records.truncate(1);
        let answer = serde_json::to_string(&each(&host(), batch, carry_out).await).unwrap();
        assert_eq!(answer, r#"{"batchItemFailures":[]}"#);
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_are_allowed() {
        let record = Record {
            message_id: "1".into(),
            body: "fine".into(),
            attributes: Attributes::default(),
        };
        let batch = Batch { records: vec![record; 4 * AT_ONCE_MAX] };
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let answer = each(&host(), batch, |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        })
        .await;
        assert_eq!(answer, Answer::default());
        assert!((2..=AT_ONCE_MAX).contains(&most.load(Ordering::SeqCst)));
    }
}
