//! What the dispatch log says of an event.

use serde::{Deserialize, Serialize};
use sop_core::event::{Data, Event};
use sop_core::matching;

use crate::port::LogLine;

/// Milliseconds for which the log keeps a line.
const KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// Characters of the payload that a line shows.
const PREVIEW_CHARS: usize = 512;

/// Verdicts a line holds at most; the rest are counted.
const VERDICTS_MAX: usize = 64;

/// What became of an event for one SOP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SopVerdict {
    /// The SOP.
    pub sop: String,
    /// Whether the event matched it.
    pub matched: bool,
    /// The trigger that matched, or came nearest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Why, with the values that were compared.
    pub reason: String,
    /// The run that it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl From<matching::SopVerdict> for SopVerdict {
    /// A verdict of the index, before anything was started.
    fn from(verdict: matching::SopVerdict) -> Self {
        Self {
            sop: verdict.sop.to_string(),
            matched: verdict.matched,
            trigger: verdict.trigger,
            reason: verdict.reason,
            run: None,
        }
    }
}

/// The verdicts of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Detail {
    /// The SOPs that matched or came near.
    pub verdicts: Vec<SopVerdict>,
    /// The SOPs that have no trigger for such an event, and verdicts that had no room.
    pub others: usize,
    /// The payload's first characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The payload's length.
    pub payload_bytes: usize,
    /// W3C `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// The line of `event`.
pub(super) fn line(event: &Event, mut verdicts: Vec<SopVerdict>, others: usize) -> LogLine {
    let matched = verdicts.iter().any(|verdict| verdict.matched);
    // Matches first, so that what started something always has room.
    verdicts.sort_by_key(|verdict| !verdict.matched);
    let cut = verdicts.len().saturating_sub(VERDICTS_MAX);
    verdicts.truncate(VERDICTS_MAX);
    let (payload, payload_bytes) = match &event.data {
        Data::Empty => (None, 0),
        Data::Text(text) => (Some(text.chars().take(PREVIEW_CHARS).collect()), text.len()),
        Data::Base64(text) => (None, text.len() / 4 * 3),
    };
    let detail = Detail {
        verdicts,
        others: others + cut,
        payload,
        payload_bytes,
        trace: event.trace.clone(),
    };
    LogLine {
        event: event.id.clone(),
        tenant: event.tenant.clone(),
        time: event.time,
        source: event.source,
        subject: event.subject.clone(),
        outcome: if matched { "matched" } else { "unmatched" }.to_owned(),
        detail: serde_json::to_string(&detail).expect("a detail has only string keys"),
        expires_at: event.time.plus_millis(KEPT_MS),
    }
}
