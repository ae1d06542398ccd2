//! Why a flow could not be carried through.

use sop_core::id::{Digest, RunId};
use sop_core::journal::EntryError;

use crate::envelope::EnvelopeError;
use crate::port::PortError;

/// A flow could not be carried through; what it had written stands, and carrying it out again goes on
/// from there.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// A port could not find out.
    #[error("a port failed")]
    Port(#[from] PortError),
    /// A message cannot be read.
    #[error("the message cannot be read")]
    Envelope(#[from] EnvelopeError),
    /// An entry cannot be read.
    #[error("the journal cannot be read")]
    Entry(#[from] EntryError),
    /// A definition that a run or the catalog names is not there.
    #[error("definition `{0}` is not in the catalog")]
    NoDefinition(Digest),
    /// A snapshot that the catalog or an event names is not there.
    #[error("catalog snapshot `{0}` is not in the catalog")]
    NoSnapshot(Digest),
    /// What the catalog stores cannot be read.
    #[error("`{digest}` in the catalog cannot be read")]
    BadCatalog {
        /// Its digest.
        digest: Digest,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A value that an entry names is not there.
    #[error("value `{0}` is not in the store")]
    NoBlob(Digest),
    /// An entry that a step's arguments are said to be in has none.
    #[error("entry {seq} of run `{run}` holds no arguments of step {step}")]
    NoArguments {
        /// The run.
        run: RunId,
        /// The entry.
        seq: u64,
        /// The step.
        step: u32,
    },
    /// An input is for a run that does not exist.
    #[error("run `{0}` does not exist")]
    NoRun(RunId),
    /// Others kept winning the run's next place.
    #[error("run `{0}` is moved by too many at once")]
    Contended(RunId),
    /// Word of an open gate could not be sent.
    #[error("word of a gate could not be sent: {reason}")]
    NotTold {
        /// Why.
        reason: String,
    },
    /// The message is not for this queue.
    #[error("a message of this kind is not for this queue")]
    WrongQueue,
}

impl FlowError {
    /// Whether carrying the flow out again may help without anybody mending anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Port(error) => error.retryable,
            Self::Contended(_) | Self::NoRun(_) | Self::NotTold { .. } => true,
            Self::Envelope(_)
            | Self::Entry(_)
            | Self::NoDefinition(_)
            | Self::NoSnapshot(_)
            | Self::BadCatalog { .. }
            | Self::NoBlob(_)
            | Self::NoArguments { .. }
            | Self::WrongQueue => false,
        }
    }
}
