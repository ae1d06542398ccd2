//! Batches of queue messages, each on its own: one that fails does not take the others with it.

use std::future::Future;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use sop_runtime::envelope::{Body, Envelope};
use sop_runtime::flow::FlowError;
use sop_runtime::metric;
use sop_runtime::port::QueueName;
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

/// Carries out each message of `batch` with `carry_out`, ten at a time.
///
/// Each runs as a task of its own, so that a panic is that message's failure only.
pub async fn each<F, T>(batch: Batch, carry_out: F) -> Answer
where
    F: Fn(String) -> T,
    T: Future<Output = Result<(), FlowError>> + Send + 'static,
{
    let failures = stream::iter(batch.records)
        .map(|Record { message_id, body }| {
            let task = carry_out(body.clone()).instrument(tracing::Span::current());
            let task = tokio::spawn(task);
            async move {
                let (retryable, error) = match task.await {
                    Ok(Ok(())) => return None,
                    Ok(Err(error)) => (error.is_retryable(), chain(&error)),
                    Err(error) => (false, chain(&error)),
                };
                report(&message_id, &body, retryable, &error);
                Some(Failure { item_identifier: message_id })
            }
        })
        .buffer_unordered(AT_ONCE_MAX)
        .filter_map(std::future::ready)
        .collect()
        .await;
    Answer { batch_item_failures: failures }
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

    use super::*;

    /// As an event source mapping sends it.
    const BATCH: &str = r#"{"Records": [
        {"messageId": "059f36b4-87a3-44ab-83d2-661975830a7d", "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
         "body": "fine", "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
         "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3", "eventSource": "aws:sqs",
         "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:sop-events", "awsRegion": "us-east-2"},
        {"messageId": "2e1424d4-f796-459a-8184-9c92662be6da", "body": "poison"},
        {"messageId": "3e1424d4", "body": "panic"},
        {"messageId": "4e1424d4", "body": "throttled"},
        {"messageId": "5e1424d4", "body": "fine"}]}"#;

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
        let answer = serde_json::to_value(each(batch(), carry_out).await).unwrap();
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
        let answer = serde_json::to_string(&each(batch, carry_out).await).unwrap();
        assert_eq!(answer, r#"{"batchItemFailures":[]}"#);
    }

    #[tokio::test]
    async fn no_more_run_at_once_than_are_allowed() {
        let record = Record { message_id: "1".into(), body: "fine".into() };
        let batch = Batch { records: vec![record; 4 * AT_ONCE_MAX] };
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let answer = each(batch, |_| {
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
