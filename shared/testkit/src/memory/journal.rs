//! Journals, counters and blobs.

use std::collections::BTreeMap;

use sop_core::engine::{Counters, SlotChange};
use sop_core::id::{Digest, RunId, SopName, Tenant};
use sop_core::journal::Sealed;
use sop_runtime::port::{Append, Blobs, Journal, PortError};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    entries: BTreeMap<(RunId, u64), Sealed>,
    counters: BTreeMap<(Tenant, SopName), Counters>,
    totals: BTreeMap<Tenant, u32>,
    blobs: BTreeMap<Digest, String>,
}

impl State {
    fn append(&mut self, entry: &Sealed, slot: Option<&SlotChange>) -> Append {
        let place = (entry.run.clone(), entry.seq);
        if let Some(there) = self.entries.get(&place) {
            return if there.input == entry.input {
                Append::Duplicate(Box::new(there.clone()))
            } else {
                Append::Conflict
            };
        }
        if let Some(slot) = slot {
            let key = (slot.tenant.clone(), slot.sop.clone());
            let counters = self.counters.get(&key).cloned().unwrap_or_default();
            let total = self.totals.get(&slot.tenant).copied().unwrap_or(0);
            if is_full(&counters, total, slot) {
                return Append::Full;
            }
            self.counters.insert(key, changed(counters, slot));
            if slot.total_max.is_some() {
                self.totals.insert(slot.tenant.clone(), total.saturating_add_signed(slot.active));
            }
        }
        self.entries.insert(place, entry.clone());
        Append::Appended
    }
}

/// Whether one of the bounds of `slot` is reached.
fn is_full(counters: &Counters, total: u32, slot: &SlotChange) -> bool {
    let reached = |count: u32, max: Option<u32>| max.is_some_and(|max| count >= max);
    reached(counters.active, slot.active_max)
        || reached(counters.open, slot.open_max)
        || reached(counters.pending, slot.pending_max)
        || reached(total, slot.total_max.filter(|_| slot.active > 0))
}

fn changed(counters: Counters, slot: &SlotChange) -> Counters {
    Counters {
        active: counters.active.saturating_add_signed(slot.active),
        waiting: counters.waiting.saturating_add_signed(slot.waiting),
        open: counters.open.saturating_add_signed(slot.open),
        pending: counters.pending.saturating_add_signed(slot.pending),
        completed_at: counters.completed_at.max(slot.completed_at),
        latest: slot.latest.clone().or(counters.latest),
    }
}

impl Journal for Memory {
    async fn latest(&self, run: &RunId) -> Result<Option<Sealed>, PortError> {
        let range = (run.clone(), 0)..=(run.clone(), u64::MAX);
        Ok(self.state().journal.entries.range(range).next_back().map(|(_, entry)| entry.clone()))
    }

    async fn entry(&self, run: &RunId, seq: u64) -> Result<Option<Sealed>, PortError> {
        Ok(self.state().journal.entries.get(&(run.clone(), seq)).cloned())
    }

    async fn entries(
        &self,
        run: &RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Sealed>, PortError> {
        let range = (run.clone(), from)..=(run.clone(), u64::MAX);
        let state = self.state();
        Ok(state.journal.entries.range(range).take(limit).map(|(_, entry)| entry.clone()).collect())
    }

    async fn append(&self, entry: &Sealed, slot: Option<&SlotChange>) -> Result<Append, PortError> {
        Ok(self.state().journal.append(entry, slot))
    }

    async fn counters(&self, tenant: &Tenant, sop: &SopName) -> Result<Counters, PortError> {
        let key = (tenant.clone(), sop.clone());
        Ok(self.state().journal.counters.get(&key).cloned().unwrap_or_default())
    }

    async fn total(&self, tenant: &Tenant) -> Result<u32, PortError> {
        Ok(self.state().journal.totals.get(tenant).copied().unwrap_or(0))
    }

    async fn congested(&self, tenant: &Tenant, limit: usize) -> Result<Vec<SopName>, PortError> {
        let state = self.state();
        let waiting = state
            .journal
            .counters
            .iter()
            .filter(|((whose, _), counters)| whose == tenant && counters.waiting > 0);
        Ok(waiting.take(limit).map(|((_, sop), _)| sop.clone()).collect())
    }
}

impl Blobs for Memory {
    async fn put_blob(&self, digest: &Digest, text: &str) -> Result<(), PortError> {
        self.state().journal.blobs.entry(*digest).or_insert_with(|| text.into());
        Ok(())
    }

    async fn blob(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        Ok(self.state().journal.blobs.get(digest).cloned())
    }
}
