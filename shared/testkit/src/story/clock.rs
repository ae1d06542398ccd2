//! The clock of a story: it stands still until the story moves it, and its chance is the same each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sop_core::Timestamp;
use sop_runtime::port::Clock;

use crate::clock::ManualClock;

/// Clones show the same time and draw from the same chance.
#[derive(Debug, Clone)]
pub(super) struct StoryClock {
    time: ManualClock,
    drawn: Arc<AtomicU64>,
}

impl StoryClock {
    pub(super) fn at(start: Timestamp) -> Self {
        Self { time: ManualClock::at(start), drawn: Arc::default() }
    }

    pub(super) fn set(&self, now: Timestamp) {
        self.time.set(now);
    }
}

impl Clock for StoryClock {
    fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Counts from 1, so that ids come in the order in which they are made.
    fn chance(&self) -> [u8; 10] {
        let drawn = self.drawn.fetch_add(1, Ordering::SeqCst) + 1;
        let mut bytes = [0; 10];
        bytes[2..].copy_from_slice(&drawn.to_be_bytes());
        bytes
    }
}
