//! Queues.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_runtime::port::{Consumer, Delivery, Message, PortError, Queue, QueueName, RECEIVES_MAX};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    sent: u64,
    messages: BTreeMap<(QueueName, u64), Waiting>,
    pub(super) dead: Vec<(QueueName, String, Timestamp)>,
}

#[derive(Debug)]
struct Waiting {
    body: String,
    visible_at: Timestamp,
    attempts: u32,
}

impl State {
    /// The place of the message that `receipt` is the newest receipt of.
    fn place(&self, queue: QueueName, receipt: &str) -> Option<(QueueName, u64)> {
        let (id, attempt) = receipt.split_once('.')?;
        let place = (queue, id.parse().ok()?);
        let message = self.messages.get(&place)?;
        (attempt.parse() == Ok(message.attempts)).then_some(place)
    }
}

impl Memory {
    /// How many messages `queue` holds, received or not, dead letters not counted.
    pub fn backlog(&self, queue: QueueName) -> usize {
        self.state().queue.messages.keys().filter(|(name, _)| *name == queue).count()
    }

    /// When the next message of `queue` can be received, or `None` when it holds none.
    pub fn next_visible_at(&self, queue: QueueName) -> Option<Timestamp> {
        let state = self.state();
        let messages = state.queue.messages.iter().filter(|((name, _), _)| *name == queue);
        messages.map(|(_, message)| message.visible_at).min()
    }
}

impl Queue for Memory {
    async fn send(&self, queue: QueueName, messages: &[Message]) -> Result<(), PortError> {
        let now = self.clock.now();
        let mut state = self.state();
        for message in messages {
            state.queue.sent += 1;
            let place = (queue, state.queue.sent);
            let visible_at = now.plus_millis(i64::from(message.delay_secs) * 1_000);
            let waiting = Waiting { body: message.body.clone(), visible_at, attempts: 0 };
            state.queue.messages.insert(place, waiting);
        }
        Ok(())
    }
}

impl Consumer for Memory {
    async fn receive(
        &self,
        queue: QueueName,
        limit: usize,
        visibility_ms: u32,
    ) -> Result<Vec<Delivery>, PortError> {
        let now = self.clock.now();
        let mut state = self.state();
        let State { messages, dead, .. } = &mut state.queue;
        let spent = |name: QueueName, message: &Waiting| {
            name == queue && message.visible_at <= now && message.attempts >= RECEIVES_MAX
        };
        let spent = messages.extract_if(.., |(name, _), message| spent(*name, message));
        dead.extend(spent.map(|(_, message)| (queue, message.body, now)));
        let visible =
            messages.iter_mut().filter(|((name, _), m)| *name == queue && m.visible_at <= now);
        let received = visible.take(limit).map(|((_, id), message)| {
            message.attempts += 1;
            message.visible_at = now.plus_millis(visibility_ms.into());
            Delivery {
                receipt: format!("{id}.{}", message.attempts),
                body: message.body.clone(),
                attempt: message.attempts,
            }
        });
        Ok(received.collect())
    }

    async fn acknowledge(&self, queue: QueueName, receipts: &[String]) -> Result<(), PortError> {
        let mut state = self.state();
        for receipt in receipts {
            if let Some(place) = state.queue.place(queue, receipt) {
                state.queue.messages.remove(&place);
            }
        }
        Ok(())
    }

    async fn release(
        &self,
        queue: QueueName,
        receipt: &str,
        delay_ms: u32,
    ) -> Result<(), PortError> {
        let visible_at = self.clock.now().plus_millis(delay_ms.into());
        let mut state = self.state();
        if let Some(place) = state.queue.place(queue, receipt)
            && let Some(message) = state.queue.messages.get_mut(&place)
        {
            message.visible_at = visible_at;
        }
        Ok(())
    }

    async fn dead_letters(&self, queue: QueueName, limit: usize) -> Result<Vec<String>, PortError> {
        let state = self.state();
        let dead = state.queue.dead.iter().filter(|(name, ..)| *name == queue);
        Ok(dead.take(limit).map(|(_, body, _)| body.clone()).collect())
    }
}
