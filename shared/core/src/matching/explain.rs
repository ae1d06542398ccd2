//! Why each SOP was matched or not, in words.
//!
//! This goes through an SOP's triggers one by one and knows nothing of the index's arrangement, so it is
//! also what the index is tested against.

use serde::{Deserialize, Serialize};

use super::index::{Index, condition};
use super::{Listed, event_subject, peripheral_subject};
use crate::condition::Payload;
use crate::definition::Trigger;
use crate::event::{Event, Source};
use crate::id::SopName;
use crate::topic;

/// What became of one event at one SOP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SopVerdict {
    /// The SOP.
    pub sop: SopName,
    /// Whether the event starts it.
    pub matched: bool,
    /// The trigger that matched, or came nearest: `mqtt sensors/alert`.
    #[serde(default)]
    pub trigger: Option<String>,
    /// The position of that trigger in the SOP, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_index: Option<usize>,
    /// Why, with the values that were compared.
    pub reason: String,
}

/// The verdicts of the SOPs that the event came near.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidates {
    /// One for each SOP with a trigger whose key the event has, sorted by name.
    pub verdicts: Vec<SopVerdict>,
    /// How many other SOPs there are.
    pub others: usize,
}

/// How near a trigger came; the nearest is told of, and of equals the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    Key,
    Method,
    Condition,
}

impl Index {
    /// A verdict for every SOP, sorted by name.
    pub fn explain(&self, event: &Event, payload: &Payload<'_>) -> Vec<SopVerdict> {
        self.sops().iter().map(|sop| explain_one(sop, event, payload)).collect()
    }

    /// A verdict for every SOP that has a trigger with the event's key, and how many others there are.
    ///
    /// Its cost does not grow with the SOPs that the event has nothing to do with.
    pub fn explain_candidates(&self, event: &Event, payload: &Payload<'_>) -> Candidates {
        let mut near: Vec<usize> =
            self.candidates(event).iter().map(|slot| slot.sop as usize).collect();
        near.dedup();
        let verdicts: Vec<SopVerdict> =
            near.iter().map(|&at| explain_one(&self.sops()[at], event, payload)).collect();
        let others = self.sops().len() - verdicts.len();
        Candidates { verdicts, others }
    }
}

/// A trigger in one line, such as `mqtt sensors/alert`.
pub fn describe(trigger: &Trigger) -> String {
    name(trigger)
}

/// The verdict of one SOP.
fn explain_one(sop: &Listed, event: &Event, payload: &Payload<'_>) -> SopVerdict {
    let refused = |reason: String| SopVerdict {
        sop: sop.name.clone(),
        matched: false,
        trigger: None,
        trigger_index: None,
        reason,
    };
    if let Some(target) = event.target.as_ref().filter(|target| **target != sop.name) {
        return refused(format!("the event is for `{target}` alone"));
    }
    let mut nearest: Option<(Nearness, usize, String)> = None;
    for (at, trigger) in sop.triggers.iter().enumerate() {
        if source(trigger) != event.source {
            continue;
        }
        let (nearness, reason) = match judge(trigger, event, payload) {
            Ok(reason) => {
                return SopVerdict {
                    matched: true,
                    trigger: Some(name(trigger)),
                    trigger_index: Some(at),
                    ..refused(reason)
                };
            }
            Err(refusal) => refusal,
        };
        if nearest.as_ref().is_none_or(|(best, ..)| nearness > *best) {
            nearest = Some((nearness, at, reason));
        }
    }
    match nearest {
        Some((_, at, reason)) => SopVerdict {
            trigger: Some(name(&sop.triggers[at])),
            trigger_index: Some(at),
            ..refused(reason)
        },
        None => refused(format!("no {} trigger", event.source)),
    }
}

/// Why a trigger of the event's source matches, or how near it came and what was in the way.
fn judge(
    trigger: &Trigger,
    event: &Event,
    payload: &Payload<'_>,
) -> Result<String, (Nearness, String)> {
    let subject = event.subject.as_str();
    let key = |reason: String| Err((Nearness::Key, reason));
    let fits = match trigger {
        Trigger::Manual => "started by name".to_owned(),
        Trigger::Webhook(webhook) => {
            if webhook.path != subject {
                return key(format!("path `{subject}` is not `{}`", webhook.path));
            }
            if let Some(wanted) = &webhook.method
                && event.method.as_ref() != Some(wanted)
            {
                let given = event.method.as_deref().unwrap_or("none");
                return Err((Nearness::Method, format!("method `{given}` is not `{wanted}`")));
            }
            format!("path is `{subject}`")
        }
        Trigger::Mqtt { topic: filter, .. } => {
            if let Err(error) = topic::check_name(subject) {
                return key(error.to_string());
            }
            if !filter.matches(subject) {
                let filter = filter.as_str();
                return key(format!("topic `{subject}` does not match filter `{filter}`"));
            }
            format!("topic `{subject}` matches filter `{}`", filter.as_str())
        }
        Trigger::Cron { expression, .. } => {
            if expression.as_str() != subject {
                let expression = expression.as_str();
                return key(format!("expression `{subject}` is not `{expression}`"));
            }
            format!("expression is `{subject}`")
        }
        Trigger::Peripheral { board, signal, .. } => match peripheral_subject(board, signal) {
            None => return key("a board or a signal is empty or has a `/`".to_owned()),
            Some(wanted) if wanted != subject => {
                return key(format!("signal `{subject}` is not `{wanted}`"));
            }
            Some(wanted) => format!("signal is `{wanted}`"),
        },
        Trigger::Event { source, detail_type, .. } => {
            let parts = subject.split_once('/');
            let whole = parts.filter(|(given, kind)| !given.is_empty() && !kind.is_empty());
            let Some((given, kind)) = whole else {
                return key(format!("`{subject}` is no event's source and detail type"));
            };
            if let Some(wanted) = source
                && event_subject(Some(wanted), None).trim_end_matches('/') != given
            {
                return key(format!("source `{given}` is not `{wanted}`"));
            }
            if let Some(wanted) = detail_type
                && wanted != kind
            {
                return key(format!("detail type `{kind}` is not `{wanted}`"));
            }
            format!("event is `{subject}`")
        }
    };
    match condition(trigger) {
        None => Ok(fits),
        Some(condition) if condition.holds(payload) => {
            Ok(format!("{fits}; `{}` holds", condition.as_str()))
        }
        Some(condition) => Err((Nearness::Condition, condition.explain(payload).into())),
    }
}

fn source(trigger: &Trigger) -> Source {
    match trigger {
        Trigger::Manual => Source::Manual,
        Trigger::Webhook(_) => Source::Webhook,
        Trigger::Mqtt { .. } => Source::Mqtt,
        Trigger::Cron { .. } => Source::Cron,
        Trigger::Peripheral { .. } => Source::Peripheral,
        Trigger::Event { .. } => Source::Event,
    }
}

/// A trigger on one line: `webhook /sop/deploy`.
fn name(trigger: &Trigger) -> String {
    match trigger {
        Trigger::Manual => "manual".to_owned(),
        Trigger::Webhook(webhook) => match &webhook.method {
            Some(method) => format!("webhook {method} {}", webhook.path),
            None => format!("webhook {}", webhook.path),
        },
        Trigger::Mqtt { topic, .. } => format!("mqtt {}", topic.as_str()),
        Trigger::Cron { expression, .. } => format!("cron {}", expression.as_str()),
        Trigger::Peripheral { board, signal, .. } => format!("peripheral {board}/{signal}"),
        Trigger::Event { source, detail_type, .. } => {
            let any = |text: &Option<String>| text.clone().unwrap_or_else(|| "*".to_owned());
            format!("event {}/{}", any(source), any(detail_type))
        }
    }
}
