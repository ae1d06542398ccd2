//! The cursor of the schedule.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_core::id::Tenant;
use sop_runtime::port::{CronCursor, PortError};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    cursors: BTreeMap<Tenant, Timestamp>,
}

impl CronCursor for Memory {
    async fn last_check(&self, tenant: &Tenant) -> Result<Option<Timestamp>, PortError> {
        Ok(self.state().cron.cursors.get(tenant).copied())
    }

    async fn advance(&self, tenant: &Tenant, to: Timestamp) -> Result<(), PortError> {
        let mut state = self.state();
        let cursor = state.cron.cursors.entry(tenant.clone()).or_insert(to);
        *cursor = to.max(*cursor);
        Ok(())
    }
}
