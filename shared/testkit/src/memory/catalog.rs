//! The catalog.

use std::collections::BTreeMap;

use sop_core::id::{Digest, Tenant};
use sop_runtime::port::{Catalog, CatalogHead, PortError, Publish};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    heads: BTreeMap<Tenant, CatalogHead>,
    snapshots: BTreeMap<Digest, String>,
    definitions: BTreeMap<Digest, String>,
}

impl Catalog for Memory {
    async fn catalog_head(&self, tenant: &Tenant) -> Result<Option<CatalogHead>, PortError> {
        Ok(self.state().catalog.heads.get(tenant).copied())
    }

    async fn publish(
        &self,
        tenant: &Tenant,
        expected: u64,
        snapshot: &Digest,
    ) -> Result<Publish, PortError> {
        let mut state = self.state();
        let version = state.catalog.heads.get(tenant).map_or(0, |head| head.version);
        if version != expected {
            return Ok(Publish::Conflict);
        }
        let head = CatalogHead { version: version + 1, snapshot: *snapshot };
        state.catalog.heads.insert(tenant.clone(), head);
        Ok(Publish::Published(head))
    }

    async fn put_snapshot(&self, digest: &Digest, json: &str) -> Result<(), PortError> {
        self.state().catalog.snapshots.entry(*digest).or_insert_with(|| json.into());
        Ok(())
    }

    async fn snapshot(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        Ok(self.state().catalog.snapshots.get(digest).cloned())
    }

    async fn put_definition(&self, digest: &Digest, json: &str) -> Result<(), PortError> {
        self.state().catalog.definitions.entry(*digest).or_insert_with(|| json.into());
        Ok(())
    }

    async fn definition(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        Ok(self.state().catalog.definitions.get(digest).cloned())
    }
}
