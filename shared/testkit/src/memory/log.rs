//! The dispatch log.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_core::id::{EventId, Tenant};
use sop_runtime::port::{EventLog, LogLine, LogPage, LogQuery, PortError};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    lines: BTreeMap<(Tenant, Timestamp, EventId), LogLine>,
}

fn key(line: &LogLine) -> String {
    format!("{:020}.{}", line.time.as_millis().max(0), line.event)
}

impl EventLog for Memory {
    async fn record(&self, line: &LogLine) -> Result<(), PortError> {
        let place = (line.tenant.clone(), line.time, line.event.clone());
        self.state().log.lines.insert(place, line.clone());
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
}
