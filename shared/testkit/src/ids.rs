//! Identifiers and values for tests; fresh ones never meet those of another test or process.

use std::sync::atomic::{AtomicU64, Ordering};

use sop_core::engine::{Head, SlotChange, Status};
use sop_core::event::Source;
use sop_core::id::{Digest, EventId, InputId, RunId, SopName, Tenant};
use sop_core::journal::Sealed;
use sop_core::time::Timestamp;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// An instant that tests count from: 2026-03-01T08:00:00Z.
pub const EPOCH: Timestamp = Timestamp::from_millis(1_772_352_000_000);

/// 80 random bits.
fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// A text that no other call returns: lower-case letters, digits and dashes, at most 40 bytes.
pub fn fresh(prefix: &str) -> String {
    let random = random().iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    format!("{prefix}-{random:016x}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A tenant that no other test has.
pub fn fresh_tenant() -> Tenant {
    Tenant::parse(&fresh("t")).expect("letters, digits and dashes")
}

/// The SOP called `name`.
///
/// # Panics
/// When `name` is not an SOP name.
pub fn sop(name: &str) -> SopName {
    SopName::parse(name).expect("a test's SOP name is well formed")
}

/// The input called `text`.
///
/// # Panics
/// When `text` is not an input id.
pub fn input(text: &str) -> InputId {
    InputId::parse(text).expect("a test's input id is well formed")
}

/// A new event id for an arrival at `at`.
pub fn fresh_event(at: Timestamp) -> EventId {
    EventId::from_random(at, &random())
}

/// A new run of `sop` of `tenant`, started at `at`.
pub fn fresh_run(tenant: &Tenant, sop: &SopName, at: Timestamp) -> RunId {
    RunId::derive(tenant, sop, &fresh_event(at), at)
}

/// An entry as a store keeps it. Its body is JSON, but no [`sop_core::journal::Entry`]: a store does
/// not look inside.
pub fn sealed(run: &RunId, seq: u64, by: &str) -> Sealed {
    let body = format!(
        "{{ \"v\": 1,\n\t\"seq\": {seq}, \"by\": \"{by}\", \"text\": \"żółć 🚰 \\u0000\" }}"
    );
    Sealed { run: run.clone(), seq, input: input(by), hash: Digest::of(body.as_bytes()), body }
}

/// The head of a new run of `sop` of `tenant`, started at `at`, with entry 0 as its newest and in no index.
pub fn fresh_head(tenant: &Tenant, sop: &SopName, at: Timestamp) -> Head {
    let event = fresh_event(at);
    Head {
        run: RunId::derive(tenant, sop, &event, at),
        tenant: tenant.clone(),
        sop: sop.clone(),
        version: "1.0.0".into(),
        seq: 0,
        status: Status::Running,
        step: 1,
        gate: None,
        due: None,
        inbox: None,
        queue: None,
        event,
        source: Source::Webhook,
        started_at: at,
        updated_at: at,
        reason: None,
    }
}

/// A change of the counter of `sop` of `tenant` that changes nothing.
pub fn no_change(tenant: &Tenant, sop: &SopName) -> SlotChange {
    SlotChange {
        tenant: tenant.clone(),
        sop: sop.clone(),
        active: 0,
        waiting: 0,
        open: 0,
        pending: 0,
        active_max: None,
        open_max: None,
        pending_max: None,
        total_max: None,
        completed_at: None,
        latest: None,
    }
}
