//! The truth: append-only journals, and the values too big for an entry.

use std::future::Future;

use sop_core::engine::{Counters, SlotChange};
use sop_core::id::{Digest, RunId, SopName, Tenant};
use sop_core::journal::Sealed;

use crate::port::PortError;

/// What became of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Append {
    /// The entry, and the slot change with it, is durable.
    Appended,
    /// The entry that has this place was made by the same input: it stands, nothing changed.
    Duplicate(Box<Sealed>),
    /// Another input has this place: read the journal again and decide anew. Nothing changed.
    Conflict,
    /// The SOP has no free slot. Nothing changed.
    Full,
}

/// Journals: `RUN#<id> / J#<seq>`.
///
/// After `Err` a caller may assume nothing: the append may or may not be durable. Making it again tells
/// (`Appended` or `Duplicate`).
pub trait Journal: Send + Sync {
    /// The newest entry of `run`, or `None` when the run does not exist. Reads its own writes.
    fn latest(&self, run: &RunId)
    -> impl Future<Output = Result<Option<Sealed>, PortError>> + Send;

    /// The entry at `seq` of `run`, if there is one. Reads its own writes.
    fn entry(
        &self,
        run: &RunId,
        seq: u64,
    ) -> impl Future<Output = Result<Option<Sealed>, PortError>> + Send;

    /// Up to `limit` entries of `run` from `from` on, in order.
    fn entries(
        &self,
        run: &RunId,
        from: u64,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Sealed>, PortError>> + Send;

    /// Appends `entry` under "this place is free", together with `slot` or not at all.
    ///
    /// The bounds of `slot` are checked in the same write: when one of the counts has reached its bound the
    /// answer is [`Append::Full`], unless the place is taken, which is reported first. With `total_max` the
    /// tenant's [`total`](Self::total) changes by `active` too, and is bound when that is 1. No count goes
    /// below zero. `slot.completed_at` only moves forward; `slot.latest`, when given, replaces what is there.
    fn append(
        &self,
        entry: &Sealed,
        slot: Option<&SlotChange>,
    ) -> impl Future<Output = Result<Append, PortError>> + Send;

    /// The admission counter of `sop`; all zero when it has none yet. Reads its own writes.
    fn counters(
        &self,
        tenant: &Tenant,
        sop: &SopName,
    ) -> impl Future<Output = Result<Counters, PortError>> + Send;

    /// Runs of `tenant` that hold a slot, of the SOPs whose workspace is limited. Reads its own writes.
    fn total(&self, tenant: &Tenant) -> impl Future<Output = Result<u32, PortError>> + Send;

    /// Up to `limit` SOPs of `tenant` with runs waiting for a slot, for the sweep. May lag behind.
    fn congested(
        &self,
        tenant: &Tenant,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<SopName>, PortError>> + Send;
}

/// Immutable values named by their digest.
pub trait Blobs: Send + Sync {
    /// Stores `text` under its digest; storing it again changes nothing. At most 256 KiB.
    fn put_blob(
        &self,
        digest: &Digest,
        text: &str,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The text stored under `digest`.
    fn blob(
        &self,
        digest: &Digest,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;
}
