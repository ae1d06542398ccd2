//! Heads.

use std::collections::BTreeMap;

use sop_core::Timestamp;
use sop_core::engine::Head;
use sop_core::id::{RunId, SopName, Tenant};
use sop_runtime::port::{HeadPage, Heads, PortError};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    heads: BTreeMap<RunId, Head>,
}

impl State {
    /// The runs for which `place` tells an instant, earliest first.
    fn sorted<'a>(
        &'a self,
        tenant: &Tenant,
        place: impl Fn(&Head) -> Option<Timestamp>,
    ) -> Vec<(Timestamp, &'a Head)> {
        let of_tenant = self.heads.values().filter(|head| head.tenant == *tenant);
        let placed = of_tenant.filter_map(|head| Some((place(head)?, head)));
        let mut sorted: Vec<_> = placed.collect();
        sorted.sort_by_key(|(at, head)| (*at, &head.run));
        sorted
    }
}

/// The first `limit` of `rest`, and where the page after them begins.
fn page(rest: Vec<(String, &Head)>, limit: usize) -> HeadPage {
    let more = rest.len() > limit;
    let next = rest.get(limit.wrapping_sub(1)).filter(|_| more).map(|(key, _)| key.clone());
    HeadPage { heads: rest.into_iter().take(limit).map(|(_, head)| head.clone()).collect(), next }
}

impl Heads for Memory {
    async fn project(&self, head: &Head) -> Result<(), PortError> {
        let mut state = self.state();
        let there = state.heads.heads.get(&head.run);
        if there.is_none_or(|there| there.seq < head.seq) {
            state.heads.heads.insert(head.run.clone(), head.clone());
        }
        Ok(())
    }

    async fn head(&self, run: &RunId) -> Result<Option<Head>, PortError> {
        Ok(self.state().heads.heads.get(run).cloned())
    }

    async fn runs(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<HeadPage, PortError> {
        let state = self.state();
        let rest = state.heads.heads.values().rev().filter(|head| head.tenant == *tenant);
        let rest = rest.filter(|head| after.is_none_or(|after| head.run.as_str() < after));
        Ok(page(rest.map(|head| (head.run.to_string(), head)).collect(), limit))
    }

    async fn inbox(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<HeadPage, PortError> {
        let state = self.state();
        let sorted = state.heads.sorted(tenant, |head| head.inbox).into_iter();
        let keyed = sorted
            .map(|(since, head)| (format!("{:020}.{}", since.as_millis().max(0), head.run), head));
        let rest = keyed.filter(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        Ok(page(rest.collect(), limit))
    }

    async fn queued(
        &self,
        tenant: &Tenant,
        sop: &SopName,
        limit: usize,
    ) -> Result<Vec<RunId>, PortError> {
        let state = self.state();
        let of_sop = |head: &Head| head.queue.filter(|_| head.sop == *sop);
        let sorted = state.heads.sorted(tenant, of_sop).into_iter().take(limit);
        Ok(sorted.map(|(_, head)| head.run.clone()).collect())
    }

    async fn due(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(RunId, Timestamp)>, PortError> {
        let state = self.state();
        let overdue = |head: &Head| head.due.filter(|at| *at <= now);
        let sorted = state.heads.sorted(tenant, overdue).into_iter().take(limit);
        Ok(sorted.map(|(at, head)| (head.run.clone(), at)).collect())
    }
}
