//! Connections that only read.

use std::path::Path;
use std::sync::{Mutex, PoisonError, TryLockError};

use rusqlite::{Connection, OpenFlags};

use crate::store::schema;

/// How many reads can be made at once: a long list on one does not keep a short read waiting.
const READERS: usize = 2;

/// KiB of pages that each keeps; the system's cache has the rest.
const CACHE_KIB: u32 = 1_024;

/// The connections.
pub(super) struct Readers([Mutex<Connection>; READERS]);

impl Readers {
    /// Opens the store at `path`, which has its tables.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let open = || -> rusqlite::Result<Mutex<Connection>> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            schema::tune(&connection, CACHE_KIB)?;
            Ok(Mutex::new(connection))
        };
        Ok(Self([open()?, open()?]))
    }

    /// Reads what is committed.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let free = self.0.iter().find_map(|reader| match reader.try_lock() {
            Ok(connection) => Some(connection),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        });
        let connection =
            free.unwrap_or_else(|| self.0[0].lock().unwrap_or_else(PoisonError::into_inner));
        work(&connection)
    }
}
