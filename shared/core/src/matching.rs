//! The index that tells which SOPs an event starts, and why the others do not.
//!
//! One matcher serves every source, the dry run and the backtest. `index` finds the triggers whose key
//! (path, topic, expression, board and signal, name) fits, by hash or in the `trie`; their conditions are
//! asked only then, over a payload that is parsed at most once. `explain` goes through triggers one by one
//! and puts the answer into words; tests hold the two against each other.

use serde::{Deserialize, Serialize};

use crate::definition::{Definition, Trigger};
use crate::id::{Digest, SopName};

mod explain;
mod index;
#[cfg(test)]
mod tests;
mod trie;
mod wait;

pub use explain::{Candidates, SopVerdict, describe};
pub use index::{Index, Match, Schedule, WebhookRoute};
pub use wait::Wait;

/// The format of a [`Snapshot`] that this build writes, and the newest that it reads.
pub const SNAPSHOT_FORMAT: u16 = 1;

/// What matching and admission need to know of one active SOP: the unit of the catalog's snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// Unique in a snapshot.
    pub name: SopName,
    /// Names the definition.
    pub digest: Digest,
    /// The author's version.
    pub version: String,
    /// What starts it, in the author's order.
    pub triggers: Vec<Trigger>,
    /// Runs that may be running at once; unlimited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
    /// Seconds after a completed run in which events start nothing; 0 is none.
    #[serde(default)]
    pub cooldown_secs: u64,
    /// IANA time zone of its schedules.
    pub timezone: String,
}

impl From<&Definition> for Listed {
    fn from(definition: &Definition) -> Self {
        Self {
            name: definition.name.clone(),
            digest: definition.digest(),
            version: definition.version.clone(),
            triggers: definition.triggers.clone(),
            max_concurrent: definition.max_concurrent,
            cooldown_secs: definition.cooldown_secs,
            timezone: definition.timezone.clone(),
        }
    }
}

impl Listed {
    /// Whether starts and finishes go through the SOP's admission counter.
    pub fn has_admission(&self) -> bool {
        self.max_concurrent.is_some() || self.cooldown_secs > 0
    }
}

/// All active SOPs at one moment; immutable, and named by the digest of its JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// [`SNAPSHOT_FORMAT`] of the build that wrote it.
    pub format: u16,
    /// The SOPs, sorted by name.
    pub sops: Vec<Listed>,
}

impl Snapshot {
    /// The snapshot of `sops`, in the order of their names.
    pub fn new(sops: impl IntoIterator<Item = Listed>) -> Self {
        let mut sops: Vec<Listed> = sops.into_iter().collect();
        sops.sort_by(|a, b| a.name.cmp(&b.name));
        Self { format: SNAPSHOT_FORMAT, sops }
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::new([])
    }
}

/// The subject of a peripheral event, `board/signal`; `None` when a name is empty or has a slash, since
/// two devices could then share a subject.
pub fn peripheral_subject(board: &str, signal: &str) -> Option<String> {
    let is_name = |name: &str| !name.is_empty() && !name.contains('/');
    (is_name(board) && is_name(signal)).then(|| format!("{board}/{signal}"))
}
