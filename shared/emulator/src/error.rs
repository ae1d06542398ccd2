//! Why there is no emulator.

use std::path::PathBuf;

/// The emulator could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The Python environment is not there.
    #[error("no emulator at `{}`: run `make setup`, or set SOP_VENV or SOP_AWS_ENDPOINT", program.display())]
    Missing {
        /// Where it was looked for.
        program: PathBuf,
    },
    /// The child could not be made.
    #[error("could not start `{}`", program.display())]
    Start {
        /// What was to be started.
        program: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The child ended before it answered.
    #[error("the emulator ended before it was ready: see `{}`", log.display())]
    Ended {
        /// Its output.
        log: PathBuf,
    },
    /// The child runs and does not answer.
    #[error("the emulator did not answer in {secs} s: see `{}`", log.display())]
    Silent {
        /// How long was waited, in seconds.
        secs: u64,
        /// Its output.
        log: PathBuf,
    },
}
