//! Dead letters, and the notes on why they died.

use std::collections::BTreeMap;

use sop_runtime::port::{
    DEAD_AT_ONCE_MAX, DeadLetter, DeadLetters, DeadQueue, Failure, Failures, Message, PortError,
    Queue, QueueName, Which,
};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    failures: BTreeMap<String, Failure>,
}

impl Memory {
    /// Takes the letters that are meant out of the dead ones.
    fn take_dead(&self, queue: QueueName, which: &Which) -> Vec<String> {
        let mut state = self.state();
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        for (name, body, at) in std::mem::take(&mut state.queue.dead) {
            let is_meant = name == queue
                && taken.len() < DEAD_AT_ONCE_MAX
                && which.takes(&DeadLetter::new(body.clone(), None).id);
            if is_meant {
                taken.push(body);
            } else {
                rest.push((name, body, at));
            }
        }
        state.queue.dead = rest;
        taken
    }
}

impl DeadLetters for Memory {
    async fn dead(&self, queue: DeadQueue, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        let Some(home) = queue.home() else { return Ok(Vec::new()) };
        let state = self.state();
        let dead = state.queue.dead.iter().filter(|(name, ..)| *name == home).take(limit);
        Ok(dead.map(|(_, body, at)| DeadLetter::new(body.clone(), Some(*at))).collect())
    }

    async fn redrive(&self, queue: QueueName, which: &Which) -> Result<usize, PortError> {
        let bodies = self.take_dead(queue, which);
        let messages: Vec<Message> =
            bodies.into_iter().map(|body| Message { body, delay_secs: 0 }).collect();
        self.send(queue, &messages).await?;
        Ok(messages.len())
    }

    async fn discard(&self, queue: DeadQueue, which: &Which) -> Result<usize, PortError> {
        let Some(home) = queue.home() else { return Ok(0) };
        Ok(self.take_dead(home, which).len())
    }
}

impl Failures for Memory {
    async fn put_failure(&self, failure: &Failure) -> Result<(), PortError> {
        self.state().dead.failures.insert(failure.message.clone(), failure.clone());
        Ok(())
    }

    async fn failure(&self, message: &str) -> Result<Option<Failure>, PortError> {
        Ok(self.state().dead.failures.get(message).cloned())
    }
}
