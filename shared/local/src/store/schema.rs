//! The tables.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::store::error::OpenError;

/// Marks a file as ours: "SOPW".
const APPLICATION_ID: i64 = 0x534f_5057;

/// The format that this build reads and writes. Entries and heads of format 1 mean something else.
const FORMAT: i64 = 2;

/// Pages that the write-ahead log holds before it is folded into the file.
const WAL_PAGES: u32 = 4_000;

/// Statements that a connection keeps ready: more than the store has.
const STATEMENTS: usize = 96;

/// Format 2. Tables whose rows may be long have a rowid, so that keys stay dense in their index.
const TABLES: &str = "
CREATE TABLE entry (
    run TEXT NOT NULL,
    seq INTEGER NOT NULL,
    input TEXT NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (run, seq)
) STRICT;
CREATE TABLE counter (
    tenant TEXT NOT NULL,
    sop TEXT NOT NULL,
    active INTEGER NOT NULL CHECK (active >= 0),
    waiting INTEGER NOT NULL CHECK (waiting >= 0),
    open INTEGER NOT NULL CHECK (open >= 0),
    pending INTEGER NOT NULL CHECK (pending >= 0),
    completed_at INTEGER,
    latest TEXT,
    PRIMARY KEY (tenant, sop)
) STRICT, WITHOUT ROWID;
CREATE TABLE total (
    tenant TEXT NOT NULL PRIMARY KEY,
    active INTEGER NOT NULL CHECK (active >= 0)
) STRICT, WITHOUT ROWID;
CREATE TABLE content (
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (kind, digest)
) STRICT;
CREATE TABLE head (
    run TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    sop TEXT NOT NULL,
    seq INTEGER NOT NULL,
    due INTEGER,
    inbox INTEGER,
    queue INTEGER,
    head TEXT NOT NULL
) STRICT;
CREATE INDEX head_runs ON head (tenant, run);
CREATE INDEX head_due ON head (tenant, due, run) WHERE due IS NOT NULL;
CREATE INDEX head_inbox ON head (tenant, inbox, run) WHERE inbox IS NOT NULL;
CREATE INDEX head_queue ON head (tenant, sop, queue, run) WHERE queue IS NOT NULL;
CREATE TABLE wait (
    key TEXT NOT NULL,
    run TEXT NOT NULL,
    step INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (key, run, step)
) STRICT;
CREATE INDEX wait_expired ON wait (expires_at);
CREATE TABLE catalog (
    tenant TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    snapshot TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE version (
    tenant TEXT NOT NULL,
    sop TEXT NOT NULL,
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    pushed_at INTEGER NOT NULL,
    pushed_by TEXT NOT NULL,
    published_at INTEGER,
    published_by TEXT,
    UNIQUE (tenant, sop, digest)
) STRICT;
CREATE INDEX version_pushed ON version (tenant, sop, pushed_at DESC, digest);
CREATE TABLE log (
    tenant TEXT NOT NULL,
    time INTEGER NOT NULL,
    event TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    line TEXT NOT NULL,
    UNIQUE (tenant, time, event)
) STRICT;
CREATE INDEX log_expired ON log (expires_at);
CREATE TABLE claim (
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    record TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (tenant, key)
) STRICT;
CREATE INDEX claim_expired ON claim (expires_at);
CREATE TABLE token (
    hash TEXT NOT NULL PRIMARY KEY,
    token TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE pairing (
    tenant TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    pairing TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE cron (
    tenant TEXT NOT NULL PRIMARY KEY,
    last_check INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    visible_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    held INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX message_visible ON message (queue, visible_at);
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    died_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX dead_letter_queue ON dead_letter (queue);
";

/// Tables that came after format 2 was first written: a store without them gets them when it is opened.
const ADDED: &str = "
CREATE TABLE IF NOT EXISTS payload (
    tenant TEXT NOT NULL,
    event TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (tenant, event)
) STRICT;
CREATE INDEX IF NOT EXISTS payload_expired ON payload (expires_at);
CREATE TABLE IF NOT EXISTS tally (
    tenant TEXT NOT NULL,
    minute INTEGER NOT NULL,
    count INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tally_expired ON tally (expires_at);
CREATE TABLE IF NOT EXISTS failure (
    message TEXT NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL,
    failure TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS failure_expired ON failure (expires_at);
CREATE TABLE IF NOT EXISTS routine (
    tenant TEXT NOT NULL,
    sop TEXT NOT NULL,
    routine TEXT NOT NULL,
    PRIMARY KEY (tenant, sop)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rate (
    tenant TEXT NOT NULL,
    client TEXT NOT NULL,
    window INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, client, window)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rate_expired ON rate (expires_at);
";

/// Makes sure that the file at `path` is a store of this format, making one of an empty file.
///
/// A file that is something else is left as it is.
pub(super) fn prepare(path: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let refused = |source| OpenError::sqlite(path, source);
    let number = |sql: &str| connection.query_one(sql, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id").map_err(refused)?;
    let format = number("PRAGMA user_version").map_err(refused)?;
    let things = number("SELECT count(*) FROM sqlite_schema").map_err(refused)?;
    match (application, format) {
        (0, 0) if things == 0 => create(connection).map_err(refused),
        (APPLICATION_ID, FORMAT) => match connection.is_readonly("main") {
            Ok(true) => Ok(()),
            Ok(false) => connection.execute_batch(ADDED).map_err(refused),
            Err(source) => Err(refused(source)),
        },
        (APPLICATION_ID, found) if found > FORMAT => {
            Err(OpenError::Newer { path: path.into(), found, newest: FORMAT })
        }
        (APPLICATION_ID, found) if found > 0 => {
            Err(OpenError::Older { path: path.into(), found, oldest: FORMAT })
        }
        (_, _) => Err(OpenError::Foreign { path: path.into() }),
    }
}

fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(ADDED)?;
    transaction.commit()
}

/// Sets a connection up: durable commits, a small cache, statements kept ready.
pub(super) fn tune(connection: &Connection, cache_kib: u32) -> rusqlite::Result<()> {
    if !connection.is_readonly("main")? {
        connection.query_one("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0))?;
        connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    }
    // FULL: a commit is an fsync of the write-ahead log.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}
