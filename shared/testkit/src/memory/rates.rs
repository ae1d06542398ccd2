//! How often clients have called.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_core::id::Tenant;
use sop_runtime::port::{PortError, RateLimits};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    taken: BTreeMap<(Tenant, String, Timestamp), u32>,
}

impl RateLimits for Memory {
    async fn take(
        &self,
        tenant: &Tenant,
        client: &str,
        window: Timestamp,
        quota: u32,
        _expires_at: Timestamp,
    ) -> Result<Option<u32>, PortError> {
        let mut state = self.state();
        let place = (tenant.clone(), client.to_owned(), window);
        let taken = state.rates.taken.get(&place).copied().unwrap_or(0);
        if taken >= quota {
            return Ok(None);
        }
        state.rates.taken.insert(place, taken + 1);
        Ok(Some(taken + 1))
    }
}
