//! How far the schedule has been looked at.

use std::future::Future;

use sop_core::Timestamp;
use sop_core::id::Tenant;

use crate::port::PortError;

/// The end of the last window that was looked at, kept so that downtime loses nothing.
pub trait CronCursor: Send + Sync {
    /// The end of the last window, or `None` before the first. Reads its own writes.
    fn last_check(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<Option<Timestamp>, PortError>> + Send;

    /// Moves the end to `to` unless it is there or later already.
    fn advance(
        &self,
        tenant: &Tenant,
        to: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
