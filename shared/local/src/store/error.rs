//! What can go wrong.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::types::Type;
use sop_runtime::port::{BoxError, PortError};

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works with it: trying again helps once that has ended.
    #[error("another `sop dev` has `{path}`")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer build wrote it.
    #[error("`{path}` has format {found}; this build reads up to {newest}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest that this build reads.
        newest: i64,
    },
    /// An older build wrote it, in a way that this one would misread.
    #[error(
        "`{path}` has format {found}; this build reads from {oldest} on: \
         move it away, and a new one is made"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The oldest that this build reads.
        oldest: i64,
    },
    /// It is a file of something else.
    #[error("`{path}` is not a store of Sopwith; move it away or name another file")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It was a store.
    #[error("`{path}` is damaged; restore it from a copy")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where SQLite saw it.
        source: rusqlite::Error,
    },
    /// SQLite could not work with it.
    #[error("could not open the store `{path}`")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The system refused the file or the writer's thread.
    #[error("could not open the store `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl OpenError {
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.into();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            Some(_) | None => Self::Sqlite { path, source },
        }
    }
}

/// The error of a port whose call failed with `source`.
pub(super) fn port_error(action: &'static str, source: rusqlite::Error) -> PortError {
    match source.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::SystemIoFailure,
        ) => PortError::retryable(action, source),
        Some(_) | None => PortError::permanent(action, source),
    }
}

/// The error for a column whose text is not what was written there.
pub(super) fn unreadable(column: usize, source: impl Into<BoxError>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, source.into())
}
