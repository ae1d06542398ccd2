//! Queues: durable, at least once, in no order.

use std::future::Future;

use crate::port::PortError;

/// How often a message is received before it goes to the dead letters, on every host.
/// Source: `maxReceiveCount` in `infra/template.yaml`.
pub const RECEIVES_MAX: u32 = 5;

/// Which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Events and inputs, for the dispatcher.
    Events,
    /// Effects, for the executor.
    Effects,
}

impl QueueName {
    /// The name used in logs and keys.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Effects => "effects",
        }
    }
}

/// One message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// An [`crate::envelope::Envelope`] in JSON.
    pub body: String,
    /// Seconds until it may be received: 0 to 900.
    pub delay_secs: u32,
}

/// The sending side.
pub trait Queue: Send + Sync {
    /// Sends `messages`, any number; durable when it returns `Ok`. After `Err` some may have been sent.
    fn send(
        &self,
        queue: QueueName,
        messages: &[Message],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// One received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What acknowledges this receipt.
    pub receipt: String,
    /// The body as it was sent.
    pub body: String,
    /// How often it was received, this time included.
    pub attempt: u32,
}

/// The receiving side, where the host is not called by its queue as a Lambda function is.
pub trait Consumer: Send + Sync {
    /// Up to `limit` messages that nobody else gets for `visibility_ms`; empty when there is none now.
    ///
    /// A message received more often than the queue allows goes to the dead letters instead.
    fn receive(
        &self,
        queue: QueueName,
        limit: usize,
        visibility_ms: u32,
    ) -> impl Future<Output = Result<Vec<Delivery>, PortError>> + Send;

    /// Forgets the messages of these receipts; a receipt that is no longer valid is ignored.
    fn acknowledge(
        &self,
        queue: QueueName,
        receipts: &[String],
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Makes the message of `receipt` visible again after `delay_ms`.
    fn release(
        &self,
        queue: QueueName,
        receipt: &str,
        delay_ms: u32,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The bodies of up to `limit` dead letters.
    fn dead_letters(
        &self,
        queue: QueueName,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>, PortError>> + Send;
}
