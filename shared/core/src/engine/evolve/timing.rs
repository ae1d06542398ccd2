//! When something is to happen.

use crate::definition::{OnFailure, Step};
use crate::id::{Digest, RunId};
use crate::time::Timestamp;

/// `secs` seconds after `at`.
pub(super) fn after(at: Timestamp, secs: u64) -> Timestamp {
    at.plus_millis(i64::try_from(secs).unwrap_or(i64::MAX / 1_000).saturating_mul(1_000))
}

/// When `step` is tried again after `failures` failed tries: at a random instant (full jitter) within a
/// bound that doubles from try to try. The draw depends on run, step and try alone.
///
/// Source: "Exponential backoff and jitter", AWS Architecture Blog, 2015.
pub(super) fn next_try(
    run: &RunId,
    step: &Step,
    attempt: u32,
    failures: u32,
    at: Timestamp,
) -> Timestamp {
    debug_assert!(matches!(step.on_failure, OnFailure::Retry { .. }), "only those are tried again");
    let backoff = step.backoff.unwrap_or_default();
    let doublings = failures.saturating_sub(1).min(62);
    let bound = backoff.initial_ms.saturating_mul(1 << doublings).min(backoff.max_ms);
    let drawn = draw(&format!("{run}/{}/{attempt}", step.number)) % bound.saturating_add(1);
    at.plus_millis(i64::try_from(drawn).unwrap_or(i64::MAX))
}

/// A number that looks random and is the same for the same text.
fn draw(text: &str) -> u64 {
    let digest = Digest::of(text.as_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_be_bytes(bytes)
}
