//! Why a port could not find out.

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A port could not find out. Whether the call took effect is not known; every call can be made again.
#[derive(Debug, thiserror::Error)]
#[error("could not {action}")]
pub struct PortError {
    /// What was tried: completes "could not ...".
    pub action: &'static str,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Why.
    pub source: BoxError,
}

impl PortError {
    /// An error that may go away: a time-out, throttling, a busy file.
    pub fn retryable(action: &'static str, source: impl Into<BoxError>) -> Self {
        Self { action, retryable: true, source: source.into() }
    }

    /// An error that stays until somebody mends something.
    pub fn permanent(action: &'static str, source: impl Into<BoxError>) -> Self {
        Self { action, retryable: false, source: source.into() }
    }
}
