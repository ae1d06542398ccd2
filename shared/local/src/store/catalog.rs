//! The catalog.

use rusqlite::{Connection, OptionalExtension, params};
use sop_core::id::{Digest, Tenant};
use sop_runtime::port::{Catalog, CatalogHead, PortError, Publish};

use crate::store::content::Kind;
use crate::store::error::unreadable;
use crate::store::{Sqlite, integer};

impl Catalog for Sqlite {
    async fn catalog_head(&self, tenant: &Tenant) -> Result<Option<CatalogHead>, PortError> {
        self.read("read the catalog's head", |connection| head(connection, tenant))
    }

    async fn publish(
        &self,
        tenant: &Tenant,
        expected: u64,
        snapshot: &Digest,
    ) -> Result<Publish, PortError> {
        let (tenant, snapshot) = (tenant.clone(), *snapshot);
        self.write("publish a snapshot", move |connection| {
            let version = head(connection, &tenant)?.map_or(0, |head| head.version);
            if version != expected {
                return Ok(Publish::Conflict);
            }
            let head = CatalogHead { version: version + 1, snapshot };
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO catalog (tenant, version, snapshot)
                     VALUES (?1, ?2, ?3)",
                )?
                .execute(params![tenant.as_str(), integer(head.version), snapshot.to_string()])?;
            Ok(Publish::Published(head))
        })
        .await
    }

    async fn put_snapshot(&self, digest: &Digest, json: &str) -> Result<(), PortError> {
        self.put_content("store a snapshot", Kind::Snapshot, digest, json).await
    }

    async fn snapshot(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        self.content("read a snapshot", Kind::Snapshot, digest)
    }

    async fn put_definition(&self, digest: &Digest, json: &str) -> Result<(), PortError> {
        self.put_content("store a definition", Kind::Definition, digest, json).await
    }

    async fn definition(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        self.content("read a definition", Kind::Definition, digest)
    }
}

fn head(connection: &Connection, tenant: &Tenant) -> rusqlite::Result<Option<CatalogHead>> {
    connection
        .prepare_cached("SELECT version, snapshot FROM catalog WHERE tenant = ?1")?
        .query_row([tenant.as_str()], |row| {
            let snapshot = Digest::parse(row.get_ref(1)?.as_str()?);
            Ok(CatalogHead {
                version: row.get::<_, i64>(0)?.unsigned_abs(),
                snapshot: snapshot.map_err(|source| unreadable(1, source))?,
            })
        })
        .optional()
}
