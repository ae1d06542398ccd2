//! Idempotency keys.

use rusqlite::{Connection, OptionalExtension, params};
use sop_core::Timestamp;
use sop_core::id::Tenant;
use sop_runtime::port::{Claim, Idempotency, PortError};

use crate::store::{Sqlite, integer};

impl Idempotency for Sqlite {
    async fn claim(
        &self,
        tenant: &Tenant,
        key: &str,
        record: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Claim, PortError> {
        let (tenant, key, record) = (tenant.clone(), key.to_owned(), record.to_owned());
        self.write("claim an idempotency key", move |connection| {
            let held = connection
                .prepare_cached(
                    "SELECT record FROM claim WHERE tenant = ?1 AND key = ?2 AND expires_at > ?3",
                )?
                .query_row(params![tenant.as_str(), key, now.as_millis()], |row| row.get(0))
                .optional()?;
            if let Some(record) = held {
                return Ok(Claim::Held(record));
            }
            connection
                .prepare_cached(
                    "INSERT INTO claim (tenant, key, record, expires_at) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET
                         record = excluded.record,
                         expires_at = excluded.expires_at",
                )?
                .execute(params![tenant.as_str(), key, record, expires_at.as_millis()])?;
            Ok(Claim::New)
        })
        .await
    }
}

/// Forgets up to `limit` keys that have expired at `now`; tells how many.
pub(super) fn forget(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM claim WHERE rowid IN
             (SELECT rowid FROM claim WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([now.as_millis(), integer(limit)])
}
