//! The time.

use sop_core::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present instant. It may jump in either direction between two calls.
    fn now(&self) -> Timestamp;
}
