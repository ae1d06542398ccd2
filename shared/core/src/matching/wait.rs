//! Events that runs wait for, rather than SOPs start from.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::condition::{Condition, Payload};
use crate::definition::{Auth, Definition, Trigger, WebhookTrigger};
use crate::id::{Digest, SopName, Tenant};
use crate::topic::TopicFilter;

/// Which events a `wait.event` step waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// The door, key and condition, as a trigger has them.
    pub on: Trigger,
    /// Where in an arriving event its key is, such as `order.id`; every event counts when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlate: Option<String>,
}

impl Wait {
    /// What a step's `with` waits for; `None` when it cannot be read.
    pub fn of(with: &Value) -> Option<Self> {
        let text = |key: &str| with.get(key).and_then(Value::as_str).map(str::to_owned);
        let condition = match text("condition") {
            Some(condition) => Some(Condition::parse(&condition).ok()?),
            None => None,
        };
        let on = match text("source")?.as_str() {
            "webhook" => Trigger::Webhook(WebhookTrigger {
                path: text("path")?,
                method: None,
                auth: Auth::Bearer,
                condition,
            }),
            "mqtt" => {
                let topic = TopicFilter::parse(&text("topic")?).ok()?;
                Trigger::Mqtt { topic, condition, key: None }
            }
            "peripheral" => {
                let (board, signal) = (text("board")?, text("signal")?);
                Trigger::Peripheral { board, signal, condition, key: None }
            }
            "event" => {
                let (source, detail_type) = (text("event_source"), text("detail_type"));
                if source.is_none() && detail_type.is_none() {
                    return None;
                }
                Trigger::Event { source, detail_type, condition }
            }
            _ => return None,
        };
        let correlate = with.pointer("/correlate/event").and_then(Value::as_str);
        Some(Self { on, correlate: correlate.map(str::to_owned) })
    }

    /// All that steps of `sop` wait for, each once.
    pub fn all_of(sop: &Definition) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for step in &sop.steps {
            let is_wait = step.capability.as_deref() == Some("wait.event");
            if let Some(wait) = step.with.as_ref().filter(|_| is_wait).and_then(Self::of)
                && !all.contains(&wait)
            {
                all.push(wait);
            }
        }
        all
    }

    /// Names the events of this wait that have the key `value`.
    pub fn key(&self, tenant: &Tenant, sop: &SopName, value: Option<&Value>) -> Digest {
        let wait = serde_json::to_string(self).expect("a wait has only string keys");
        let value = match &self.correlate {
            Some(_) => value.unwrap_or(&Value::Null).to_string(),
            None => String::new(),
        };
        Digest::of(format!("{tenant}\n{sop}\n{wait}\n{value}").as_bytes())
    }

    /// Names the events of this wait that have the key of the event with `payload`; `None` when it has no
    /// key.
    pub fn key_of_event(
        &self,
        tenant: &Tenant,
        sop: &SopName,
        payload: &Payload<'_>,
    ) -> Option<Digest> {
        let Some(path) = &self.correlate else { return Some(self.key(tenant, sop, None)) };
        let pointer: String = path
            .trim_start_matches('$')
            .split('.')
            .filter(|segment| !segment.is_empty())
            .map(|segment| format!("/{}", segment.replace('~', "~0").replace('/', "~1")))
            .collect();
        let value = payload.json()?.pointer(&pointer).filter(|value| !value.is_null())?;
        Some(self.key(tenant, sop, Some(value)))
    }
}
