//! Dead letters, and the notes on why they died.

use rusqlite::{Connection, OptionalExtension, params};
use sop_core::Timestamp;
use sop_runtime::port::{
    DEAD_AT_ONCE_MAX, DeadLetter, DeadLetters, DeadQueue, Failure, Failures, PortError, QueueName,
    Which, dead_id,
};

use crate::store::error::unreadable;
use crate::store::{Sqlite, integer};

impl DeadLetters for Sqlite {
    async fn dead(&self, queue: DeadQueue, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        self.read("list dead letters", |connection| {
            connection
                .prepare_cached(
                    "SELECT body, died_at FROM dead_letter WHERE queue = ?1 ORDER BY id LIMIT ?2",
                )?
                .query_map(params![queue.as_str(), integer(limit)], |row| {
                    let at = row.get(1).map(Timestamp::from_millis)?;
                    Ok(DeadLetter::new(row.get(0)?, Some(at)))
                })?
                .collect()
        })
    }

    async fn redrive(&self, queue: QueueName, which: &Which) -> Result<usize, PortError> {
        let (which, now) = (which.clone(), self.0.clock.now());
        self.write_and_wake("redrive dead letters", queue, move |connection| {
            let found = meant(connection, queue.as_str(), &which)?;
            let mut send = connection.prepare_cached(
                "INSERT INTO message (queue, visible_at, attempts, held, body)
                 SELECT queue, ?2, 0, 0, body FROM dead_letter WHERE id = ?1",
            )?;
            for id in &found {
                send.execute([*id, now.as_millis()])?;
            }
            forget_letters(connection, &found)
        })
        .await
    }

    async fn discard(&self, queue: DeadQueue, which: &Which) -> Result<usize, PortError> {
        let which = which.clone();
        self.write("discard dead letters", move |connection| {
            let found = meant(connection, queue.as_str(), &which)?;
            forget_letters(connection, &found)
        })
        .await
    }
}

/// The rows of the letters that are meant.
fn meant(connection: &Connection, queue: &str, which: &Which) -> rusqlite::Result<Vec<i64>> {
    let mut letters = connection
        .prepare_cached("SELECT id, body FROM dead_letter WHERE queue = ?1 ORDER BY id")?;
    let mut rows = letters.query([queue])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let is_meant = match which {
            Which::All => true,
            Which::These(_) => which.takes(&dead_id(row.get_ref(1)?.as_str()?)),
        };
        if is_meant {
            found.push(row.get(0)?);
        }
        if found.len() == DEAD_AT_ONCE_MAX {
            break;
        }
    }
    Ok(found)
}

fn forget_letters(connection: &Connection, rows: &[i64]) -> rusqlite::Result<usize> {
    let mut delete = connection.prepare_cached("DELETE FROM dead_letter WHERE id = ?1")?;
    rows.iter().map(|id| delete.execute([id])).sum()
}

impl Failures for Sqlite {
    async fn put_failure(&self, failure: &Failure) -> Result<(), PortError> {
        let json = serde_json::to_string(failure).expect("a note has only string keys");
        let (message, expires_at) = (failure.message.clone(), failure.expires_at.as_millis());
        self.write("note a failure", move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO failure (message, expires_at, failure) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET
                         expires_at = excluded.expires_at,
                         failure = excluded.failure",
                )?
                .execute(params![message, expires_at, json])
                .map(drop)
        })
        .await
    }

    async fn failure(&self, message: &str) -> Result<Option<Failure>, PortError> {
        self.read("read why a message failed", |connection| {
            connection
                .prepare_cached("SELECT failure FROM failure WHERE message = ?1")?
                .query_row([message], |row| {
                    let note = row.get_ref(0)?.as_str()?;
                    serde_json::from_str(note).map_err(|source| unreadable(0, source))
                })
                .optional()
        })
    }
}

/// Forgets up to `limit` notes that have expired at `now`; tells how many.
pub(super) fn forget(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM failure WHERE rowid IN
             (SELECT rowid FROM failure WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([now.as_millis(), integer(limit)])
}
