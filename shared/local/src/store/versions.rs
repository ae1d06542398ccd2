//! The versions of each SOP.

use rusqlite::{Row, params};
use sop_core::Timestamp;
use sop_core::id::{Digest, SopName, Tenant};
use sop_runtime::port::{PortError, Version, Versions};

use crate::store::error::unreadable;
use crate::store::{Sqlite, integer};

impl Versions for Sqlite {
    async fn put_version(&self, tenant: &Tenant, version: &Version) -> Result<(), PortError> {
        let (tenant, version) = (tenant.clone(), version.clone());
        self.write("store a version", move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO version
                         (tenant, sop, digest, version, pushed_at, pushed_by, published_at,
                          published_by)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT DO UPDATE SET
                         published_at = excluded.published_at,
                         published_by = excluded.published_by
                     WHERE excluded.published_at IS NOT NULL",
                )?
                .execute(params![
                    tenant.as_str(),
                    version.sop.as_str(),
                    version.digest.to_string(),
                    version.version,
                    version.pushed_at.as_millis(),
                    version.pushed_by,
                    version.published_at.map(Timestamp::as_millis),
                    version.published_by
                ])
                .map(drop)
        })
        .await
    }

    async fn versions(
        &self,
        tenant: &Tenant,
        sop: Option<&SopName>,
        limit: usize,
    ) -> Result<Vec<Version>, PortError> {
        let (action, limit) = ("list versions", integer(limit));
        match sop {
            Some(sop) => self.list(
                action,
                "SELECT sop, digest, version, pushed_at, pushed_by, published_at, published_by
                 FROM version WHERE tenant = ?1 AND sop = ?2
                 ORDER BY pushed_at DESC, digest LIMIT ?3",
                params![tenant.as_str(), sop.as_str(), limit],
                version,
            ),
            None => self.list(
                action,
                "SELECT sop, digest, version, pushed_at, pushed_by, published_at, published_by
                 FROM version WHERE tenant = ?1
                 ORDER BY sop, pushed_at DESC, digest LIMIT ?2",
                params![tenant.as_str(), limit],
                version,
            ),
        }
    }
}

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    let sop = SopName::parse(row.get_ref(0)?.as_str()?);
    let digest = Digest::parse(row.get_ref(1)?.as_str()?);
    Ok(Version {
        sop: sop.map_err(|source| unreadable(0, source))?,
        digest: digest.map_err(|source| unreadable(1, source))?,
        version: row.get(2)?,
        pushed_at: Timestamp::from_millis(row.get(3)?),
        pushed_by: row.get(4)?,
        published_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        published_by: row.get(6)?,
    })
}
