//! The dispatch log.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_core::id::{EventId, Tenant};
use sop_runtime::port::{EventLog, LogLine, LogPage, LogQuery, PortError};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    lines: BTreeMap<(Tenant, Timestamp, EventId), LogLine>,
    payloads: BTreeMap<(Tenant, EventId), String>,
    tallies: BTreeMap<(Tenant, Timestamp), u64>,
}

fn key(line: &LogLine) -> String {
    format!("{:020}.{}", line.time.as_millis().max(0), line.event)
}

impl EventLog for Memory {
    async fn record(&self, line: &LogLine) -> Result<(), PortError> {
        let place = (line.tenant.clone(), line.time, line.event.clone());
        let mut state = self.state();
        if let Some(payload) = &line.payload {
            let whose = (line.tenant.clone(), line.event.clone());
            state.log.payloads.insert(whose, payload.clone());
        }
        state.log.lines.insert(place, LogLine { payload: None, ..line.clone() });
        Ok(())
    }

    async fn list(&self, query: &LogQuery) -> Result<LogPage, PortError> {
        let state = self.state();
        let newest_first = state.log.lines.values().rev();
        let mut rest = newest_first.filter(|line| {
            line.tenant == query.tenant
                && query.since <= line.time
                && line.time <= query.until
                && query.after.as_ref().is_none_or(|after| key(line) < *after)
        });
        let lines: Vec<LogLine> = rest.by_ref().take(query.limit).cloned().collect();
        let next = rest.next().and(lines.last()).map(key);
        Ok(LogPage { lines, next })
    }

    async fn payload(&self, tenant: &Tenant, event: &EventId) -> Result<Option<String>, PortError> {
        Ok(self.state().log.payloads.get(&(tenant.clone(), event.clone())).cloned())
    }

    async fn tally(
        &self,
        tenant: &Tenant,
        minute: Timestamp,
        _expires_at: Timestamp,
    ) -> Result<u64, PortError> {
        let mut state = self.state();
        let count = state.log.tallies.entry((tenant.clone(), minute)).or_default();
        *count += 1;
        Ok(*count)
    }

    async fn tallied(&self, tenant: &Tenant, minute: Timestamp) -> Result<u64, PortError> {
        Ok(self.state().log.tallies.get(&(tenant.clone(), minute)).copied().unwrap_or_default())
    }
}
