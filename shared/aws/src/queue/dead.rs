//! Dead letters on SQS: to look at them is to receive them, so they are hidden for a moment and released.
//!
//! Flow: receive → (send to the queue they came from) → delete; or receive → release. Whatever ends in
//! between, a letter shows again when it has been hidden for long enough.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use sop_core::Timestamp;
use sop_runtime::port::{
    DEAD_AT_ONCE_MAX, DeadLetter, DeadLetters, DeadQueue, Message as Outgoing, PortError, Queue,
    QueueName, Which,
};

use super::SqsQueue;
use crate::error::failed;

const LOOK: &str = "look at dead letters";
const DELETE: &str = "delete dead letters";
const RELEASE: &str = "release dead letters";

/// Seconds for which letters are hidden while they are looked at.
const HIDDEN_SECS: i32 = 30;

/// Seconds that a receive waits: long enough for SQS to ask all its servers.
const WAIT_SECS: i32 = 1;

/// A letter that is hidden from others.
struct Held {
    receipt: String,
    letter: DeadLetter,
}

impl DeadLetters for SqsQueue {
    async fn dead(&self, queue: DeadQueue, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let url = self.dead_url(queue)?;
        let mut held: Vec<Held> = Vec::new();
        while held.len() < limit {
            let more = self.hold(url, limit - held.len()).await?;
            if more.is_empty() {
                break;
            }
            held.extend(more);
        }
        self.release_all(url, &held).await?;
        Ok(held.into_iter().map(|held| held.letter).collect())
    }

    async fn redrive(&self, queue: QueueName, which: &Which) -> Result<usize, PortError> {
        let dead = match queue {
            QueueName::Events => DeadQueue::Events,
            QueueName::Effects => DeadQueue::Effects,
        };
        self.sweep(self.dead_url(dead)?, which, Some(queue)).await
    }

    async fn discard(&self, queue: DeadQueue, which: &Which) -> Result<usize, PortError> {
        self.sweep(self.dead_url(queue)?, which, None).await
    }
}

impl SqsQueue {
    fn dead_url(&self, queue: DeadQueue) -> Result<&str, PortError> {
        let url = match queue {
            DeadQueue::Events => &self.urls.events_dead,
            DeadQueue::Effects => &self.urls.effects_dead,
            DeadQueue::Arrivals => &self.urls.arrivals_dead,
        };
        url.as_deref().ok_or_else(|| {
            PortError::permanent(LOOK, "no dead letter queue is configured for this host")
        })
    }

    /// Deletes the letters that are meant, once they are sent to `home` where there is one.
    async fn sweep(
        &self,
        url: &str,
        which: &Which,
        home: Option<QueueName>,
    ) -> Result<usize, PortError> {
        let (mut done, mut spared): (usize, Vec<Held>) = (0, Vec::new());
        while done < DEAD_AT_ONCE_MAX && spared.len() < DEAD_AT_ONCE_MAX {
            let held = self.hold(url, DEAD_AT_ONCE_MAX - done).await?;
            if held.is_empty() {
                break;
            }
            let (meant, others): (Vec<Held>, Vec<Held>) =
                held.into_iter().partition(|held| which.takes(&held.letter.id));
            spared.extend(others);
            if let Some(home) = home {
                let messages: Vec<Outgoing> = meant
                    .iter()
                    .map(|held| Outgoing { body: held.letter.body.clone(), delay_secs: 0 })
                    .collect();
                self.send(home, &messages).await?;
            }
            self.delete_all(url, &meant).await?;
            done += meant.len();
        }
        self.release_all(url, &spared).await?;
        Ok(done)
    }

    async fn hold(&self, url: &str, limit: usize) -> Result<Vec<Held>, PortError> {
        let messages = self.take(url, limit, HIDDEN_SECS, WAIT_SECS).await;
        let messages = messages.map_err(|error| PortError { action: LOOK, ..error })?;
        Ok(messages.into_iter().filter_map(held).collect())
    }

    // One request a letter, here and below: an operator's errand, for which a role needs no more than what
    // the queue's own consumer has.
    async fn delete_all(&self, url: &str, held: &[Held]) -> Result<(), PortError> {
        for held in held {
            let delete = self.client.delete_message().queue_url(url).receipt_handle(&held.receipt);
            delete.send().await.map_err(|error| failed(DELETE, error))?;
        }
        Ok(())
    }

    /// Lets others see the letters again at once; one that is not released shows in [`HIDDEN_SECS`].
    async fn release_all(&self, url: &str, held: &[Held]) -> Result<(), PortError> {
        for held in held {
            let release = self.client.change_message_visibility().queue_url(url);
            let release = release.receipt_handle(&held.receipt).visibility_timeout(0);
            release.send().await.map_err(|error| failed(RELEASE, error))?;
        }
        Ok(())
    }
}

fn held(message: Message) -> Option<Held> {
    let sent = message
        .attributes()
        .and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok());
    let letter = DeadLetter::new(message.body?, sent.map(Timestamp::from_millis));
    Some(Held { receipt: message.receipt_handle?, letter })
}
