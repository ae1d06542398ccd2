//! The dispatch log.

use rusqlite::{Connection, params};
use sop_core::Timestamp;
use sop_runtime::port::{EventLog, LogLine, LogPage, LogQuery, PortError};

use crate::store::error::unreadable;
use crate::store::{Sqlite, integer};

impl EventLog for Sqlite {
    async fn record(&self, line: &LogLine) -> Result<(), PortError> {
        let json = serde_json::to_string(line).expect("a line has only string keys");
        let (tenant, event) = (line.tenant.clone(), line.event.clone());
        let (time, expires_at) = (line.time.as_millis(), line.expires_at.as_millis());
        self.write("record an event", move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO log (tenant, time, event, expires_at, line)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET
                         expires_at = excluded.expires_at,
                         line = excluded.line",
                )?
                .execute(params![tenant.as_str(), time, event.as_str(), expires_at, json])
                .map(drop)
        })
        .await
    }

    async fn list(&self, query: &LogQuery) -> Result<LogPage, PortError> {
        let action = "list the dispatch log";
        let until = query.until.as_millis();
        // `~` sorts behind every event.
        let (time, event) = match &query.after {
            None => (until, "~"),
            Some(after) => after
                .split_once(['.', '#'])
                .and_then(|(time, event)| Some((time.parse().ok()?, event)))
                .ok_or_else(|| PortError::permanent(action, "no page begins there"))?,
        };
        let mut lines: Vec<LogLine> = self.read(action, |connection| {
            let mut lines = connection.prepare_cached(
                "SELECT line FROM log
                 WHERE tenant = ?1 AND time >= ?2 AND time <= ?3 AND (time, event) < (?4, ?5)
                 ORDER BY time DESC, event DESC LIMIT ?6",
            )?;
            let more = integer(query.limit).saturating_add(1);
            let since = query.since.as_millis();
            let place = params![query.tenant.as_str(), since, until, time, event, more];
            lines
                .query_map(place, |row| {
                    let line = row.get_ref(0)?.as_str()?;
                    serde_json::from_str(line).map_err(|source| unreadable(0, source))
                })?
                .collect()
        })?;
        let more = lines.len() > query.limit;
        lines.truncate(query.limit);
        let last = lines.last().filter(|_| more);
        let next = last.map(|line| format!("{}.{}", line.time.as_millis(), line.event));
        Ok(LogPage { lines, next })
    }
}

/// Forgets up to `limit` lines that have expired at `now`; tells how many.
pub(super) fn forget(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM log WHERE rowid IN
             (SELECT rowid FROM log WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute([now.as_millis(), integer(limit)])
}
