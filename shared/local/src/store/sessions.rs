//! MQTT sessions: what a client that comes back after a restart finds again.
//!
//! A client sends again what was not acknowledged only to a server that still knows its session.

use std::time::Duration;

use rusqlite::{Connection, params};
use sop_core::topic::TopicFilter;
use sop_runtime::port::PortError;

use crate::mqtt::SESSIONS_MAX;
use crate::store::{Sqlite, integer};

/// One row a session; made where it is missing, so the format stays.
pub(super) const TABLE: &str = "
CREATE TABLE IF NOT EXISTS mqtt_session (
    client TEXT NOT NULL UNIQUE,
    kept_secs INTEGER NOT NULL,
    filters TEXT NOT NULL
) STRICT;
";

/// A session as it is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) client: String,
    /// How long after the client has left.
    pub(crate) kept: Duration,
    /// Filters, each with whether the client leaves out its own messages.
    pub(crate) filters: Vec<(TopicFilter, bool)>,
}

impl Sqlite {
    /// The sessions, those kept first first.
    pub(crate) fn sessions(&self) -> Result<Vec<Kept>, PortError> {
        self.read("read the MQTT sessions", |connection| {
            let mut found = connection
                .prepare("SELECT client, kept_secs, filters FROM mqtt_session ORDER BY rowid")?;
            let rows = found.query_map([], |row| {
                let filters: String = row.get(2)?;
                Ok(Kept {
                    client: row.get(0)?,
                    kept: Duration::from_secs(row.get::<_, i64>(1)?.unsigned_abs()),
                    // A client whose filters cannot be read subscribes again at worst.
                    filters: serde_json::from_str(&filters).unwrap_or_default(),
                })
            })?;
            rows.collect()
        })
    }

    /// Keeps a session, or changes it; of too many the one kept first is forgotten.
    pub(crate) async fn keep_session(&self, session: Kept) -> Result<(), PortError> {
        let filters =
            serde_json::to_string(&session.filters).expect("filters have only string keys");
        self.write("keep an MQTT session", move |connection| {
            let kept = params![session.client, integer(session.kept.as_secs()), filters];
            connection
                .prepare_cached(
                    "INSERT INTO mqtt_session (client, kept_secs, filters) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE
                     SET kept_secs = excluded.kept_secs, filters = excluded.filters",
                )?
                .execute(kept)?;
            trim(connection)
        })
        .await
    }

    /// Forgets a session.
    pub(crate) async fn forget_session(&self, client: String) -> Result<(), PortError> {
        self.write("forget an MQTT session", move |connection| {
            connection
                .prepare_cached("DELETE FROM mqtt_session WHERE client = ?1")?
                .execute([&client])
                .map(drop)
        })
        .await
    }
}

fn trim(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM mqtt_session WHERE rowid <=
             (SELECT rowid FROM mqtt_session ORDER BY rowid DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([integer(SESSIONS_MAX)])
        .map(drop)
}
