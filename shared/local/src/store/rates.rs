//! How often clients have called.

use rusqlite::{Connection, OptionalExtension, params};
use sop_core::Timestamp;
use sop_core::id::Tenant;
use sop_runtime::port::{PortError, RateLimits};

use crate::store::{Sqlite, integer};

impl RateLimits for Sqlite {
    async fn take(
        &self,
        tenant: &Tenant,
        client: &str,
        window: Timestamp,
        quota: u32,
        expires_at: Timestamp,
    ) -> Result<Option<u32>, PortError> {
        let (tenant, client) = (tenant.clone(), client.to_owned());
        self.write("count a call", move |connection| {
            if quota == 0 {
                return Ok(None);
            }
            connection
                .prepare_cached(
                    "INSERT INTO rate (tenant, client, window, taken, expires_at)
                     VALUES (?1, ?2, ?3, 1, ?4)
                     ON CONFLICT DO UPDATE SET taken = taken + 1 WHERE taken < ?5
                     RETURNING taken",
                )?
                .query_row(
                    params![
                        tenant.as_str(),
                        client,
                        window.as_millis(),
                        expires_at.as_millis(),
                        quota
                    ],
                    |row| row.get(0),
                )
                .optional()
        })
        .await
    }
}

/// Forgets up to `limit` counters that have expired at `now`; tells how many.
pub(super) fn forget(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM rate WHERE (tenant, client, window) IN
             (SELECT tenant, client, window FROM rate WHERE expires_at <= ?1
              ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([now.as_millis(), integer(limit)])
}
