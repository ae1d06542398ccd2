//! `mqtt.publish` and `sns.publish`: a message for whoever subscribes.
//!
//! What a template has made of a topic is checked again: nobody publishes where validation would not let them.

use std::borrow::Cow;

use serde_json::{Value, json};
use sop_core::definition::capability::{is_topic_arn, mqtt_topic_problem};
use sop_runtime::flow::Call;
use sop_runtime::port::{MqttMessage, Outlets, SnsMessage};

use crate::chain;

/// Bytes of one MQTT message.
/// Source: AWS IoT Core endpoints and quotas, "Message size" (128 KB); the same on one machine.
const MQTT_BYTES_MAX: usize = 128 * 1024;

/// Bytes of one SNS message.
/// Source: Amazon SNS API reference, `Publish` (256 KB).
const SNS_BYTES_MAX: usize = 256 * 1024;

/// Characters of the line that heads an e-mail.
/// Source: Amazon SNS API reference, `Publish`.
const SUBJECT_CHARS_MAX: usize = 100;

/// Sends a message to an MQTT topic.
pub async fn mqtt<O: Outlets>(outlets: &O, call: &Call) -> Result<Value, String> {
    let topic = text(call, "topic")?;
    if let Some(problem) = mqtt_topic_problem(topic) {
        return Err(format!("`{topic}` is no topic to publish to: {problem}"));
    }
    let qos = match call.with.get("qos") {
        None => 1,
        Some(value) => match value.as_u64() {
            Some(0) => 0,
            Some(1) => 1,
            Some(_) | None => return Err(format!("`qos` is 0 or 1, not {value}")),
        },
    };
    let payload = body(call, "payload", MQTT_BYTES_MAX)?;
    let key = call.key.to_string();
    let message = MqttMessage { topic, payload: &payload, qos, key: Some(&key) };
    outlets.mqtt_message(message).await.map_err(|error| chain(&error))?;
    Ok(json!({ "topic": topic, "bytes": payload.len() }))
}

/// Sends a message to an SNS topic.
pub async fn sns<O: Outlets>(outlets: &O, call: &Call) -> Result<Value, String> {
    let topic_arn = text(call, "topic_arn")?;
    if !is_topic_arn(topic_arn) {
        return Err(format!("`{topic_arn}` is not the ARN of an SNS topic"));
    }
    let subject = match call.with.get("subject") {
        None => None,
        Some(_) => Some(subject(text(call, "subject")?)),
    };
    let message = body(call, "message", SNS_BYTES_MAX)?;
    if message.is_empty() {
        return Err("`message` is empty".to_owned());
    }
    let key = call.key.to_string();
    let sent = SnsMessage {
        topic_arn,
        subject: subject.as_deref().filter(|subject| !subject.is_empty()),
        message: &message,
        key: Some(&key),
        group: Some(call.key.run.as_str()),
    };
    outlets.sns_message(sent).await.map_err(|error| chain(&error))?;
    Ok(json!({ "topic_arn": topic_arn, "bytes": message.len() }))
}

fn text<'c>(call: &'c Call, key: &str) -> Result<&'c str, String> {
    call.with.get(key).and_then(Value::as_str).ok_or_else(|| format!("`{key}` is not a text"))
}

/// A text as it is, anything else as its JSON.
fn body<'c>(call: &'c Call, key: &str, bytes_max: usize) -> Result<Cow<'c, str>, String> {
    let body = match call.with.get(key) {
        None => return Err(format!("there is no `{key}`")),
        Some(Value::String(text)) => Cow::Borrowed(text.as_str()),
        Some(other) => Cow::Owned(other.to_string()),
    };
    match body.len() {
        bytes if bytes > bytes_max => {
            Err(format!("`{key}` has {bytes} bytes; at most {bytes_max} are sent"))
        }
        _ => Ok(body),
    }
}

/// `text` as one line that an e-mail can have: what cannot stand there is a space, what is too long is cut.
fn subject(text: &str) -> String {
    let line = text.trim().chars().take(SUBJECT_CHARS_MAX);
    line.map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { ' ' }).collect()
}

#[cfg(test)]
mod tests;
