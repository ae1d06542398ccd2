//! The switches of schedules.

use rusqlite::params;
use sop_core::id::Tenant;
use sop_runtime::port::{PortError, Routine, Routines};

use crate::store::Sqlite;
use crate::store::error::unreadable;

impl Routines for Sqlite {
    async fn routines(&self, tenant: &Tenant) -> Result<Vec<Routine>, PortError> {
        self.read("read the switches of schedules", |connection| {
            connection
                .prepare_cached("SELECT routine FROM routine WHERE tenant = ?1 ORDER BY sop")?
                .query_map([tenant.as_str()], |row| {
                    let routine = row.get_ref(0)?.as_str()?;
                    serde_json::from_str(routine).map_err(|source| unreadable(0, source))
                })?
                .collect()
        })
    }

    async fn set_routine(&self, tenant: &Tenant, routine: &Routine) -> Result<(), PortError> {
        let json = serde_json::to_string(routine).expect("a switch has only string keys");
        let (tenant, sop) = (tenant.clone(), routine.sop.clone());
        self.write("switch schedules", move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO routine (tenant, sop, routine) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET routine = excluded.routine",
                )?
                .execute(params![tenant.as_str(), sop.as_str(), json])
                .map(drop)
        })
        .await
    }
}
