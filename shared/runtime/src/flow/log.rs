//! What the dispatch log says of an event.

use serde::{Deserialize, Serialize};
use sop_core::event::{Data, Event, Lineage};
use sop_core::id::{EventId, SopName, Tenant};
use sop_core::matching;
use sop_core::time::Timestamp;

use crate::flow::{FlowError, Host};
use crate::port::{Clock, EventLog, LogLine};

/// Milliseconds of a day, and of a minute.
const DAY_MS: i64 = 24 * 3_600_000;
const MINUTE_MS: i64 = 60_000;

/// Outcome of a line that stands for events that have none.
pub(super) const SAMPLED: &str = "sampled";

/// Outcome of an event that started nothing.
pub(super) const UNMATCHED: &str = "unmatched";

/// Characters of the payload that a line shows; the whole is kept beside it.
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
    /// HTTP method of a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The one SOP that it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<SopName>,
    /// Who sent it, where the door knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The event that it is a replay of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<EventId>,
    /// Lines of unmatched events that were written in the minute that this line tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// Unmatched events of that minute that have no line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_written: Option<u64>,
}

/// Writes the line of `event`; or counts it, when it is one unmatched event too many of its minute.
///
/// # Errors
/// When the store fails.
pub(super) async fn write<S: EventLog, Q, C: Clock>(
    host: &Host<S, Q, C>,
    event: &Event,
    verdicts: Vec<SopVerdict>,
    others: usize,
) -> Result<(), FlowError> {
    let kept_ms = i64::from(host.settings.log.kept_days) * DAY_MS;
    let line = line(event, verdicts, others, kept_ms);
    let allowed = u64::from(host.settings.log.unmatched_per_minute);
    if allowed == 0 || line.outcome != UNMATCHED {
        return Ok(host.store.record(&line).await?);
    }
    let minute = event.time.plus_millis(-event.time.as_millis().rem_euclid(MINUTE_MS));
    let count = host.store.tally(&host.tenant, minute, line.expires_at).await?;
    if count <= allowed {
        return Ok(host.store.record(&line).await?);
    }
    // Again at each doubling: whoever came first may have ended before it was written.
    if (count - allowed).is_power_of_two() {
        host.store.record(&sampled(event, minute, allowed, line.expires_at)).await?;
    }
    Ok(())
}

/// The line that stands for the events of `minute` that have none. How many they are is counted elsewhere.
fn sampled(event: &Event, minute: Timestamp, written: u64, expires_at: Timestamp) -> LogLine {
    let time = minute.plus_millis(MINUTE_MS - 1);
    let detail = Detail { written: Some(written), ..Detail::default() };
    LogLine {
        event: EventId::derived(time, &["sampled", event.tenant.as_str()]),
        tenant: event.tenant.clone(),
        time,
        source: event.source,
        subject: "unmatched events".to_owned(),
        outcome: SAMPLED.to_owned(),
        detail: serde_json::to_string(&detail).expect("a detail has only string keys"),
        payload: None,
        expires_at,
    }
}

/// Puts into a line that stands for others how many they are.
///
/// # Errors
/// When the store fails.
pub(super) async fn count_in<S: EventLog>(
    store: &S,
    tenant: &Tenant,
    line: &mut LogLine,
) -> Result<(), FlowError> {
    let mut detail: Detail = serde_json::from_str(&line.detail).unwrap_or_default();
    let minute = line.time.plus_millis(1 - MINUTE_MS);
    let all = store.tallied(tenant, minute).await?;
    detail.not_written = Some(all.saturating_sub(detail.written.unwrap_or_default()));
    line.detail = serde_json::to_string(&detail).expect("a detail has only string keys");
    Ok(())
}

/// The line of `event`, kept for `kept_ms`.
pub(super) fn line(
    event: &Event,
    mut verdicts: Vec<SopVerdict>,
    others: usize,
    kept_ms: i64,
) -> LogLine {
    let matched = verdicts.iter().any(|verdict| verdict.matched);
    // Matches first, so that what started something always has room.
    verdicts.sort_by_key(|verdict| !verdict.matched);
    let cut = verdicts.len().saturating_sub(VERDICTS_MAX);
    verdicts.truncate(VERDICTS_MAX);
    let (payload, payload_bytes): (Option<String>, usize) = match &event.data {
        Data::Empty => (None, 0),
        Data::Text(text) => (Some(text.chars().take(PREVIEW_CHARS).collect()), text.len()),
        Data::Base64(text) => (None, text.len() / 4 * 3),
    };
    let is_whole = payload.as_ref().map_or(0, String::len) == payload_bytes;
    let whole =
        (!is_whole).then(|| serde_json::to_string(&event.data).expect("data has only string keys"));
    let detail = Detail {
        verdicts,
        others: others + cut,
        payload,
        payload_bytes,
        trace: event.trace.clone(),
        method: event.method.clone(),
        target: event.target.clone(),
        actor: event.actor.clone(),
        replay_of: match &event.lineage {
            Some(Lineage::Replay { of }) => Some(of.clone()),
            Some(Lineage::Step { .. } | Lineage::Rerun { .. } | Lineage::End { .. }) | None => None,
        },
        written: None,
        not_written: None,
    };
    LogLine {
        event: event.id.clone(),
        tenant: event.tenant.clone(),
        time: event.time,
        source: event.source,
        subject: event.subject.clone(),
        outcome: if matched { "matched" } else { UNMATCHED }.to_owned(),
        detail: serde_json::to_string(&detail).expect("a detail has only string keys"),
        payload: whole,
        expires_at: event.time.plus_millis(kept_ms),
    }
}
