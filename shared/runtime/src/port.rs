//! Ports: what a host must offer. "No" is a value; `Err` is kept for "could not find out".

mod catalog;
mod clock;
mod cron;
mod dead;
mod error;
mod heads;
mod idempotency;
mod journal;
mod log;
mod outlets;
mod queue;
mod rates;
mod routines;
mod rules;
mod secrets;
mod tokens;
mod versions;
mod waits;

pub use catalog::{Catalog, CatalogHead, Publish};
pub use clock::{Clock, SystemClock, random};
pub use cron::CronCursor;
pub use dead::{
    DEAD_AT_ONCE_MAX, DeadLetter, DeadLetters, DeadQueue, Failure, Failures, Which, dead_id,
};
pub use error::{BoxError, PortError};
pub use heads::{HeadPage, Heads};
pub use idempotency::{Claim, Idempotency};
pub use journal::{Append, Blobs, Journal};
pub use log::{EventLog, LogLine, LogPage, LogQuery};
pub use outlets::{MqttMessage, Outlets, SnsMessage};
pub use queue::{Consumer, Delivery, Message, Queue, QueueName, RECEIVES_MAX};
pub use rates::RateLimits;
pub use routines::{Routine, Routines};
pub use rules::{FoundRule, Rule, Rules};
pub use secrets::{Resolved, Secrets, resolve};
pub use tokens::{Grant, Pairing, Role, Token, Tokens};
pub use versions::{Version, Versions};
pub use waits::{Waiting, Waits};

/// Every table-like port: what one store offers as a whole.
pub trait Store:
    Journal
    + Blobs
    + Heads
    + Waits
    + Catalog
    + Versions
    + EventLog
    + Idempotency
    + Tokens
    + RateLimits
    + CronCursor
    + Routines
    + Failures
{
}

impl<T> Store for T where
    T: Journal
        + Blobs
        + Heads
        + Waits
        + Catalog
        + Versions
        + EventLog
        + Idempotency
        + Tokens
        + RateLimits
        + CronCursor
        + Routines
        + Failures
{
}
