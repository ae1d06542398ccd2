//! The time, and chance.

use std::time::{SystemTime, UNIX_EPOCH};

use sop_core::Timestamp;

/// Tells the time, and what comes by chance.
pub trait Clock: Send + Sync {
    /// The present instant. It may jump in either direction between two calls.
    fn now(&self) -> Timestamp;

    /// 80 bits that nobody can foresee: what makes a new id new. No secret is made of them.
    fn chance(&self) -> [u8; 10] {
        random()
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn chance(&self) -> [u8; 10] {
        (**self).chance()
    }
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Timestamp::from_millis(millis)
    }
}

/// `N` bytes of the operating system's randomness.
///
/// # Panics
/// When the operating system has none to give: nothing safe could be done then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
