//! Texts named by their digest: blobs, snapshots and definitions.

use rusqlite::OptionalExtension;
use sop_core::id::Digest;
use sop_runtime::port::{Blobs, PortError};

use crate::store::Sqlite;

/// What a text is. One digest may name one of each.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Blob,
    Snapshot,
    Definition,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Snapshot => "snapshot",
            Self::Definition => "definition",
        }
    }
}

impl Sqlite {
    /// Stores `text` unless it is there.
    pub(super) async fn put_content(
        &self,
        action: &'static str,
        kind: Kind,
        digest: &Digest,
        text: &str,
    ) -> Result<(), PortError> {
        let (digest, text) = (digest.to_string(), text.to_owned());
        self.write(action, move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO content (kind, digest, text) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO NOTHING",
                )?
                .execute([kind.as_str(), &digest, &text])
                .map(drop)
        })
        .await
    }

    /// The text, if it is there.
    pub(super) fn content(
        &self,
        action: &'static str,
        kind: Kind,
        digest: &Digest,
    ) -> Result<Option<String>, PortError> {
        self.read(action, |connection| {
            connection
                .prepare_cached("SELECT text FROM content WHERE kind = ?1 AND digest = ?2")?
                .query_row([kind.as_str(), &digest.to_string()], |row| row.get(0))
                .optional()
        })
    }
}

impl Blobs for Sqlite {
    async fn put_blob(&self, digest: &Digest, text: &str) -> Result<(), PortError> {
        self.put_content("store a blob", Kind::Blob, digest, text).await
    }

    async fn blob(&self, digest: &Digest) -> Result<Option<String>, PortError> {
        self.content("read a blob", Kind::Blob, digest)
    }
}
