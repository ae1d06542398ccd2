//! Idempotency keys.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_core::id::Tenant;
use sop_runtime::port::{Claim, Idempotency, PortError};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    claims: BTreeMap<(Tenant, String), (String, Timestamp)>,
}

impl Idempotency for Memory {
    async fn claim(
        &self,
        tenant: &Tenant,
        key: &str,
        record: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Claim, PortError> {
        let mut state = self.state();
        let place = (tenant.clone(), key.to_owned());
        if let Some((record, until)) = state.idempotency.claims.get(&place)
            && *until > now
        {
            return Ok(Claim::Held(record.clone()));
        }
        state.idempotency.claims.insert(place, (record.into(), expires_at));
        Ok(Claim::New)
    }
}
