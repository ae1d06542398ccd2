//! Projections of runs: lists, the inbox, the queue of an SOP, the sweep.

use std::future::Future;

use sop_core::Timestamp;
use sop_core::engine::Head;
use sop_core::id::{RunId, SopName, Tenant};

use crate::port::PortError;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadPage {
    /// The heads, in the list's order.
    pub heads: Vec<Head>,
    /// Where the next page begins, or `None` at the end.
    pub next: Option<String>,
}

/// Heads: `RUN#<id> / HEAD`. Lists may lag behind the last write.
pub trait Heads: Send + Sync {
    /// Keeps `head` unless one of an equal or greater `seq` is there; an older one changes nothing.
    fn project(&self, head: &Head) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The head of `run`, if it has one yet.
    fn head(&self, run: &RunId) -> impl Future<Output = Result<Option<Head>, PortError>> + Send;

    /// The runs of `tenant`, newest first; `after` is the `next` of the page before.
    fn runs(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<HeadPage, PortError>> + Send;

    /// The runs that wait for a person, longest waiting first.
    fn inbox(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<HeadPage, PortError>> + Send;

    /// Up to `limit` runs of `sop` that wait for a slot, longest waiting first.
    fn queued(
        &self,
        tenant: &Tenant,
        sop: &SopName,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<RunId>, PortError>> + Send;

    /// Up to `limit` runs of `tenant` whose `due` is at or before `now`, with it, most overdue first.
    fn due(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(RunId, Timestamp)>, PortError>> + Send;
}
