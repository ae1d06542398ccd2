//! Dead letters: messages that were given up, and why.

use std::collections::BTreeSet;
use std::future::Future;

use serde::{Deserialize, Serialize};
use sop_core::Timestamp;
use sop_core::id::Digest;

use crate::port::{PortError, QueueName};

/// Dead letters that one call moves or lists at most.
pub const DEAD_AT_ONCE_MAX: usize = 500;

/// Characters of a dead letter's id.
const ID_CHARS: usize = 16;

/// Which dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadQueue {
    /// Of the events queue.
    Events,
    /// Of the effects queue.
    Effects,
    /// What never became an event: a service's own messages, which nothing here can send again.
    Arrivals,
}

impl DeadQueue {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Events, Self::Effects, Self::Arrivals];

    /// The name used in paths, JSON and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Effects => "effects",
            Self::Arrivals => "arrivals",
        }
    }

    /// The queue of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == name)
    }

    /// The queue that its letters go back to, if they can.
    pub const fn home(self) -> Option<QueueName> {
        match self {
            Self::Events => Some(QueueName::Events),
            Self::Effects => Some(QueueName::Effects),
            Self::Arrivals => None,
        }
    }
}

/// One dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// [`dead_id`] of its body.
    pub id: String,
    /// The body as it was sent.
    pub body: String,
    /// When it died; on SQS, which does not tell, when it was first sent.
    pub at: Option<Timestamp>,
}

impl DeadLetter {
    /// The letter with this body.
    pub fn new(body: String, at: Option<Timestamp>) -> Self {
        Self { id: dead_id(&body), body, at }
    }
}

/// Names the message with `body` on every host: 16 hexadecimal characters of its SHA-256.
///
/// Messages with the same body are one letter; what is done to one is done to all.
pub fn dead_id(body: &str) -> String {
    Digest::of(body.as_bytes()).to_string()[..ID_CHARS].to_owned()
}

/// Which letters of a queue are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// All.
    All,
    /// Those with these ids.
    These(BTreeSet<String>),
}

impl Which {
    /// Whether the letter with `id` is meant.
    pub fn takes(&self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(ids) => ids.contains(id),
        }
    }
}

/// The dead letters of the queues.
pub trait DeadLetters: Send + Sync {
    /// Up to `limit` dead letters, in no order; none is lost by it, whatever happens. Letters that
    /// another call looks at meanwhile may be missing.
    fn dead(
        &self,
        queue: DeadQueue,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<DeadLetter>, PortError>> + Send;

    /// Sends up to [`DEAD_AT_ONCE_MAX`] of `which` to `queue` again, where their attempts begin anew;
    /// how many. After `Err` a letter may be in both places, and never in neither.
    fn redrive(
        &self,
        queue: QueueName,
        which: &Which,
    ) -> impl Future<Output = Result<usize, PortError>> + Send;

    /// Forgets up to [`DEAD_AT_ONCE_MAX`] of `which`; how many.
    fn discard(
        &self,
        queue: DeadQueue,
        which: &Which,
    ) -> impl Future<Output = Result<usize, PortError>> + Send;
}

/// Why handling a message failed, as the last who tried said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// [`dead_id`] of its body.
    pub message: String,
    /// The error with its causes.
    pub error: String,
    /// How often it had been received.
    pub attempt: u32,
    /// When it failed.
    pub at: Timestamp,
    /// When the note may be forgotten.
    pub expires_at: Timestamp,
}

/// Notes of failures, kept as long as a dead letter lives.
pub trait Failures: Send + Sync {
    /// Keeps the note, in place of the one before.
    fn put_failure(&self, failure: &Failure) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The note on the message with this id.
    fn failure(
        &self,
        message: &str,
    ) -> impl Future<Output = Result<Option<Failure>, PortError>> + Send;
}
