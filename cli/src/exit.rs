//! Exit codes.

use std::process::ExitCode;

/// What the process says when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// It was looked at, and something is wrong with it: definitions, a ledger, a run.
    Found = 1,
    /// The command cannot be carried out as it was given.
    Usage = 2,
    /// The server refused.
    Refused = 3,
    /// The server did not answer.
    Unreachable = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
