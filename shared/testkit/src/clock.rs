//! Clocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sop_core::Timestamp;
use sop_runtime::port::Clock;

/// A clock that stands still until a test moves it; clones show the same time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_millis())))
    }

    /// Makes the clock show `now`, which may be earlier than before.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Moves the clock by `millis`, which may be negative, and returns the new time.
    pub fn advance(&self, millis: i64) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(millis, Ordering::SeqCst)).plus_millis(millis)
    }
}

impl Default for ManualClock {
    /// A clock that shows 2026-03-01T08:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp::from_millis(1_772_352_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use sop_runtime::port::SystemClock;

    use super::*;

    #[test]
    fn clones_show_the_same_time_and_it_may_jump_back() {
        let clock = ManualClock::default();
        let other = clock.clone();
        let start = clock.now();
        assert_eq!(clock.advance(5), start.plus_millis(5));
        assert_eq!(other.now(), start.plus_millis(5));
        other.set(Timestamp::from_millis(3));
        assert_eq!(clock.now(), Timestamp::from_millis(3));
        assert!(SystemClock.now() > start.plus_millis(-365 * 24 * 3_600_000));
    }
}
