//! What a queue message holds: a versioned envelope around an event, an input or an effect.

use serde::{Deserialize, Serialize};
use sop_core::Timestamp;
use sop_core::engine::{Effect, Input};
use sop_core::event::Event;
use sop_core::id::{InputId, RunId};

use crate::port::Message;

/// The newest envelope format this build writes and reads.
pub const FORMAT: u16 = 1;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Format of the envelope.
    pub v: u16,
    /// What it carries.
    pub body: Body,
}

/// What a message carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Body {
    /// What arrived at a door.
    Event {
        /// The event.
        event: Box<Event>,
    },
    /// What moves one run.
    Input {
        /// The run.
        run: RunId,
        /// The input's id.
        id: InputId,
        /// Who it comes from.
        by: String,
        /// The input.
        input: Input,
    },
    /// A timer: look at the run.
    Wake {
        /// The run.
        run: RunId,
        /// The instant it was set for; absent when the sweep asks, which heals what it finds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// What is to be done outside.
    Effect {
        /// The effect.
        effect: Effect,
    },
}

/// Why a message cannot be read. Trying again does not help: it belongs in the dead letters.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It is not an envelope.
    #[error("the message is not an envelope")]
    Unreadable(#[source] serde_json::Error),
    /// A newer build wrote it.
    #[error("the message has format {found}; this build reads up to {FORMAT}")]
    NewerFormat {
        /// Its format.
        found: u16,
    },
}

impl Envelope {
    /// Reads a message's text.
    ///
    /// # Errors
    /// When it is not an envelope, or one of a newer format.
    pub fn parse(text: &str) -> Result<Body, EnvelopeError> {
        #[derive(Deserialize)]
        struct Format {
            v: u16,
        }
        let Format { v: found } = serde_json::from_str(text).map_err(EnvelopeError::Unreadable)?;
        if found > FORMAT {
            return Err(EnvelopeError::NewerFormat { found });
        }
        serde_json::from_str::<Self>(text)
            .map(|envelope| envelope.body)
            .map_err(EnvelopeError::Unreadable)
    }
}

impl Body {
    /// The message that carries this, to be received after `delay_secs`.
    pub fn into_message(self, delay_secs: u32) -> Message {
        let envelope = Envelope { v: FORMAT, body: self };
        let body = serde_json::to_string(&envelope).expect("an envelope has only string keys");
        Message { body, delay_secs }
    }
}
