//! The receiving side, for tests and tools: on AWS the service itself calls the functions.

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sop_runtime::port::{Consumer, Delivery, PortError, QueueName};

use super::{BATCH_ENTRIES_MAX, SqsQueue};
use crate::error::failed;

const RECEIVE: &str = "receive from a queue";
const ACKNOWLEDGE: &str = "acknowledge messages";
const RELEASE: &str = "release a message";

/// How the codes end that say that a receipt is no longer valid: the message is gone, or another's.
/// Source: Amazon SQS API reference, `ChangeMessageVisibility`.
const INVALID_RECEIPT: [&str; 3] =
    ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"];

impl Consumer for SqsQueue {
    /// SQS counts in seconds: `visibility_ms` is rounded up.
    async fn receive(
        &self,
        queue: QueueName,
        limit: usize,
        visibility_ms: u32,
    ) -> Result<Vec<Delivery>, PortError> {
        let messages =
            self.take(self.url(queue), limit, seconds(visibility_ms), self.wait_secs).await?;
        messages.into_iter().map(delivery).collect()
    }

    async fn acknowledge(&self, queue: QueueName, receipts: &[String]) -> Result<(), PortError> {
        for chunk in receipts.chunks(BATCH_ENTRIES_MAX) {
            let entries = chunk
                .iter()
                .enumerate()
                .map(|(i, receipt)| {
                    DeleteMessageBatchRequestEntry::builder()
                        .id(i.to_string())
                        .receipt_handle(receipt)
                        .build()
                        .map_err(|error| PortError::permanent(ACKNOWLEDGE, error))
                })
                .collect::<Result<Vec<_>, _>>()?;
            let output = self
                .client
                .delete_message_batch()
                .queue_url(self.url(queue))
                .set_entries(Some(entries))
                .send()
                .await
                .map_err(|error| failed(ACKNOWLEDGE, error))?;
            // A receipt that is no longer valid is the sender's fault, and to be ignored. LocalStack calls it nobody's.
            let invalid = |code: &str| INVALID_RECEIPT.iter().any(|known| code.ends_with(known));
            if output.failed().iter().any(|one| !one.sender_fault() && !invalid(one.code())) {
                return Err(PortError::retryable(ACKNOWLEDGE, "the queue kept some messages"));
            }
        }
        Ok(())
    }

    /// SQS counts in seconds: `delay_ms` is rounded up.
    async fn release(
        &self,
        queue: QueueName,
        receipt: &str,
        delay_ms: u32,
    ) -> Result<(), PortError> {
        let result = self
            .client
            .change_message_visibility()
            .queue_url(self.url(queue))
            .receipt_handle(receipt)
            .visibility_timeout(seconds(delay_ms))
            .send()
            .await;
        let Err(error) = result else { return Ok(()) };
        if error.code().is_some_and(|code| INVALID_RECEIPT.iter().any(|end| code.ends_with(end))) {
            return Ok(());
        }
        Err(failed(RELEASE, error))
    }

    async fn dead_letters(&self, queue: QueueName, limit: usize) -> Result<Vec<String>, PortError> {
        let url = match queue {
            QueueName::Events => self.urls.events_dead.as_deref(),
            QueueName::Effects => self.urls.effects_dead.as_deref(),
        };
        let url = url.ok_or_else(|| {
            PortError::permanent("read dead letters", "no dead letter queue is configured")
        })?;
        let messages = self.take(url, limit, 0, self.wait_secs).await?;
        Ok(messages.into_iter().filter_map(|message| message.body).collect())
    }
}

impl SqsQueue {
    /// Receives up to `limit` messages that nobody else gets for `visibility_secs`.
    pub(super) async fn take(
        &self,
        url: &str,
        limit: usize,
        visibility_secs: i32,
        wait_secs: i32,
    ) -> Result<Vec<Message>, PortError> {
        let limit = i32::try_from(limit.clamp(1, BATCH_ENTRIES_MAX)).unwrap_or(1);
        let output = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(limit)
            .visibility_timeout(visibility_secs)
            .wait_time_seconds(wait_secs)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(|error| failed(RECEIVE, error))?;
        Ok(output.messages.unwrap_or_default())
    }
}

fn delivery(message: Message) -> Result<Delivery, PortError> {
    let attempt = message.attributes().and_then(|all| {
        all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse().ok()
    });
    let missing = || PortError::permanent(RECEIVE, "a message without body or receipt");
    Ok(Delivery {
        attempt: attempt.unwrap_or(1),
        receipt: message.receipt_handle.ok_or_else(missing)?,
        body: message.body.ok_or_else(missing)?,
    })
}

fn seconds(millis: u32) -> i32 {
    i32::try_from(millis.div_ceil(1_000)).unwrap_or(i32::MAX)
}
