//! What a run is.

use serde::{Deserialize, Serialize};

use crate::event::Source;
use crate::id::{Digest, EventId, RunId, SopName, Tenant};
use crate::limits::INLINE_BYTES_MAX;
use crate::time::Timestamp;

/// A payload or an output, as an entry carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stored {
    /// The text itself: at most [`INLINE_BYTES_MAX`] bytes.
    Inline(String),
    /// An item of its own, named by the digest of its bytes.
    Blob {
        /// SHA-256 of the text.
        digest: Digest,
        /// Length of the text in bytes.
        bytes: usize,
        /// The first characters, for people.
        preview: String,
    },
}

/// Characters of a value that its preview shows.
const PREVIEW_CHARS: usize = 120;

impl Stored {
    /// How `text` is carried: inline when it is small, else by digest.
    ///
    /// Whoever gets a [`Stored::Blob`] stores `text` under its digest before it names it.
    pub fn of(text: &str) -> Self {
        Self::within(text, INLINE_BYTES_MAX)
    }

    /// The same where an entry has room for `inline_bytes_max` bytes only.
    pub(super) fn within(text: &str, inline_bytes_max: usize) -> Self {
        if text.len() <= inline_bytes_max {
            return Self::Inline(text.to_owned());
        }
        Self::Blob {
            digest: Digest::of(text.as_bytes()),
            bytes: text.len(),
            preview: text.chars().take(PREVIEW_CHARS).collect(),
        }
    }
}

/// The run and step that a run works for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The run.
    pub run: RunId,
    /// Its step.
    pub step: u32,
    /// Which try of it.
    pub attempt: u32,
    /// Runs above this one: 1 for the child of a run that an event started.
    pub depth: u32,
}

/// The run whose end started a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follows {
    /// The run.
    pub run: RunId,
    /// Runs above the one that was started: 1 when an event of the world or a person started `run`.
    pub depth: u32,
}

/// The run that a run takes up again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The run.
    pub run: RunId,
    /// The step it begins at; the outputs of those before it are taken over.
    pub from: u32,
}

/// What never changes about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The run.
    pub id: RunId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The SOP it is a run of.
    pub sop: SopName,
    /// The author's version of the definition.
    pub version: String,
    /// The definition, by digest: a run keeps the one it started with.
    pub definition: Digest,
    /// The event that started it.
    pub event: EventId,
    /// The door the event came in at.
    pub source: Source,
    /// The event's subject.
    pub subject: String,
    /// Who sent the event, where the door knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// When the run was started.
    pub started_at: Timestamp,
    /// W3C `traceparent` of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Whom it tells its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// What it takes up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The run whose end started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
}

impl Identity {
    /// Runs above it, by which runs that start each other are bounded: 0 for one that an event of the world or a
    /// person started.
    pub fn depth(&self) -> u32 {
        let parent = self.parent.as_ref().map(|parent| parent.depth);
        parent.or(self.follows.as_ref().map(|follows| follows.depth)).unwrap_or(0)
    }
}

/// How a step came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Done.
    Done,
    /// Failed, and the run went on or ended as the step says.
    Failed,
    /// Its `if` did not hold.
    Skipped,
    /// An approver refused it, and the run went on as the step says.
    Denied,
    /// The run ended while it was under way.
    Stopped,
}

/// Where a value is: the entry of a journal that holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The run whose journal it is; this run's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The entry.
    pub seq: u64,
}

impl Place {
    /// Entry `seq` of the run's own journal.
    pub fn own(seq: u64) -> Self {
        Self { run: None, seq }
    }
}

/// A step that has come to its end at least once: its latest end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The step.
    pub step: u32,
    /// How.
    pub how: How,
    /// Where its output is. A step of a sequence that gave none hands on what it got; one of a graph has
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Place>,
    /// Times the run has come to it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub visits: u32,
    /// Tries so far, over all visits: the last one's number.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub tries: u32,
    /// Times that an approver sent its result back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revisions: u32,
    /// Who did it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
}

/// An event that ended a wait of a step: when it comes again it ends no other wait of that step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The step.
    pub step: u32,
    /// The event.
    pub event: EventId,
}

/// A step under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The step.
    pub step: u32,
    /// Which try this is, from 1, counted over all visits: with run and step it names one thing to do.
    pub attempt: u32,
    /// Since when it stands as it does.
    pub since: Timestamp,
    /// Times the run has come to it, this one included.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub visits: u32,
    /// Failed tries of this visit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failures: u32,
    /// Times that an approver sent its result back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revisions: u32,
    /// The entry that holds its rendered arguments, when they are templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<u64>,
    /// The entry that holds what an approver asked to be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guidance: Option<u64>,
    /// The entry that holds what an approver has made of what a checkpoint hands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amended: Option<u64>,
    /// What it waits for.
    pub stand: Stand,
}

/// What a step under way waits for. Each variant carries exactly its facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "on")]
pub enum Stand {
    /// A slot of the SOP; its gate, if any, has been passed.
    Slot,
    /// People have to say yes before it begins.
    Approval(Gate),
    /// A person has to do it.
    Person {
        /// When it counts as failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A built-in does it.
    Performer {
        /// When the try counts as failed.
        deadline: Timestamp,
    },
    /// Time has to pass.
    Timer {
        /// Until when.
        until: Timestamp,
    },
    /// Another try comes later.
    Retry {
        /// When.
        until: Timestamp,
    },
    /// An event has to come.
    Event {
        /// Names filter, condition and key of the events that count.
        key: Digest,
        /// When it counts as failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Another run has to end.
    Child {
        /// Which.
        run: RunId,
        /// When it counts as failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A person has to find out what became of a try that may not be made twice.
    Unknown,
}

/// An open gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Its revision: counts the run's gates from 1. A decision names it.
    pub gate: u32,
    /// Digest of what the approver is shown: the run (and with it its event), its definition, the gate, the
    /// step as it stands there and its rendered arguments.
    pub shown: Digest,
    /// When its policy's time-out comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Who has said yes so far, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<String>,
    /// Times it has escalated.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub escalations: u32,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "as")]
pub enum End {
    /// Every step on its way has come to its end.
    Completed,
    /// A step failed.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// A person stopped it, or denied a gate.
    Cancelled {
        /// Why, for people.
        reason: String,
    },
}

/// Where a run as a whole stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Phase {
    /// It has not begun: another run of its SOP is under way.
    Held {
        /// Since when.
        since: Timestamp,
        /// The step it begins at.
        step: u32,
    },
    /// It is under way.
    Open,
    /// A person has paused it: what is under way ends, nothing begins.
    Paused {
        /// Since when.
        since: Timestamp,
        /// The step it is to begin at, when it had not begun.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<u32>,
    },
    /// It is over.
    Finished {
        /// The step it ended at; 0 when it had none.
        step: u32,
        /// How.
        end: End,
        /// When.
        at: Timestamp,
    },
}

/// A run: what the newest entry of its journal says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What never changes.
    pub identity: Identity,
    /// Gates opened so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gates: u32,
    /// Refused decisions on its ledger.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refusals: u32,
    /// When the whole run counts as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Who last did a step by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Runs that worked for steps that were given up: they are to be cancelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<RunId>,
    /// The events that ended waits of its steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<Heard>,
    /// The steps that have come to their end; the latest last, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Past>,
    /// The steps under way, by number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub live: Vec<Live>,
    /// Where it stands as a whole.
    pub phase: Phase,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's `skip_serializing_if` passes a reference"
)]
fn is_one(n: &u32) -> bool {
    *n == 1
}

const fn one() -> u32 {
    1
}

impl Stand {
    /// When time moves it, if nothing else does before.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Performer { deadline } => Some(*deadline),
            Self::Timer { until } | Self::Retry { until } => Some(*until),
            Self::Approval(gate) => gate.until,
            Self::Person { until } | Self::Event { until, .. } | Self::Child { until, .. } => {
                *until
            }
            Self::Slot | Self::Unknown => None,
        }
    }

    /// The gate, where it is one.
    pub fn gate(&self) -> Option<&Gate> {
        match self {
            Self::Approval(gate) => Some(gate),
            Self::Slot
            | Self::Person { .. }
            | Self::Performer { .. }
            | Self::Timer { .. }
            | Self::Retry { .. }
            | Self::Event { .. }
            | Self::Child { .. }
            | Self::Unknown => None,
        }
    }

    /// What it waits for, in a word: the name that programs know it by.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Slot => "slot",
            Self::Approval(_) => "approval",
            Self::Person { .. } => "person",
            Self::Performer { .. } => "performer",
            Self::Timer { .. } => "timer",
            Self::Retry { .. } => "retry",
            Self::Event { .. } => "event",
            Self::Child { .. } => "child",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it waits for the same kind of thing as `other`.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether a person has to do something about it.
    pub fn awaits_people(&self) -> bool {
        match self {
            Self::Approval(_) | Self::Person { .. } | Self::Unknown => true,
            Self::Slot
            | Self::Performer { .. }
            | Self::Timer { .. }
            | Self::Retry { .. }
            | Self::Event { .. }
            | Self::Child { .. } => false,
        }
    }
}

impl Run {
    /// Whether it is over. Only a person's retry of a failed one moves it again.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished { .. })
    }

    /// Whether it is over, and every step on its way has come to its end.
    pub fn has_completed(&self) -> bool {
        matches!(self.phase, Phase::Finished { end: End::Completed, .. })
    }

    /// Whether a person has paused it.
    pub fn is_paused(&self) -> bool {
        matches!(self.phase, Phase::Paused { .. })
    }

    /// The first of the steps it stands at; the last one when it is over, 0 when it has none.
    pub fn step(&self) -> u32 {
        match &self.phase {
            Phase::Held { step, .. } | Phase::Finished { step, .. } => *step,
            Phase::Open | Phase::Paused { .. } => match (self.live.first(), self.past.last()) {
                (Some(live), _) => live.step,
                (None, Some(past)) => past.step,
                (None, None) => 0,
            },
        }
    }

    /// The step `number`, if it is under way.
    pub fn live(&self, number: u32) -> Option<&Live> {
        self.live.iter().find(|live| live.step == number)
    }

    /// The latest end of step `number`, if it had one.
    pub fn past(&self, number: u32) -> Option<&Past> {
        self.past.iter().find(|past| past.step == number)
    }

    /// The step whose gate has the revision `gate`, with the gate.
    pub fn gate(&self, gate: u32) -> Option<(&Live, &Gate)> {
        let open = |live: &'_ Live| live.stand.gate().is_some_and(|open| open.gate == gate);
        let live = self.live.iter().find(|live| open(live))?;
        Some((live, live.stand.gate()?))
    }

    /// When `Wake` is due, if nothing else moves the run before.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let steps = self.live.iter().filter_map(|live| self.due(live));
        match self.phase {
            Phase::Finished { .. } => None,
            // A person's pause stops the clock of the whole run.
            Phase::Paused { .. } => steps.min(),
            Phase::Held { .. } | Phase::Open => steps.chain(self.deadline).min(),
        }
    }

    /// When time moves `live`. While the run is paused only what is under way outside is timed.
    pub(super) fn due(&self, live: &Live) -> Option<Timestamp> {
        let until = live.stand.until()?;
        match (&self.phase, &live.stand) {
            (Phase::Paused { .. }, Stand::Performer { .. } | Stand::Child { .. }) => Some(until),
            (Phase::Paused { .. }, _) => None,
            (Phase::Held { .. } | Phase::Open | Phase::Finished { .. }, _) => Some(until),
        }
    }

    /// Where the value is that the next step of a sequence gets: the last step's output, or the event's
    /// payload, which entry 0 holds.
    pub fn value(&self) -> Option<Place> {
        self.past.last().map_or_else(|| Some(Place::own(0)), |past| past.value.clone())
    }
}
