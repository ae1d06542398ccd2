//! Keys and attribute names of the one table. `docs/store.md` shows them in one place.
//!
//! Names are short since every name is paid for with every item.

use sop_core::Timestamp;
use sop_core::id::{Digest, EventId, RunId, SopName, Tenant};

/// Partition key of the table.
pub const PK: &str = "PK";
/// Sort key of the table.
pub const SK: &str = "SK";
/// Partition key of [`INDEX_RUNS`].
pub const G1: &str = "G1";
/// Sort key of [`INDEX_RUNS`].
pub const S1: &str = "S1";
/// Partition key of [`INDEX_DUE`].
pub const G2: &str = "G2";
/// Sort key of [`INDEX_DUE`].
pub const S2: &str = "S2";
/// Partition key of [`INDEX_INBOX`].
pub const G3: &str = "G3";
/// Sort key of [`INDEX_INBOX`].
pub const S3: &str = "S3";
/// Partition key of [`INDEX_QUEUE`].
pub const G4: &str = "G4";
/// Sort key of [`INDEX_QUEUE`].
pub const S4: &str = "S4";
/// When DynamoDB may delete the item, in seconds since the epoch.
pub const TTL: &str = "ttl";
/// The index of all runs; its keys never change once a head is there.
pub const INDEX_RUNS: &str = "runs";
/// The sparse index of runs that the sweep is to wake.
pub const INDEX_DUE: &str = "due";
/// The sparse index of runs that wait for a person.
pub const INDEX_INBOX: &str = "inbox";
/// The sparse index of runs that wait for a slot or to begin, and of SOPs that have such runs.
pub const INDEX_QUEUE: &str = "queue";
/// All indexes, each with its partition key and its sort key.
pub const INDEXES: [(&str, &str, &str); 4] =
    [(INDEX_RUNS, G1, S1), (INDEX_DUE, G2, S2), (INDEX_INBOX, G3, S3), (INDEX_QUEUE, G4, S4)];

/// The body: JSON, or a text's bytes.
pub(crate) const BODY: &str = "b";
/// SHA-256 of an entry's body, as 32 bytes.
pub(crate) const HASH: &str = "h";
/// The input that led to an entry.
pub(crate) const INPUT: &str = "i";
/// A version, a seq or a count of chunks.
pub(crate) const NUMBER: &str = "n";
/// An instant in milliseconds.
pub(crate) const AT: &str = "t";
/// Runs that hold a slot.
pub(crate) const ACTIVE: &str = "a";
/// Runs that wait for a slot.
pub(crate) const WAITING: &str = "w";
/// Runs that have begun and are not over.
pub(crate) const OPEN: &str = "o";
/// Runs that wait at a gate.
pub(crate) const PENDING: &str = "p";
/// The run that began last.
pub(crate) const LATEST: &str = "l";

/// The sort key of a head and of the catalog's.
pub(crate) const HEAD: &str = "HEAD";

/// What entries' sort keys begin with.
pub(crate) const ENTRIES: &str = "J#";

pub(crate) fn run(run: &RunId) -> String {
    format!("RUN#{run}")
}

pub(crate) fn entry(seq: u64) -> String {
    format!("{ENTRIES}{seq:010}")
}

pub(crate) fn admission(tenant: &Tenant, sop: &SopName) -> String {
    format!("ADM#{tenant}#{sop}")
}

pub(crate) fn total(tenant: &Tenant) -> String {
    format!("TOTAL#{tenant}")
}

pub(crate) fn runs_of(tenant: &Tenant) -> String {
    format!("RUNS#{tenant}")
}

pub(crate) fn congested_of(tenant: &Tenant) -> String {
    format!("ADMIT#{tenant}")
}

pub(crate) fn due_of(tenant: &Tenant) -> String {
    format!("DUE#{tenant}")
}

pub(crate) fn inbox_of(tenant: &Tenant) -> String {
    format!("INBOX#{tenant}")
}

pub(crate) fn queue_of(tenant: &Tenant, sop: &SopName) -> String {
    format!("QUEUE#{tenant}#{sop}")
}

/// 15 digits, so that texts sort as instants do: until the year 33658. Instants before 1970 are 1970.
pub(crate) fn millis(at: Timestamp) -> String {
    format!("{:015}", at.as_millis().clamp(0, 999_999_999_999_999))
}

/// A place in a list by time.
pub(crate) fn place(at: Timestamp, id: &str) -> String {
    format!("{}#{id}", millis(at))
}

/// Sorts after every [`place`] at `at` and before those of the next millisecond.
pub(crate) fn place_end(at: Timestamp) -> String {
    format!("{}#~", millis(at))
}

/// The instant and the id of a [`place`].
pub(crate) fn parse_place(text: &str) -> Option<(Timestamp, &str)> {
    let (millis, id) = text.split_once('#')?;
    Some((Timestamp::from_millis(millis.parse().ok()?), id))
}

pub(crate) fn blob(digest: &Digest) -> String {
    format!("BLOB#{digest}")
}

pub(crate) fn catalog(tenant: &Tenant) -> String {
    format!("CAT#{tenant}")
}

pub(crate) fn snapshot(digest: &Digest) -> String {
    format!("SNAP#{digest}")
}

pub(crate) fn definition(digest: &Digest) -> String {
    format!("DEF#{digest}")
}

/// The sort key of a chunk of a packed text.
pub(crate) fn chunk(number: usize) -> String {
    format!("C#{number:04}")
}

pub(crate) fn versions(tenant: &Tenant) -> String {
    format!("VER#{tenant}")
}

/// What sort keys of the versions of `sop` begin with.
pub(crate) fn versions_of(sop: &SopName) -> String {
    format!("{sop}#")
}

pub(crate) fn version(sop: &SopName, digest: &Digest) -> String {
    format!("{sop}#{digest}")
}

pub(crate) fn wait(key: &Digest) -> String {
    format!("WAIT#{key}")
}

pub(crate) fn waiting(run: &RunId, step: u32) -> String {
    format!("{run}#{step:010}")
}

/// The run and the step of a [`waiting`].
pub(crate) fn parse_waiting(text: &str) -> Option<(RunId, u32)> {
    let (run, step) = text.split_once('#')?;
    Some((RunId::parse(run).ok()?, step.parse().ok()?))
}

pub(crate) fn log(tenant: &Tenant) -> String {
    format!("LOG#{tenant}")
}

pub(crate) fn log_line(at: Timestamp, event: &EventId) -> String {
    place(at, event.as_str())
}

pub(crate) fn idempotency(tenant: &Tenant, key: &str) -> String {
    format!("IDEM#{tenant}#{key}")
}

pub(crate) fn token(hash: &Digest) -> String {
    format!("TOK#{hash}")
}

/// The tokens of a tenant; sort keys are their hashes.
pub(crate) fn tokens(tenant: &Tenant) -> String {
    format!("TOKS#{tenant}")
}

/// Calls of a client in one window.
pub(crate) fn rate(tenant: &Tenant, client: &str, window: Timestamp) -> String {
    format!("RATE#{tenant}#{client}#{}", millis(window))
}

pub(crate) fn pairing(tenant: &Tenant) -> String {
    format!("PAIR#{tenant}")
}

pub(crate) fn cron(tenant: &Tenant) -> String {
    format!("CRON#{tenant}")
}

/// What sort keys of switches begin with.
pub(crate) const ROUTINES: &str = "R#";

/// The sort key of a switch, in the partition of [`cron`].
pub(crate) fn routine(sop: &SopName) -> String {
    format!("{ROUTINES}{sop}")
}

/// A note on why the message with this id failed.
pub(crate) fn dead(message: &str) -> String {
    format!("DEAD#{message}")
}

/// The payload of a recorded event.
pub(crate) fn payload(tenant: &Tenant, event: &EventId) -> String {
    format!("EVENT#{tenant}#{event}")
}

/// How many unmatched events came in the minute that begins at `minute`.
pub(crate) fn tally(tenant: &Tenant, minute: Timestamp) -> String {
    format!("TALLY#{tenant}#{}", millis(minute))
}

/// Seconds for [`TTL`]: never before `at`.
pub(crate) fn ttl(at: Timestamp) -> i64 {
    at.as_millis().saturating_add(999).div_euclid(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_sort_by_time_and_come_back() {
        let early = place(Timestamp::from_millis(999), "b");
        let late = place(Timestamp::from_millis(1_000), "a");
        assert!(early < late);
        assert!(early < place_end(Timestamp::from_millis(999)));
        assert!(place_end(Timestamp::from_millis(999)) < late);
        assert_eq!(parse_place(&late), Some((Timestamp::from_millis(1_000), "a")));
        assert_eq!(millis(Timestamp::from_millis(-1)), millis(Timestamp::from_millis(0)));
    }

    #[test]
    fn heads_sort_before_entries_and_entries_by_number() {
        assert!(HEAD < entry(0).as_str());
        assert!(entry(9) < entry(10));
    }
}
