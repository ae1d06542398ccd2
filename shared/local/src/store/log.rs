//! The dispatch log.

use rusqlite::{Connection, OptionalExtension, params};
use sop_core::Timestamp;
use sop_core::id::{EventId, Tenant};
use sop_runtime::port::{EventLog, LogLine, LogPage, LogQuery, PortError};

use crate::store::error::unreadable;
use crate::store::{Sqlite, integer};

impl EventLog for Sqlite {
    async fn record(&self, line: &LogLine) -> Result<(), PortError> {
        let bare = LogLine { payload: None, ..line.clone() };
        let json = serde_json::to_string(&bare).expect("a line has only string keys");
        let payload = line.payload.clone();
        let (tenant, event) = (line.tenant.clone(), line.event.clone());
        let (time, expires_at) = (line.time.as_millis(), line.expires_at.as_millis());
        self.write("record an event", move |connection| {
            if let Some(payload) = &payload {
                connection
                    .prepare_cached(
                        "INSERT INTO payload (tenant, event, expires_at, text)
                         VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT DO UPDATE SET
                             expires_at = excluded.expires_at,
                             text = excluded.text",
                    )?
                    .execute(params![tenant.as_str(), event.as_str(), expires_at, payload])?;
            }
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

    async fn payload(&self, tenant: &Tenant, event: &EventId) -> Result<Option<String>, PortError> {
        self.read("read a recorded payload", |connection| {
            connection
                .prepare_cached("SELECT text FROM payload WHERE tenant = ?1 AND event = ?2")?
                .query_row([tenant.as_str(), event.as_str()], |row| row.get(0))
                .optional()
        })
    }

    async fn tally(
        &self,
        tenant: &Tenant,
        minute: Timestamp,
        expires_at: Timestamp,
    ) -> Result<u64, PortError> {
        let tenant = tenant.clone();
        self.write("count an event", move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO tally (tenant, minute, count, expires_at) VALUES (?1, ?2, 1, ?3)
                     ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count",
                )?
                .query_row(
                    params![tenant.as_str(), minute.as_millis(), expires_at.as_millis()],
                    |row| row.get(0).map(i64::unsigned_abs),
                )
        })
        .await
    }

    async fn tallied(&self, tenant: &Tenant, minute: Timestamp) -> Result<u64, PortError> {
        let count = self.read("read a count of events", |connection| {
            connection
                .prepare_cached("SELECT count FROM tally WHERE tenant = ?1 AND minute = ?2")?
                .query_row(params![tenant.as_str(), minute.as_millis()], |row| {
                    row.get(0).map(i64::unsigned_abs)
                })
                .optional()
        })?;
        Ok(count.unwrap_or_default())
    }
}

/// Forgets up to `limit` lines, payloads and counts, each, that have expired at `now`; tells how many.
pub(super) fn forget(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    let of = |sql: &str| connection.prepare_cached(sql)?.execute([now.as_millis(), integer(limit)]);
    let lines = of("DELETE FROM log WHERE rowid IN
         (SELECT rowid FROM log WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)")?;
    let payloads = of("DELETE FROM payload WHERE rowid IN
         (SELECT rowid FROM payload WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)")?;
    let tallies = of("DELETE FROM tally WHERE (tenant, minute) IN
         (SELECT tenant, minute FROM tally WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)")?;
    Ok(lines + payloads + tallies)
}
