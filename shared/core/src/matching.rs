//! The index that tells which SOPs an event starts, and why the others do not.
//!
//! One matcher serves every source, the dry run and the backtest. `index` finds the triggers whose key
//! (path, topic, expression, board and signal, name) fits, by hash or in the `trie`; their conditions are
//! asked only then, over a payload that is parsed at most once. `explain` goes through triggers one by one
//! and puts the answer into words; tests hold the two against each other.

use serde::{Deserialize, Serialize};

use crate::definition::{AdmissionPolicy, Definition, Priority, Trigger};
use crate::id::{Digest, SopName};

mod explain;
mod index;
#[cfg(test)]
mod tests;
mod trie;
mod wait;

pub use explain::{Candidates, SopVerdict, describe};
pub use index::{Demands, Index, Match, Schedule, WebhookRoute};
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
    /// How urgent its runs are.
    #[serde(default)]
    pub priority: Priority,
    /// What becomes of an event while it is busy.
    #[serde(default, skip_serializing_if = "AdmissionPolicy::is_default")]
    pub admission_policy: AdmissionPolicy,
    /// Runs that may wait at a gate before events have to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pending_approvals: Option<u32>,
    /// What its runs wait for, and what runs of versions before it may still wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// Nothing starts it any more; it is listed for what its runs still wait for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
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
            priority: definition.priority,
            admission_policy: definition.admission_policy,
            max_pending_approvals: definition.max_pending_approvals,
            waits: Wait::all_of(definition),
            archived: false,
        }
    }
}

impl Listed {
    /// What is left of it when nothing is to start it any more, if anything.
    pub fn archive(mut self) -> Option<Self> {
        self.triggers.clear();
        self.archived = true;
        (!self.waits.is_empty()).then_some(self)
    }

    /// Adds what runs of the version before it may still wait for.
    pub fn inherit(&mut self, before: &Self) {
        for wait in &before.waits {
            if self.waits.len() < WAITS_MAX && !self.waits.contains(wait) {
                self.waits.push(wait.clone());
            }
        }
    }
}

/// Waits that an SOP is listed with, those of versions before it included.
const WAITS_MAX: usize = 256;

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

/// The subject of an event of a bus, `source/detail type`: a `/` in the source is written `%2F`, and a `%`
/// is `%25`, so that no two events share a subject.
///
/// What is absent is empty: no event has an empty source or detail type, so that such a subject is a
/// trigger's key alone.
pub fn event_subject(source: Option<&str>, detail_type: Option<&str>) -> String {
    let source = source.unwrap_or_default().replace('%', "%25").replace('/', "%2F");
    format!("{source}/{}", detail_type.unwrap_or_default())
}

/// Whether an event of a bus can have this subject.
pub fn is_event_subject(subject: &str) -> bool {
    let Some((source, detail_type)) = subject.split_once('/') else { return false };
    let escapes =
        source.split('%').skip(1).all(|rest| rest.starts_with("25") || rest.starts_with("2F"));
    escapes
        && !source.is_empty()
        && !detail_type.is_empty()
        && !subject.chars().any(char::is_control)
}

/// The keys that a trigger may have which takes an event with `subject`: exact, any detail type, any source.
fn event_keys(subject: &str) -> Option<[String; 3]> {
    let (source, detail_type) = subject.split_once('/')?;
    let is_whole = !source.is_empty() && !detail_type.is_empty();
    is_whole.then(|| [subject.to_owned(), format!("{source}/"), format!("/{detail_type}")])
}

/// The subject of a peripheral event, `board/signal`; `None` when a name is empty or has a slash, since
/// two devices could then share a subject.
pub fn peripheral_subject(board: &str, signal: &str) -> Option<String> {
    let is_name = |name: &str| !name.is_empty() && !name.contains('/');
    (is_name(board) && is_name(signal)).then(|| format!("{board}/{signal}"))
}
