//! Definitions and the list of the active ones.

use std::future::Future;

use sop_core::id::{Digest, Tenant};

use crate::port::PortError;

/// Which snapshot is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CatalogHead {
    /// Counts publishes, from 1.
    pub version: u64,
    /// The active snapshot.
    pub snapshot: Digest,
}

/// What became of a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// The new head is durable.
    Published(CatalogHead),
    /// Somebody published in between: read the head again. Nothing changed.
    Conflict,
}

/// `HEAD → snapshot digest → triggers`, and `digest → definition`. Snapshots and definitions are
/// immutable, so they may be cached for ever.
pub trait Catalog: Send + Sync {
    /// The head, or `None` before the first publish. Reads its own writes.
    fn catalog_head(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<Option<CatalogHead>, PortError>> + Send;

    /// Moves the head from version `expected` (0 before the first) to `snapshot`.
    fn publish(
        &self,
        tenant: &Tenant,
        expected: u64,
        snapshot: &Digest,
    ) -> impl Future<Output = Result<Publish, PortError>> + Send;

    /// Stores a snapshot's JSON under its digest; of any size (10 000 SOPs are some megabytes).
    fn put_snapshot(
        &self,
        digest: &Digest,
        json: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The JSON of a snapshot.
    fn snapshot(
        &self,
        digest: &Digest,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// Stores a definition's JSON under its digest.
    fn put_definition(
        &self,
        digest: &Digest,
        json: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The JSON of a definition.
    fn definition(
        &self,
        digest: &Digest,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;
}
