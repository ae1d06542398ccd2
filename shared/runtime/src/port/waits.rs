//! Runs that wait for an event.

use std::future::Future;

use sop_core::Timestamp;
use sop_core::id::{Digest, RunId};

use crate::port::PortError;

/// A step of a run that waits for an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: u32,
}

/// Who waits for what: a multimap from the digest that names the awaited events (tenant and all) to runs.
///
/// An entry that outlives its wait does no harm: the run refuses the event.
pub trait Waits: Send + Sync {
    /// Notes that `waiting` waits for the events that `key` names, at most until `until`, after which a
    /// store may forget it. Noting it again changes nothing.
    fn subscribe(
        &self,
        key: &Digest,
        waiting: &Waiting,
        until: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Forgets that `waiting` waits for the events that `key` names, if it does.
    fn unsubscribe(
        &self,
        key: &Digest,
        waiting: &Waiting,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Up to `limit` of those that wait for the events that `key` names. Reads its own writes.
    fn waiting(
        &self,
        key: &Digest,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Waiting>, PortError>> + Send;
}
