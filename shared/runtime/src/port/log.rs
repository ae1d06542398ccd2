//! The dispatch log: every event, with what became of it.

use std::future::Future;

use serde::{Deserialize, Serialize};
use sop_core::Timestamp;
use sop_core::event::Source;
use sop_core::id::{EventId, Tenant};

use crate::port::PortError;

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The event.
    pub event: EventId,
    /// Whose.
    pub tenant: Tenant,
    /// The event's own time, which is its place in the log.
    pub time: Timestamp,
    /// The door.
    pub source: Source,
    /// Path, topic, expression, `board/signal` or SOP.
    pub subject: String,
    /// `matched`, `unmatched` or `refused`.
    pub outcome: String,
    /// The verdicts and the payload's preview, in JSON: a store keeps it verbatim.
    pub detail: String,
    /// The whole payload as JSON of a [`sop_core::event::Data`], where `detail` has only its beginning. A
    /// store keeps it apart, and lists lines without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// When the line may be forgotten.
    pub expires_at: Timestamp,
}

/// Which lines to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// Whose.
    pub tenant: Tenant,
    /// Not before this time.
    pub since: Timestamp,
    /// Not after this time.
    pub until: Timestamp,
    /// Where the page begins: the `next` of the page before.
    pub after: Option<String>,
    /// Lines a page holds at most.
    pub limit: usize,
}

/// One page of the log, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// The lines.
    pub lines: Vec<LogLine>,
    /// Where the next page begins, or `None` at the end.
    pub next: Option<String>,
}

/// The log: one line an event; the same event again replaces its line.
pub trait EventLog: Send + Sync {
    /// Writes one line, and its payload beside it where it has one.
    fn record(&self, line: &LogLine) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Lists lines, newest first, without their payloads. May lag behind.
    fn list(&self, query: &LogQuery) -> impl Future<Output = Result<LogPage, PortError>> + Send;

    /// The payload that was written beside the line of `event`.
    fn payload(
        &self,
        tenant: &Tenant,
        event: &EventId,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// Counts one more event of the minute that begins at `minute`; how many there are now. Exact,
    /// however many count at once.
    fn tally(
        &self,
        tenant: &Tenant,
        minute: Timestamp,
        expires_at: Timestamp,
    ) -> impl Future<Output = Result<u64, PortError>> + Send;

    /// How many were counted in that minute.
    fn tallied(
        &self,
        tenant: &Tenant,
        minute: Timestamp,
    ) -> impl Future<Output = Result<u64, PortError>> + Send;
}
