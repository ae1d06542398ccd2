//! Proving a run: the chain holds, and replaying it gives the states it recorded.

use crate::definition::Definition;
use crate::engine::{Run, replay};
use crate::id::Digest;
use crate::journal::{Entry, EntryError, Sealed};

/// What a verified journal says.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// How many entries it has.
    pub entries: u64,
    /// The hash of the newest: whoever noted it down earlier can tell that nothing was taken away.
    pub head: Digest,
    /// The run as the newest entry left it.
    pub run: Run,
}

/// Where a journal does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It has no entries.
    #[error("the journal is empty")]
    Empty,
    /// An entry cannot be read.
    #[error("an entry cannot be read")]
    Unreadable(#[from] EntryError),
    /// An entry is missing, or stands twice.
    #[error("entry {expected} is missing: found {found} in its place")]
    Gap {
        /// The seq that had to come.
        expected: u64,
        /// The seq that came.
        found: u64,
    },
    /// The bytes are not those that were hashed.
    #[error("entry {seq} was changed: its hash does not fit its text")]
    Hash {
        /// The entry.
        seq: u64,
    },
    /// The entry before is not the one it was made after.
    #[error("entry {seq} does not follow the entry before it: the chain is broken")]
    Chain {
        /// The entry.
        seq: u64,
    },
    /// The entry belongs to another run.
    #[error("entry {seq} belongs to another run")]
    Foreign {
        /// The entry.
        seq: u64,
    },
    /// The definition is not the one that the run names.
    #[error("the definition does not have the digest that the run names")]
    Definition,
    /// Replaying gives another state than the one recorded.
    #[error("entry {seq} does not lead to the state it records")]
    Replay {
        /// The entry.
        seq: u64,
    },
}

/// Verifies a whole journal, from entry 0 on: hashes, chain, order, and that each fact leads from the
/// state before to the state recorded.
///
/// It finds every changed byte and every entry that is missing, doubled or moved, but for one thing: entries
/// taken off the end leave a journal that holds. Who noted [`Verified::head`] down earlier can tell; so, of
/// the newest entry alone, can nobody else tell a text and hash that were changed together.
///
/// # Errors
/// [`Broken`] names the first entry that does not hold.
pub fn verify(entries: &[Sealed], sop: &Definition) -> Result<Verified, Broken> {
    let mut before: Option<(Run, Digest)> = None;
    for (expected, sealed) in (0_u64..).zip(entries) {
        let entry = sealed.open()?;
        if sealed.seq != expected || entry.seq != expected {
            return Err(Broken::Gap { expected, found: entry.seq.max(sealed.seq) });
        }
        check(sealed, &entry, before.as_ref(), sop)?;
        before = Some((entry.after, sealed.hash));
    }
    match before {
        Some((run, head)) => Ok(Verified { entries: entries.len() as u64, head, run }),
        None => Err(Broken::Empty),
    }
}

fn check(
    sealed: &Sealed,
    entry: &Entry,
    before: Option<&(Run, Digest)>,
    sop: &Definition,
) -> Result<(), Broken> {
    let seq = entry.seq;
    if Digest::of(sealed.body.as_bytes()) != sealed.hash {
        return Err(Broken::Hash { seq });
    }
    if entry.prev != before.map(|(_, hash)| *hash) {
        return Err(Broken::Chain { seq });
    }
    if entry.after.identity.id != sealed.run || entry.input != sealed.input {
        return Err(Broken::Foreign { seq });
    }
    if entry.after.identity.definition != sop.digest() {
        return Err(Broken::Definition);
    }
    let replayed = replay(sop, before.map(|(run, _)| run), entry);
    if replayed.as_ref() != Some(&entry.after) {
        return Err(Broken::Replay { seq });
    }
    Ok(())
}
