//! Runs that wait for an event.

use rusqlite::{Connection, params};
use sop_core::Timestamp;
use sop_core::id::{Digest, RunId};
use sop_runtime::port::{PortError, Waiting, Waits};

use crate::store::error::unreadable;
use crate::store::{Sqlite, integer};

impl Waits for Sqlite {
    async fn subscribe(
        &self,
        key: &Digest,
        waiting: &Waiting,
        until: Timestamp,
    ) -> Result<(), PortError> {
        let (key, waiting) = (key.to_string(), waiting.clone());
        self.write("note who waits for an event", move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO wait (key, run, step, expires_at) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET expires_at = excluded.expires_at
                     WHERE excluded.expires_at > expires_at",
                )?
                .execute(params![key, waiting.run.as_str(), waiting.step, until.as_millis()])
                .map(drop)
        })
        .await
    }

    async fn unsubscribe(&self, key: &Digest, waiting: &Waiting) -> Result<(), PortError> {
        let (key, waiting) = (key.to_string(), waiting.clone());
        self.write("forget who waits for an event", move |connection| {
            connection
                .prepare_cached("DELETE FROM wait WHERE key = ?1 AND run = ?2 AND step = ?3")?
                .execute(params![key, waiting.run.as_str(), waiting.step])
                .map(drop)
        })
        .await
    }

    async fn waiting(&self, key: &Digest, limit: usize) -> Result<Vec<Waiting>, PortError> {
        self.list(
            "list who waits for an event",
            "SELECT run, step FROM wait WHERE key = ?1 ORDER BY run, step LIMIT ?2",
            params![key.to_string(), integer(limit)],
            |row| {
                let run = RunId::parse(row.get_ref(0)?.as_str()?);
                let run = run.map_err(|source| unreadable(0, source))?;
                Ok(Waiting { run, step: row.get(1)? })
            },
        )
    }
}

/// Forgets up to `limit` waits that have expired at `now`; tells how many.
pub(super) fn forget(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM wait WHERE rowid IN
             (SELECT rowid FROM wait WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([now.as_millis(), integer(limit)])
}
