//! The ports of a queue, guarded.

use sop_runtime::port::{
    Consumer, DeadLetter, DeadLetters, DeadQueue, Delivery, Message, PortError, Queue, QueueName,
    Which,
};

use crate::failing::Failing;

impl<P: Queue> Queue for Failing<P> {
    async fn send(&self, queue: QueueName, messages: &[Message]) -> Result<(), PortError> {
        self.fuse.guard("send messages", self.inner.send(queue, messages)).await
    }
}

impl<P: Consumer> Consumer for Failing<P> {
    async fn receive(
        &self,
        queue: QueueName,
        limit: usize,
        visibility_ms: u32,
    ) -> Result<Vec<Delivery>, PortError> {
        self.fuse.guard("receive messages", self.inner.receive(queue, limit, visibility_ms)).await
    }

    async fn acknowledge(&self, queue: QueueName, receipts: &[String]) -> Result<(), PortError> {
        self.fuse.guard("acknowledge messages", self.inner.acknowledge(queue, receipts)).await
    }

    async fn release(
        &self,
        queue: QueueName,
        receipt: &str,
        delay_ms: u32,
    ) -> Result<(), PortError> {
        self.fuse.guard("release a message", self.inner.release(queue, receipt, delay_ms)).await
    }

    async fn dead_letters(&self, queue: QueueName, limit: usize) -> Result<Vec<String>, PortError> {
        self.fuse.guard("list dead letters", self.inner.dead_letters(queue, limit)).await
    }
}

impl<P: DeadLetters> DeadLetters for Failing<P> {
    async fn dead(&self, queue: DeadQueue, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        self.fuse.guard("list dead letters", self.inner.dead(queue, limit)).await
    }

    async fn redrive(&self, queue: QueueName, which: &Which) -> Result<usize, PortError> {
        self.fuse.guard("redrive dead letters", self.inner.redrive(queue, which)).await
    }

    async fn discard(&self, queue: DeadQueue, which: &Which) -> Result<usize, PortError> {
        self.fuse.guard("discard dead letters", self.inner.discard(queue, which)).await
    }
}
