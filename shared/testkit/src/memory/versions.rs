//! The versions of each SOP.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use sop_core::id::{Digest, SopName, Tenant};
use sop_runtime::port::{PortError, Version, Versions};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    versions: BTreeMap<(Tenant, SopName, Digest), Version>,
}

impl Versions for Memory {
    async fn put_version(&self, tenant: &Tenant, version: &Version) -> Result<(), PortError> {
        let mut state = self.state();
        let place = (tenant.clone(), version.sop.clone(), version.digest);
        let kept = match state.versions.versions.get(&place) {
            None => version.clone(),
            Some(there) => {
                let published = if version.published_at.is_some() { version } else { there };
                Version {
                    pushed_at: there.pushed_at,
                    pushed_by: there.pushed_by.clone(),
                    published_at: published.published_at,
                    published_by: published.published_by.clone(),
                    ..version.clone()
                }
            }
        };
        state.versions.versions.insert(place, kept);
        Ok(())
    }

    async fn versions(
        &self,
        tenant: &Tenant,
        sop: Option<&SopName>,
        limit: usize,
    ) -> Result<Vec<Version>, PortError> {
        let state = self.state();
        let all = state.versions.versions.iter();
        let mut found: Vec<_> = all
            .filter(|((whose, of, _), _)| whose == tenant && sop.is_none_or(|sop| sop == of))
            .map(|(_, version)| version.clone())
            .collect();
        found.sort_by_key(|version| {
            (version.sop.clone(), Reverse(version.pushed_at), version.digest)
        });
        found.truncate(limit);
        Ok(found)
    }
}
