//! Idempotency keys of callers.

use std::future::Future;

use sop_core::Timestamp;
use sop_core::id::Tenant;

use crate::port::PortError;

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The key was free (or had expired) and is now held with the given record.
    New,
    /// The key is held; this is the record it was claimed with.
    Held(String),
}

/// Keys that callers send so that a repeated request is one request.
pub trait Idempotency: Send + Sync {
    /// Claims `key` with `record` until `expires_at`, unless it is held at `now`.
    ///
    /// `key` is at most 512 bytes and has its namespace in it. Expiry is judged by `now`, not by when
    /// the store gets round to deleting.
    fn claim(
        &self,
        tenant: &Tenant,
        key: &str,
        record: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> impl Future<Output = Result<Claim, PortError>> + Send;
}
