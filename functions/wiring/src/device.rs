//! What an IoT topic rule calls a function with.
//!
//! The rule's statement is `SELECT encode(*, 'base64') AS payload, topic() AS topic, clientid() AS client,
//! traceid() AS id, timestamp() AS time FROM '...'`.
//!
//! The call is asynchronous: an error is delivered again, then goes to the on-failure destination. What
//! no repetition would mend is dropped with a line in the log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sop_core::event::{Data, Event};
use sop_core::ingress::{self, Rejected};
use sop_core::time::Timestamp;
use sop_core::topic::TopicNameError;
use sop_runtime::flow::{Door, FlowError, Host, accept};
use sop_runtime::port::{Clock, Queue};

/// What `clientid()` gives for a message that did not come over MQTT.
/// Source: AWS IoT Core developer guide, SQL functions.
const NO_CLIENT: &str = "n/a";

/// One message.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Uplink {
    /// `topic()`: without Basic Ingest's prefix.
    pub topic: String,
    /// The payload: base 64, or the JSON value itself where a rule selects it so.
    #[serde(default)]
    payload: Value,
    /// The payload in base 64.
    payload_base64: Option<String>,
    /// `traceid()`: the message's own, the same when the function is called again.
    id: Option<String>,
    /// `timestamp()`: milliseconds since 1970.
    #[serde(default)]
    time: Value,
    /// `clientid()`.
    client: Option<String>,
}

/// Why a message is dropped: calling again would not help.
#[derive(Debug, thiserror::Error)]
pub enum Dropped {
    /// The topic is none.
    #[error("{0}")]
    Topic(#[from] TopicNameError),
    /// The topic is not an uplink's.
    #[error("the topic is not `peripherals/<board>/<signal>`")]
    NotUplink,
    /// It is no event of a bus.
    #[error("it has no `id`, `source` and `detail-type`")]
    NotEvent,
    /// The payload is not what the rule promises.
    #[error("`payload_base64` is not base 64")]
    NotBase64,
    /// The payload is too large.
    #[error("{0}")]
    Payload(#[from] Rejected),
}

impl Uplink {
    /// The payload, checked.
    ///
    /// A text in `payload` that is not base 64 is taken as it is.
    ///
    /// # Errors
    /// [`Dropped`], when it is not base 64 or too large.
    pub fn data(&self) -> Result<Data, Dropped> {
        let bytes = match (&self.payload_base64, &self.payload) {
            (Some(text), _) => STANDARD.decode(text).map_err(|_| Dropped::NotBase64)?,
            (None, Value::Null) => Vec::new(),
            (None, Value::String(text)) => {
                STANDARD.decode(text).unwrap_or_else(|_| text.clone().into_bytes())
            }
            (
                None,
                json @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)),
            ) => json.to_string().into_bytes(),
        };
        Ok(ingress::device_payload(&bytes, |bytes| STANDARD.encode(bytes))?)
    }

    /// The message's id; the invocation's own where the rule gives none, since that too stays the same
    /// when the function is called again.
    pub fn id(&self, request: &str) -> String {
        self.id.clone().filter(|id| !id.is_empty()).unwrap_or_else(|| request.to_owned())
    }

    /// When it was received.
    pub fn time(&self) -> Option<Timestamp> {
        self.time.as_i64().filter(|millis| *millis > 0).map(Timestamp::from_millis)
    }

    /// Who sent it.
    pub fn client(&self) -> Option<String> {
        self.client.clone().filter(|client| !client.is_empty() && client != NO_CLIENT)
    }
}

/// What a caller that waits is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Receipt {
    /// The event is durable.
    Accepted {
        /// Its id.
        event_id: String,
    },
    /// Nothing was written.
    Dropped {
        /// Why.
        reason: String,
    },
}

/// Accepts what `door` lets in, and logs what it does not.
///
/// # Errors
/// When the queue fails: the call is to be made again.
pub async fn take<S, Q, C>(
    host: &Host<S, Q, C>,
    topic: &str,
    door: Result<Door, Dropped>,
) -> Result<Receipt, FlowError>
where
    Q: Queue,
    C: Clock,
{
    match door {
        Ok(door) => {
            let Event { id, .. } = accept(host, door).await?;
            Ok(Receipt::Accepted { event_id: id.to_string() })
        }
        Err(dropped) => {
            let reason = dropped.to_string();
            tracing::warn!(topic, reason, "message dropped");
            Ok(Receipt::Dropped { reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn uplink(fields: &Value) -> Uplink {
        let mut message = json!({ "topic": "plant/7" });
        for (name, value) in fields.as_object().unwrap() {
            message[name] = value.clone();
        }
        serde_json::from_value(message).unwrap()
    }

    #[test]
    fn a_payload_comes_in_many_ways() {
        for (fields, data) in [
            (json!({ "payload_base64": "eyJ0Ijo4fQ==" }), Data::Text("{\"t\":8}".into())),
            (json!({ "payload": "eyJ0Ijo4fQ==" }), Data::Text("{\"t\":8}".into())),
            (json!({ "payload": { "t": 8 } }), Data::Text("{\"t\":8}".into())),
            (json!({ "payload": 8.5 }), Data::Text("8.5".into())),
            (json!({ "payload": "too hot!" }), Data::Text("too hot!".into())),
            (json!({ "payload": "//79" }), Data::Base64("//79".into())),
            (json!({ "payload": "" }), Data::Empty),
            (json!({ "payload": null }), Data::Empty),
            (json!({}), Data::Empty),
        ] {
            assert_eq!(uplink(&fields).data().unwrap(), data, "{fields}");
        }
    }

    #[test]
    fn what_no_repetition_mends_is_dropped() {
        let wrong = uplink(&json!({ "payload_base64": "%" })).data();
        assert!(matches!(wrong, Err(Dropped::NotBase64)));
        let large = "a".repeat(300_000) + "!";
        let large = uplink(&json!({ "payload": large })).data();
        assert!(matches!(large, Err(Dropped::Payload(Rejected::TooLarge { bytes: 300_001 }))));
    }

    #[test]
    fn the_id_stays_the_same_when_called_again() {
        assert_eq!(uplink(&json!({ "id": "u-1" })).id("r-1"), "u-1");
        assert_eq!(uplink(&json!({})).id("r-1"), "r-1");
    }

    #[test]
    fn time_and_client_are_kept_when_they_are_known() {
        let known = uplink(&json!({ "time": 1_772_352_000_123_i64, "client": "pump-7" }));
        assert_eq!(known.time(), Some(Timestamp::from_millis(1_772_352_000_123)));
        assert_eq!(known.client().as_deref(), Some("pump-7"));
        let unknown = uplink(&json!({ "time": "now", "client": "n/a" }));
        assert_eq!((unknown.time(), unknown.client()), (None, None));
    }
}
