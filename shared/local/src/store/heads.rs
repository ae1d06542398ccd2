//! Heads, and the lists made of them.

use rusqlite::{OptionalExtension, Params, Row, params};
use sop_core::Timestamp;
use sop_core::engine::Head;
use sop_core::id::{RunId, SopName, Tenant};
use sop_runtime::port::{HeadPage, Heads, PortError};

use crate::store::error::unreadable;
use crate::store::{Sqlite, integer};

impl Heads for Sqlite {
    async fn project(&self, head: &Head) -> Result<(), PortError> {
        let json = serde_json::to_string(head).expect("a head has only string keys");
        let head = head.clone();
        self.write("project a run", move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO head (run, tenant, sop, seq, due, inbox, queue, head)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT DO UPDATE SET
                         seq = excluded.seq,
                         due = excluded.due,
                         inbox = excluded.inbox,
                         queue = excluded.queue,
                         head = excluded.head
                     WHERE excluded.seq > seq",
                )?
                .execute(params![
                    head.run.as_str(),
                    head.tenant.as_str(),
                    head.sop.as_str(),
                    integer(head.seq),
                    head.due.map(Timestamp::as_millis),
                    head.inbox.map(Timestamp::as_millis),
                    head.queue.map(Timestamp::as_millis),
                    json
                ])
                .map(drop)
        })
        .await
    }

    async fn head(&self, run: &RunId) -> Result<Option<Head>, PortError> {
        self.read("read the head of a run", |connection| {
            connection
                .prepare_cached("SELECT head FROM head WHERE run = ?1")?
                .query_row([run.as_str()], parse)
                .optional()
        })
    }

    async fn runs(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<HeadPage, PortError> {
        // `~` sorts behind every run.
        let before = after.unwrap_or("~");
        let heads = self.list(
            "list runs",
            "SELECT head FROM head WHERE tenant = ?1 AND run < ?2 ORDER BY run DESC LIMIT ?3",
            params![tenant.as_str(), before, one_more(limit)],
            parse,
        )?;
        Ok(page(heads, limit, |head| head.run.to_string()))
    }

    async fn inbox(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<HeadPage, PortError> {
        let (since, run) = match after {
            None => (i64::MIN, ""),
            Some(after) => after
                .split_once(['.', '#'])
                .and_then(|(since, run)| Some((since.parse().ok()?, run)))
                .ok_or_else(|| PortError::permanent("list the inbox", "no page begins there"))?,
        };
        let heads = self.list(
            "list the inbox",
            "SELECT head FROM head
             WHERE inbox IS NOT NULL AND tenant = ?1 AND (inbox, run) > (?2, ?3)
             ORDER BY inbox, run LIMIT ?4",
            params![tenant.as_str(), since, run, one_more(limit)],
            parse,
        )?;
        Ok(page(heads, limit, |head| {
            format!("{}.{}", head.inbox.unwrap_or_default().as_millis(), head.run)
        }))
    }

    async fn queued(
        &self,
        tenant: &Tenant,
        sop: &SopName,
        limit: usize,
    ) -> Result<Vec<RunId>, PortError> {
        self.list(
            "list the runs that wait for a slot",
            "SELECT run FROM head WHERE queue IS NOT NULL AND tenant = ?1 AND sop = ?2
             ORDER BY queue, run LIMIT ?3",
            params![tenant.as_str(), sop.as_str(), integer(limit)],
            run,
        )
    }

    async fn due(
        &self,
        tenant: &Tenant,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<(RunId, Timestamp)>, PortError> {
        self.list(
            "list due runs",
            "SELECT run, due FROM head WHERE due IS NOT NULL AND tenant = ?1 AND due <= ?2
             ORDER BY due, run LIMIT ?3",
            params![tenant.as_str(), now.as_millis(), integer(limit)],
            |row| Ok((run(row)?, Timestamp::from_millis(row.get(1)?))),
        )
    }
}

impl Sqlite {
    /// The rows that `sql` finds, each made an item.
    pub(super) fn list<T>(
        &self,
        action: &'static str,
        sql: &'static str,
        place: impl Params,
        item: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, PortError> {
        self.read(action, |connection| {
            connection.prepare_cached(sql)?.query_map(place, item)?.collect()
        })
    }
}

fn parse(row: &Row<'_>) -> rusqlite::Result<Head> {
    serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|source| unreadable(0, source))
}

fn run(row: &Row<'_>) -> rusqlite::Result<RunId> {
    RunId::parse(row.get_ref(0)?.as_str()?).map_err(|source| unreadable(0, source))
}

/// A row more than the page holds tells whether another follows.
fn one_more(limit: usize) -> i64 {
    integer(limit).saturating_add(1)
}

fn page(mut heads: Vec<Head>, limit: usize, key: impl Fn(&Head) -> String) -> HeadPage {
    let more = heads.len() > limit;
    heads.truncate(limit);
    let next = heads.last().filter(|_| more).map(key);
    HeadPage { heads, next }
}
