//! The cursor of the schedule.

use rusqlite::{OptionalExtension, params};
use sop_core::Timestamp;
use sop_core::id::Tenant;
use sop_runtime::port::{CronCursor, PortError};

use crate::store::Sqlite;

impl CronCursor for Sqlite {
    async fn last_check(&self, tenant: &Tenant) -> Result<Option<Timestamp>, PortError> {
        self.read("read the cron cursor", |connection| {
            connection
                .prepare_cached("SELECT last_check FROM cron WHERE tenant = ?1")?
                .query_row([tenant.as_str()], |row| row.get(0).map(Timestamp::from_millis))
                .optional()
        })
    }

    async fn advance(&self, tenant: &Tenant, to: Timestamp) -> Result<(), PortError> {
        let tenant = tenant.clone();
        self.write("advance the cron cursor", move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO cron (tenant, last_check) VALUES (?1, ?2)
                     ON CONFLICT DO UPDATE SET last_check = excluded.last_check
                     WHERE excluded.last_check > last_check",
                )?
                .execute(params![tenant.as_str(), to.as_millis()])
                .map(drop)
        })
        .await
    }
}
