//! The ledger: one entry a transition, each naming the hash of the one before it.
//!
//! The bytes that are hashed are the bytes that are stored: [`Sealed::body`] is kept verbatim by every
//! store, so that an auditor can verify a run without trusting any of our code but SHA-256.

mod verify;

use serde::{Deserialize, Serialize};

use crate::engine::{Answer, Fact, Ran, Run};
use crate::id::{Digest, InputId, RunId};
use crate::time::Timestamp;

pub use verify::{Broken, Verified, verify};

/// The newest entry format this build writes and reads.
pub const FORMAT: u16 = 1;

/// One entry: what happened, by whom, and the run after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Format of the entry.
    pub v: u16,
    /// Its place in the run's journal, from 0.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The input that led to it.
    pub input: InputId,
    /// Who: `event`, `executor`, `clock`, `admission`, or a person's subject.
    pub by: String,
    /// What happened.
    pub fact: Fact,
    /// Whether the run had to queue because its SOP had no free slot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub queued: bool,
    /// When the built-in was at work whose outcome this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran: Option<Ran>,
    /// What conditions and templates came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Answer>,
    /// Hash of the entry before; absent for entry 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<Digest>,
    /// The run after it.
    pub after: Run,
}

/// An entry as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The run it belongs to.
    pub run: RunId,
    /// Its place in the run's journal, from 0.
    pub seq: u64,
    /// The input that led to it: the same input again is a duplicate, not a conflict.
    pub input: InputId,
    /// SHA-256 of `body`.
    pub hash: Digest,
    /// The entry in JSON, verbatim.
    pub body: String,
}

/// Why a stored entry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// It is not an entry.
    #[error("entry {seq} of run `{run}` cannot be read")]
    Unreadable {
        /// The run.
        run: RunId,
        /// The entry.
        seq: u64,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A newer build wrote it.
    #[error("entry {seq} of run `{run}` has format {found}; this build reads up to {FORMAT}")]
    NewerFormat {
        /// The run.
        run: RunId,
        /// The entry.
        seq: u64,
        /// Its format.
        found: u16,
    },
}

impl Entry {
    /// The form that is stored.
    pub fn seal(&self) -> Sealed {
        let body = serde_json::to_string(self).expect("an entry has only string keys");
        Sealed {
            run: self.after.identity.id.clone(),
            seq: self.seq,
            input: self.input.clone(),
            hash: Digest::of(body.as_bytes()),
            body,
        }
    }
}

impl Sealed {
    /// Reads the entry.
    ///
    /// # Errors
    /// When the body is not an entry, or one of a newer format.
    pub fn open(&self) -> Result<Entry, EntryError> {
        #[derive(Deserialize)]
        struct Format {
            v: u16,
        }
        let unreadable =
            |source| EntryError::Unreadable { run: self.run.clone(), seq: self.seq, source };
        let Format { v } = serde_json::from_str(&self.body).map_err(unreadable)?;
        if v > FORMAT {
            return Err(EntryError::NewerFormat { run: self.run.clone(), seq: self.seq, found: v });
        }
        serde_json::from_str(&self.body).map_err(unreadable)
    }
}
