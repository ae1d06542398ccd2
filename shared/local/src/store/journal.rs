//! Journals and admission counters.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sop_core::Timestamp;
use sop_core::engine::{Counters, SlotChange};
use sop_core::id::{Digest, InputId, RunId, SopName, Tenant};
use sop_core::journal::Sealed;
use sop_runtime::port::{Append, Journal, PortError};

use crate::store::error::unreadable;
use crate::store::{Sqlite, integer};

impl Journal for Sqlite {
    async fn latest(&self, run: &RunId) -> Result<Option<Sealed>, PortError> {
        self.read("read the newest entry of a run", |connection| {
            connection
                .prepare_cached(
                    "SELECT seq, input, hash, body FROM entry WHERE run = ?1
                     ORDER BY seq DESC LIMIT 1",
                )?
                .query_row([run.as_str()], |row| sealed(run, row))
                .optional()
        })
    }

    async fn entry(&self, run: &RunId, seq: u64) -> Result<Option<Sealed>, PortError> {
        self.read("read an entry of a run", |connection| entry_at(connection, run, seq))
    }

    async fn entries(
        &self,
        run: &RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Sealed>, PortError> {
        self.read("list the entries of a run", |connection| {
            let mut entries = connection.prepare_cached(
                "SELECT seq, input, hash, body FROM entry WHERE run = ?1 AND seq >= ?2
                 ORDER BY seq LIMIT ?3",
            )?;
            let place = params![run.as_str(), integer(from), integer(limit)];
            entries.query_map(place, |row| sealed(run, row))?.collect()
        })
    }

    async fn append(&self, entry: &Sealed, slot: Option<&SlotChange>) -> Result<Append, PortError> {
        let (entry, slot) = (entry.clone(), slot.cloned());
        self.write("append an entry", move |connection| append(connection, &entry, slot.as_ref()))
            .await
    }

    async fn counters(&self, tenant: &Tenant, sop: &SopName) -> Result<Counters, PortError> {
        self.read("read the counters of an SOP", |connection| counters(connection, tenant, sop))
    }

    async fn total(&self, tenant: &Tenant) -> Result<u32, PortError> {
        self.read("read the counter of the workspace", |connection| total(connection, tenant))
    }

    async fn congested(&self, tenant: &Tenant, limit: usize) -> Result<Vec<SopName>, PortError> {
        self.read("list the SOPs with waiting runs", |connection| {
            let mut sops = connection.prepare_cached(
                "SELECT sop FROM counter WHERE tenant = ?1 AND waiting > 0 ORDER BY sop LIMIT ?2",
            )?;
            let sop = |row: &Row<'_>| {
                SopName::parse(row.get_ref(0)?.as_str()?).map_err(|source| unreadable(0, source))
            };
            sops.query_map(params![tenant.as_str(), integer(limit)], sop)?.collect()
        })
    }
}

/// The entry of `run` in a row of `seq, input, hash, body`.
fn sealed(run: &RunId, row: &Row<'_>) -> rusqlite::Result<Sealed> {
    let input = InputId::parse(row.get_ref(1)?.as_str()?);
    let hash = Digest::parse(row.get_ref(2)?.as_str()?);
    Ok(Sealed {
        run: run.clone(),
        seq: row.get::<_, i64>(0)?.unsigned_abs(),
        input: input.map_err(|source| unreadable(1, source))?,
        hash: hash.map_err(|source| unreadable(2, source))?,
        body: row.get(3)?,
    })
}

fn entry_at(connection: &Connection, run: &RunId, seq: u64) -> rusqlite::Result<Option<Sealed>> {
    connection
        .prepare_cached("SELECT seq, input, hash, body FROM entry WHERE run = ?1 AND seq = ?2")?
        .query_row(params![run.as_str(), integer(seq)], |row| sealed(run, row))
        .optional()
}

fn counters(connection: &Connection, tenant: &Tenant, sop: &SopName) -> rusqlite::Result<Counters> {
    let found = connection
        .prepare_cached(
            "SELECT active, waiting, open, pending, completed_at, latest FROM counter
             WHERE tenant = ?1 AND sop = ?2",
        )?
        .query_row([tenant.as_str(), sop.as_str()], |row| {
            let latest = row.get_ref(5)?.as_str_or_null()?.map(RunId::parse).transpose();
            Ok(Counters {
                active: row.get(0)?,
                waiting: row.get(1)?,
                open: row.get(2)?,
                pending: row.get(3)?,
                completed_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
                latest: latest.map_err(|source| unreadable(5, source))?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn total(connection: &Connection, tenant: &Tenant) -> rusqlite::Result<u32> {
    let found = connection
        .prepare_cached("SELECT active FROM total WHERE tenant = ?1")?
        .query_row([tenant.as_str()], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

fn append(
    connection: &Connection,
    entry: &Sealed,
    slot: Option<&SlotChange>,
) -> rusqlite::Result<Append> {
    if let Some(there) = entry_at(connection, &entry.run, entry.seq)? {
        return Ok(if there.input == entry.input {
            Append::Duplicate(Box::new(there))
        } else {
            Append::Conflict
        });
    }
    if let Some(slot) = slot {
        let counters = counters(connection, &slot.tenant, &slot.sop)?;
        // What neither takes nor gives back a slot leaves the workspace's counter alone.
        let total = match slot.total_max.filter(|_| slot.active != 0) {
            Some(max) => Some((total(connection, &slot.tenant)?, max)),
            None => None,
        };
        let workspace_is_full = slot.active > 0 && total.is_some_and(|(total, max)| total >= max);
        if is_full(&counters, slot) || workspace_is_full {
            return Ok(Append::Full);
        }
        keep_counters(connection, slot, &counters)?;
        if let Some((total, _)) = total {
            keep_total(connection, slot, total)?;
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO entry (run, seq, input, hash, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            entry.run.as_str(),
            integer(entry.seq),
            entry.input.as_str(),
            entry.hash.to_string(),
            entry.body
        ])?;
    Ok(Append::Appended)
}

/// Whether a count has reached its bound in `slot`, the workspace's aside.
fn is_full(counters: &Counters, slot: &SlotChange) -> bool {
    [
        (counters.active, slot.active_max),
        (counters.open, slot.open_max),
        (counters.pending, slot.pending_max),
    ]
    .into_iter()
    .any(|(count, max)| max.is_some_and(|max| count >= max))
}

/// Writes `counters` as `slot` changes them.
fn keep_counters(
    connection: &Connection,
    slot: &SlotChange,
    counters: &Counters,
) -> rusqlite::Result<usize> {
    let completed_at = counters.completed_at.max(slot.completed_at);
    let latest = slot.latest.as_ref().or(counters.latest.as_ref());
    connection
        .prepare_cached(
            "INSERT INTO counter
                 (tenant, sop, active, waiting, open, pending, completed_at, latest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET
                 active = excluded.active,
                 waiting = excluded.waiting,
                 open = excluded.open,
                 pending = excluded.pending,
                 completed_at = excluded.completed_at,
                 latest = excluded.latest",
        )?
        .execute(params![
            slot.tenant.as_str(),
            slot.sop.as_str(),
            counters.active.saturating_add_signed(slot.active),
            counters.waiting.saturating_add_signed(slot.waiting),
            counters.open.saturating_add_signed(slot.open),
            counters.pending.saturating_add_signed(slot.pending),
            completed_at.map(Timestamp::as_millis),
            latest.map(RunId::as_str)
        ])
}

/// Writes the workspace's counter, which says `total`, as `slot` changes it.
fn keep_total(connection: &Connection, slot: &SlotChange, total: u32) -> rusqlite::Result<usize> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO total (tenant, active) VALUES (?1, ?2)")?
        .execute(params![slot.tenant.as_str(), total.saturating_add_signed(slot.active)])
}
