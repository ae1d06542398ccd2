//! Store and queues in one SQLite file.
//!
//! One thread writes: it takes all the writes that wait, runs them in one transaction, commits once and
//! then tells every caller. Reads are made where they are asked for, on connections that cannot write:
//! the rows that decide are found in a few microseconds, less than a change of thread costs.

mod catalog;
mod content;
mod cron;
mod dead;
mod error;
mod heads;
mod idempotency;
mod journal;
mod log;
mod queue;
mod rates;
mod reader;
mod routines;
mod schema;
pub(crate) mod sessions;
mod tokens;
mod versions;
mod waits;
mod writer;

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use sop_core::Timestamp;
use sop_runtime::port::{Clock, PortError};

use reader::Readers;
use writer::Writer;

pub use error::OpenError;
pub use sop_runtime::port::RECEIVES_MAX;

/// Bytes of pages that the writing connection keeps, in KiB: the hot ends of the tables.
const WRITER_CACHE_KIB: u32 = 4 * 1024;

/// What a database begins with.
/// Source: "Database File Format", section 1.3, at sqlite.org.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Every table-like port, and the queues, in one file; clones are one store.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

// INVARIANT: dropped in this order. The writer's connection closes last, so that it folds the
// write-ahead log into the file, and only then may another process have the file.
struct Inner {
    readers: Readers,
    writer: Writer,
    clock: Arc<dyn Clock>,
    watches: queue::Watches,
    _lock: File,
}

impl Sqlite {
    /// Opens the store at `path`, which is made when it is not there; its directory must be. Queues go
    /// by `clock`.
    ///
    /// Messages that were being worked on when the file was last used can be received again at once.
    /// Beside the file are its `-wal`, `-shm` and `.lock`, which belong to it.
    ///
    /// # Errors
    /// When another process has the file, a newer build wrote it, it is something else or damaged, or
    /// the disk refuses.
    pub fn open(path: impl AsRef<Path>, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let lock = lock(path)?;
        if is_something_else(path).map_err(|source| OpenError::Io { path: path.into(), source })? {
            return Err(OpenError::Foreign { path: path.into() });
        }
        let refused = |source| OpenError::sqlite(path, source);
        let mut connection = Connection::open(path).map_err(refused)?;
        schema::prepare(path, &mut connection)?;
        connection.execute_batch(sessions::TABLE).map_err(refused)?;
        schema::tune(&connection, WRITER_CACHE_KIB).map_err(refused)?;
        queue::free_held(&connection, clock.now()).map_err(refused)?;
        let readers = Readers::open(path).map_err(refused)?;
        let writer = Writer::start(connection)
            .map_err(|source| OpenError::Io { path: path.into(), source })?;
        let watches = queue::Watches::default();
        Ok(Self(Arc::new(Inner { readers, writer, clock, watches, _lock: lock })))
    }

    /// Forgets up to `limit` lines of the log, notes of failures, idempotency keys and waits, each, that have expired at `now`;
    /// tells how many it forgot.
    ///
    /// # Errors
    /// When the file cannot be written; some may be gone.
    pub async fn forget_expired(&self, now: Timestamp, limit: usize) -> Result<usize, PortError> {
        self.write("forget what has expired", move |connection| {
            let lines =
                log::forget(connection, now, limit)? + dead::forget(connection, now, limit)?;
            let keys = idempotency::forget(connection, now, limit)?;
            let keys = keys + rates::forget(connection, now, limit)?;
            Ok(lines + keys + waits::forget(connection, now, limit)?)
        })
        .await
    }

    /// Makes a change, with others, in one transaction; returns when it is on the disk.
    ///
    /// `work` is made again from the start when another change in the transaction failed.
    async fn write<T: Send + 'static>(
        &self,
        action: &'static str,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        self.0.writer.write(action, work, |_| {}).await
    }

    fn read<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, PortError> {
        self.0.readers.read(work).map_err(|source| error::port_error(action, source))
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").finish_non_exhaustive()
    }
}

/// Locks the store at `path` for this process, until the file is dropped or the process ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let unlocked = |source| OpenError::Io { path: path.into(), source };
    private(&PathBuf::from(path)).map_err(unlocked)?;
    let file = private(&PathBuf::from(name)).map_err(unlocked)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.into() }),
        Err(TryLockError::Error(source)) => Err(unlocked(source)),
    }
}

/// Opens the file at `path`, making it readable by its owner alone when it is not there.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether the file at `path` holds something, but not a database: SQLite would take a file of a few
/// bytes for an empty one and write over it.
fn is_something_else(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    Ok(!start.is_empty() && start != MAGIC)
}

/// A number as SQLite has it; what does not fit is the greatest that does.
fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
