//! Waiting before the next try.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The mean of the first pause; each next one is twice as long.
const FIRST_MS: u64 = 10;

/// Pauses do not grow beyond this.
const LONGEST_MS: u64 = 500;

/// Waits before try number `round`, from 0, which begins at once; a random part of twice the mean, so
/// that writers that met once do not meet again.
pub(crate) async fn backoff(round: usize) {
    if round == 0 {
        return;
    }
    let mean = FIRST_MS.saturating_mul(1 << (round - 1).min(10)).min(LONGEST_MS);
    // Nanoseconds of the wall clock are random enough to spread writers apart.
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |at| at.subsec_nanos());
    let spread = u64::from(nanos / 1_000) % (2 * mean);
    tokio::time::sleep(Duration::from_millis(1 + spread)).await;
}
