//! Runs that wait for an event.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_core::id::Digest;
use sop_runtime::port::{PortError, Waiting, Waits};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    waits: BTreeMap<Digest, BTreeMap<Waiting, Timestamp>>,
}

impl Waits for Memory {
    async fn subscribe(
        &self,
        key: &Digest,
        waiting: &Waiting,
        until: Timestamp,
    ) -> Result<(), PortError> {
        let mut state = self.state();
        let of_key = state.waits.waits.entry(*key).or_default();
        let there = of_key.entry(waiting.clone()).or_insert(until);
        *there = until.max(*there);
        Ok(())
    }

    async fn unsubscribe(&self, key: &Digest, waiting: &Waiting) -> Result<(), PortError> {
        let mut state = self.state();
        if let Some(of_key) = state.waits.waits.get_mut(key) {
            of_key.remove(waiting);
            if of_key.is_empty() {
                state.waits.waits.remove(key);
            }
        }
        Ok(())
    }

    async fn waiting(&self, key: &Digest, limit: usize) -> Result<Vec<Waiting>, PortError> {
        let state = self.state();
        let of_key = state.waits.waits.get(key).into_iter().flat_map(BTreeMap::keys);
        Ok(of_key.take(limit).cloned().collect())
    }
}
