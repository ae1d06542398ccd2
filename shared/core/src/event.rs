//! What arrives: an event, in CloudEvents terms.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::{Follows, Origin, Parent, Past};
use crate::id::{Digest, EventId, SopName, Tenant};
use crate::time::Timestamp;

pub mod ended;

/// The front door an event came in at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An HTTP request; the subject is its decoded path.
    Webhook,
    /// An MQTT message; the subject is its topic.
    Mqtt,
    /// A schedule's fire time; the subject is the expression.
    Cron,
    /// A device uplink; the subject is `board/signal`.
    Peripheral,
    /// An event of a bus; the subject is its source and its detail type, as
    /// [`crate::matching::event_subject`] joins them.
    Event,
    /// A person's or a program's own start; the subject is the SOP.
    Manual,
    /// A step of another run, or a run that is taken up again; the subject is the SOP.
    Sop,
}

impl Source {
    /// The name used in definitions, JSON and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mqtt => "mqtt",
            Self::Cron => "cron",
            Self::Peripheral => "peripheral",
            Self::Event => "event",
            Self::Manual => "manual",
            Self::Sop => "sop",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an event carries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub enum Data {
    /// Nothing.
    #[default]
    Empty,
    /// UTF-8 text exactly as it arrived; usually JSON.
    Text(String),
    /// Anything else, in standard base 64.
    Base64(String),
}

impl Data {
    /// The text, or `None` for nothing and for bytes that are not text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Empty | Self::Base64(_) => None,
        }
    }
}

/// What an event comes from, where that is not a door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Lineage {
    /// A step starts a run and waits for its result.
    Step {
        /// Which step of which run.
        parent: Parent,
    },
    /// A person has a run taken up again from one of its steps.
    Rerun {
        /// The run, and from where.
        origin: Origin,
        /// The definition that it is a run of.
        definition: Digest,
        /// The ends of steps that are taken over.
        reused: Vec<Past>,
    },
    /// A person has a recorded event sent again: it is matched as if it had just come in.
    Replay {
        /// The recorded event.
        of: EventId,
    },
    /// A run is over: it is matched like any other event.
    End {
        /// Which run, and how deep what follows it is.
        of: Follows,
    },
}

/// One arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its identity; the same arrival sent again has the same.
    pub id: EventId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The door.
    pub source: Source,
    /// Path, topic, expression, `board/signal` or SOP name.
    pub subject: String,
    /// When it arrived, or the fire time of a schedule.
    pub time: Timestamp,
    /// The payload.
    #[serde(default)]
    pub data: Data,
    /// Only this SOP may match: set by schedules and manual starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<SopName>,
    /// The catalog snapshot that the door matched against, so that what it promised is what starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Digest>,
    /// HTTP method of a webhook, in upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Who sent it, where the door knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// What it comes from. From a step, or from a run that is taken up again: it starts its target, and nothing
    /// else, whatever triggers that has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
}
