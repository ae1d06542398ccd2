//! Waiting, with a deadline.

use std::future::Future;
use std::time::{Duration, Instant};

use sop_core::Timestamp;
use sop_runtime::port::{Clock, SystemClock};

use crate::clock::ManualClock;

/// How time passes for the port under test.
pub trait Passage: Send + Sync {
    /// Lets `millis` pass.
    fn pass(&self, millis: u32) -> impl Future<Output = ()> + Send;
}

/// Time that passes by itself: for ports that read the machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealTime;

impl Clock for RealTime {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

impl Passage for RealTime {
    async fn pass(&self, millis: u32) {
        tokio::time::sleep(Duration::from_millis(millis.into())).await;
    }
}

impl Passage for ManualClock {
    async fn pass(&self, millis: u32) {
        self.advance(millis.into());
        tokio::task::yield_now().await;
    }
}

/// Asks `check` again and again until it says yes.
///
/// # Panics
/// When it has not said so within `deadline`; the message names `what`.
pub async fn eventually<F, Fut>(what: &str, deadline: Duration, mut check: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let start = Instant::now();
    while !check().await {
        assert!(start.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
