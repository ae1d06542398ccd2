//! How often clients have called: one counter a client and window.

use std::future::Future;

use sop_core::Timestamp;
use sop_core::id::Tenant;

use crate::port::PortError;

/// Counts calls within windows, exactly, however many hosts count at once.
pub trait RateLimits: Send + Sync {
    /// Takes one of the `quota` calls that `client` has in the window which begins at `window`; the number
    /// taken so far, this one included, or `None` when all are taken: then nothing was counted.
    ///
    /// `client` is at most 200 bytes and says what is counted. The counter may be forgotten from `expires_at`
    /// on. After `Err` one may have been taken for nothing; never does a call pass that is above the quota.
    fn take(
        &self,
        tenant: &Tenant,
        client: &str,
        window: Timestamp,
        quota: u32,
        expires_at: Timestamp,
    ) -> impl Future<Output = Result<Option<u32>, PortError>> + Send;
}
