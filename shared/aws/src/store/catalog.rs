//! Definitions and the list of the active ones: `CAT#<tenant> / HEAD`, `SNAP#<digest>`, `DEF#<digest>`.

use sop_core::id::{Digest, Tenant};
use sop_runtime::port::{Catalog, CatalogHead, PortError, Publish};

use super::DynamoStore;
use super::attributes::{Item, bytes, get_bytes, get_number, key, number};
use super::write::Put;
use crate::error::unreadable;
use crate::keys;

const READ: &str = "read the catalog";
const PUBLISH: &str = "publish the catalog";

impl Catalog for DynamoStore {
    async fn catalog_head(&self, tenant: &Tenant) -> Result<Option<CatalogHead>, PortError> {
        let item = self.get(READ, keys::catalog(tenant), keys::HEAD, true).await?;
        item.map(|item| head(&item).ok_or_else(|| unreadable(READ, keys::NUMBER))).transpose()
    }

    async fn publish(
        &self,
        tenant: &Tenant,
        expected: u64,
        snapshot: &Digest,
    ) -> Result<Publish, PortError> {
        let new = CatalogHead { version: expected.saturating_add(1), snapshot: *snapshot };
        let mut item = key(keys::catalog(tenant), keys::HEAD);
        item.insert(keys::NUMBER.to_owned(), number(new.version));
        item.insert(keys::HASH.to_owned(), bytes(snapshot.as_bytes().as_slice()));
        let put = self.client.put_item().set_item(Some(item));
        let put = if expected == 0 {
            put.condition_expression("attribute_not_exists(PK)")
        } else {
            put.condition_expression("n = :expected")
                .expression_attribute_values(":expected", number(expected))
        };
        Ok(match self.put_if(PUBLISH, put).await? {
            Put::Done => Publish::Published(new),
            // Our own answer may have been lost and the put made again: what stands is what we want.
            Put::Refused(standing) if standing.as_ref().and_then(head) == Some(new) => {
                Publish::Published(new)
            }
            Put::Refused(_) => Publish::Conflict,
        })
    }

    async fn put_snapshot(&self, digest: &Digest, json: &str) -> Result<(), PortError> {
        self.put_packed("store a snapshot", keys::snapshot(digest), json).await
    }

    async fn snapshot(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        self.packed("read a snapshot", keys::snapshot(digest)).await
    }

    async fn put_definition(&self, digest: &Digest, json: &str) -> Result<(), PortError> {
        self.put_packed("store a definition", keys::definition(digest), json).await
    }

    async fn definition(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        self.packed("read a definition", keys::definition(digest)).await
    }
}

fn head(item: &Item) -> Option<CatalogHead> {
    let bytes = get_bytes(item, keys::HASH)?;
    Some(CatalogHead {
        version: get_number(item, keys::NUMBER)?,
        snapshot: Digest::from_bytes(bytes.try_into().ok()?),
    })
}
