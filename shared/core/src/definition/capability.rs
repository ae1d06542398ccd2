//! The built-ins that a step can name, and what each takes.

use serde_json::{Map, Value};

use super::diagnostic::{choices, listed, quoted, suggest};
use super::duration;
use crate::limits;

mod publish;
mod start;
mod table;
mod wait_event;

pub use publish::{is_topic_arn, mqtt_topic_problem};
pub use table::{BuiltIn, TABLE, Takes};

/// The capabilities of this version.
pub const KNOWN: &[&str] = &[
    "http.request",
    "json.validate",
    "mqtt.publish",
    "noop",
    "sns.publish",
    "sop.start",
    "transform",
    "wait",
    "wait.event",
];

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Why an input does not fit its capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Misfit {
    /// What is wrong: lower case, no period.
    pub message: String,
    /// The key of the input that it is about, when it is about one.
    pub key: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Misfit {
    fn new(message: impl Into<String>, help: &str) -> Self {
        Self { message: message.into(), key: None, help: Some(help.to_owned()) }
    }

    fn of(key: &str, message: impl Into<String>, help: impl Into<Option<String>>) -> Self {
        Self { message: message.into(), key: Some(key.to_owned()), help: help.into() }
    }
}

/// Checks the authored input of a capability step.
///
/// # Errors
/// [`Misfit`] names the key that is wrong, or an unknown capability.
pub fn check(capability: &str, with: Option<&Value>) -> Result<(), Misfit> {
    match capability {
        "noop" => Ok(()),
        "http.request" => http_request(object(capability, with, "{\"url\": \"https://...\"}")?),
        "json.validate" => json_validate(object(capability, with, "{\"schema\": {...}}")?),
        "mqtt.publish" => {
            let example = "{\"topic\": \"plant/alarm\", \"payload\": \"on\"}";
            publish::mqtt(object(capability, with, example)?)
        }
        "sns.publish" => {
            let example = "{\"topic_arn\": \"arn:aws:sns:...\", \"message\": \"...\"}";
            publish::sns(object(capability, with, example)?)
        }
        "sop.start" => start::check(object(capability, with, "{\"sop\": \"name\"}")?),
        "transform" => match with {
            Some(_) => Ok(()),
            None => Err(Misfit::new(
                "`transform` needs a `with`",
                "write what it gives: `- with: {\"id\": \"{{ event.id }}\"}`",
            )),
        },
        "wait.event" => {
            let example = "{\"source\": \"mqtt\", \"topic\": \"orders/paid\"}";
            wait_event::check(object(capability, with, example)?)
        }
        "wait" => wait(object(capability, with, "{\"seconds\": 2}")?),
        unknown => Err(Misfit::new(
            format!("unknown capability {}", quoted(unknown)),
            &choices(unknown, KNOWN),
        )),
    }
}

fn object<'v>(
    capability: &str,
    with: Option<&'v Value>,
    example: &str,
) -> Result<&'v Map<String, Value>, Misfit> {
    let help = format!("write `- with: {example}`");
    match with {
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(Misfit::new(format!("`{capability}` takes an object"), &help)),
        None => Err(Misfit::new(format!("`{capability}` needs a `with`"), &help)),
    }
}

fn only_keys(object: &Map<String, Value>, known: &[&str]) -> Result<(), Misfit> {
    let Some(unknown) = object.keys().find(|key| !known.contains(&key.as_str())) else {
        return Ok(());
    };
    let help = match suggest(unknown, known) {
        Some(probable) => format!("did you mean `{probable}`?"),
        None => format!("its keys are {}", listed(known)),
    };
    Err(Misfit::of(unknown, format!("unknown key {} in `with`", quoted(unknown)), help))
}

fn http_request(with: &Map<String, Value>) -> Result<(), Misfit> {
    only_keys(with, &["url", "method", "headers", "body", "expect_status", "timeout_ms"])?;
    let help = || Some("write an address that begins with `http://` or `https://`".to_owned());
    let url = with.get("url").ok_or_else(|| Misfit {
        message: "`http.request` needs a `url`".into(),
        key: None,
        help: help(),
    })?;
    let is_address = |url: &str| match url.split_once("{{") {
        Some((before, _)) => before.is_empty() || is_http_start(before),
        None => is_http_url(url),
    };
    if !url.as_str().is_some_and(is_address) {
        return Err(Misfit::of("url", "`url` is not an HTTP address", help()));
    }
    if let Some(method) = with.get("method") {
        let name = method.as_str().unwrap_or_default();
        if !METHODS.contains(&name) && !is_template(name) {
            let message = format!("{method} is not an HTTP method");
            return Err(Misfit::of("method", message, choices(name, METHODS)));
        }
    }
    if let Some(headers) = with.get("headers") {
        let is_flat = headers
            .as_object()
            .is_some_and(|headers| headers.iter().all(|(name, value)| is_header(name, value)));
        if !is_flat {
            let help = "write `{\"accept\": \"application/json\"}`".to_owned();
            return Err(Misfit::of("headers", "`headers` is an object of texts", help));
        }
    }
    whole_number(with, "expect_status", 100, 599)?;
    whole_number(with, "timeout_ms", 1, limits::CALL_TIMEOUT_MS)
}

pub(super) fn is_http_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| host.starts_with(|c: char| c.is_alphanumeric() || c == '['))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Whether a template's text begins as an address does.
fn is_http_start(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme))
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Source: RFC 9110, sections 5.1 and 5.5.
fn is_header(name: &str, value: &Value) -> bool {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty()
        && name.bytes().all(is_token)
        && value.as_str().is_some_and(|value| !value.contains(char::is_control))
}

fn json_validate(with: &Map<String, Value>) -> Result<(), Misfit> {
    only_keys(with, &["schema", "value"])?;
    match with.get("schema") {
        Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(Misfit::of("schema", "`schema` is an object", None)),
        None => Err(Misfit::new("`json.validate` needs a `schema`", "write a JSON Schema object")),
    }
}

fn wait(with: &Map<String, Value>) -> Result<(), Misfit> {
    let ways = ["seconds", "ms", "duration", "until"];
    only_keys(with, &ways)?;
    let said: Vec<&str> = ways.into_iter().filter(|way| with.contains_key(*way)).collect();
    match said.as_slice() {
        ["seconds"] => whole_number(with, "seconds", 1, limits::WAIT_MS_MAX / 1_000),
        ["ms"] => whole_number(with, "ms", 1, limits::WAIT_MS_MAX),
        ["duration"] => {
            let text = with["duration"].as_str().unwrap_or_default();
            if is_template(text) || duration::parse_secs(text).is_some() {
                return Ok(());
            }
            let help = duration::HELP.to_owned();
            Err(Misfit::of("duration", "`duration` is not a duration", help))
        }
        ["until"] => {
            let text = with["until"].as_str().unwrap_or_default();
            if is_template(text) || chrono::DateTime::parse_from_rfc3339(text).is_ok() {
                return Ok(());
            }
            let help = "write `2026-03-01T07:30:00Z`, or a template".to_owned();
            Err(Misfit::of("until", "`until` is not a time", help))
        }
        _ => Err(Misfit::new(
            "`wait` takes either `seconds` or `ms`, or `duration` or `until`",
            "write `{\"seconds\": 2}`",
        )),
    }
}

/// Whether a text says what it is only when the step runs.
fn is_template(text: &str) -> bool {
    text.contains("{{")
}

fn is_template_value(value: &Value) -> bool {
    value.as_str().is_some_and(is_template)
}

fn whole_number(with: &Map<String, Value>, key: &str, least: i64, most: i64) -> Result<(), Misfit> {
    match with.get(key) {
        None => Ok(()),
        Some(value) if is_template_value(value) => Ok(()),
        Some(value) if value.as_i64().is_some_and(|n| (least..=most).contains(&n)) => Ok(()),
        Some(_) => {
            let message = format!("`{key}` is out of range or not a whole number");
            Err(Misfit::of(key, message, format!("it is a number from {least} to {most}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn inputs_that_fit() {
        for (capability, with) in [
            ("noop", Some(json!({"anything": [1]}))),
            ("noop", None),
            ("wait", Some(json!({"seconds": 2}))),
            ("wait", Some(json!({"ms": 1}))),
            ("wait", Some(json!({"seconds": "{{ event.pause }}"}))),
            ("wait", Some(json!({"duration": "2h"}))),
            ("wait", Some(json!({"until": "2026-03-01T07:30:00Z"}))),
            ("wait", Some(json!({"until": "{{ event.at }}"}))),
            ("transform", Some(json!(["{{ event }}"]))),
            ("sop.start", Some(json!({"sop": "deploy", "payload": {"id": "{{ event.id }}"}}))),
            ("wait.event", Some(json!({"source": "webhook", "path": "/sop/paid"}))),
            (
                "wait.event",
                Some(
                    json!({"source": "mqtt", "topic": "orders/+/paid", "condition": "$.ok == true",
                    "correlate": {"event": "$.order_id", "key": "{{ event.order_id }}"}}),
                ),
            ),
            ("wait.event", Some(json!({"source": "peripheral", "board": "b", "signal": "s"}))),
            ("http.request", Some(json!({"url": "{{ event.url }}", "method": "{{ event.how }}"}))),
            ("http.request", Some(json!({"url": "https://a/{{ event.id }}?q={{ run.id }}"}))),
            ("json.validate", Some(json!({"schema": {}, "value": 1}))),
            (
                "mqtt.publish",
                Some(json!({"topic": "plant/{{ event.id }}", "payload": {"on": true}})),
            ),
            ("mqtt.publish", Some(json!({"topic": "a", "payload": "", "qos": 0}))),
            (
                "sns.publish",
                Some(json!({"topic_arn": "arn:aws:sns:eu-west-1:123456789012:a.fifo",
                    "subject": "s", "message": [1]})),
            ),
            ("sns.publish", Some(json!({"topic_arn": "{{ event.topic }}", "message": "m"}))),
            (
                "http.request",
                Some(
                    json!({"url": "http://127.0.0.1:1/x", "method": "PUT", "headers": {"a-b": "c"},
                    "body": {"x": 1}, "expect_status": 204, "timeout_ms": 500}),
                ),
            ),
        ] {
            assert_eq!(check(capability, with.as_ref()), Ok(()), "{capability}");
        }
    }

    #[test]
    fn inputs_that_do_not() {
        for (capability, with, key) in [
            ("wait", json!({}), None),
            ("wait", json!({"seconds": 1, "ms": 1}), None),
            ("wait", json!({"seconds": 0}), Some("seconds")),
            ("wait", json!({"seconds": 1.5}), Some("seconds")),
            ("wait", json!({"ms": limits::WAIT_MS_MAX + 1}), Some("ms")),
            ("wait", json!(2), None),
            ("json.validate", json!({"schema": "x"}), Some("schema")),
            ("json.validate", json!({"value": 1}), None),
            ("http.request", json!({"method": "GET"}), None),
            ("http.request", json!({"url": "file:///etc/passwd"}), Some("url")),
            ("http.request", json!({"url": "https://"}), Some("url")),
            ("http.request", json!({"url": "https://a b"}), Some("url")),
            ("http.request", json!({"url": "https://a", "method": "get"}), Some("method")),
            (
                "http.request",
                json!({"url": "https://a", "headers": {"a": "b\r\nc"}}),
                Some("headers"),
            ),
            ("http.request", json!({"url": "https://a", "metod": "GET"}), Some("metod")),
            (
                "http.request",
                json!({"url": "https://a", "expect_status": 999}),
                Some("expect_status"),
            ),
            ("http.request", json!({"url": "ftp://a/{{ event.id }}"}), Some("url")),
            ("htp.request", json!({}), None),
            ("wait", json!({"duration": "2 hours"}), Some("duration")),
            ("wait", json!({"until": "tomorrow"}), Some("until")),
            ("wait", json!({"until": 5}), Some("until")),
            ("mqtt.publish", json!({"payload": 1}), None),
            ("mqtt.publish", json!({"topic": "a"}), None),
            ("mqtt.publish", json!({"topic": "", "payload": 1}), Some("topic")),
            ("mqtt.publish", json!({"topic": "a/+", "payload": 1}), Some("topic")),
            ("mqtt.publish", json!({"topic": "a/#/{{ event.id }}", "payload": 1}), Some("topic")),
            ("mqtt.publish", json!({"topic": "$aws/things/x", "payload": 1}), Some("topic")),
            ("mqtt.publish", json!({"topic": 5, "payload": 1}), Some("topic")),
            ("mqtt.publish", json!({"topic": "a", "payload": 1, "qos": 2}), Some("qos")),
            ("mqtt.publish", json!({"topic": "a", "payload": 1, "retain": true}), Some("retain")),
            ("sns.publish", json!({"message": "m"}), None),
            ("sns.publish", json!({"topic_arn": "alarms", "message": "m"}), Some("topic_arn")),
            (
                "sns.publish",
                json!({"topic_arn": "arn:aws:sqs:eu-west-1:123456789012:q", "message": "m"}),
                Some("topic_arn"),
            ),
            ("sns.publish", json!({"topic_arn": "arn:aws:sns:eu-west-1:123456789012:a"}), None),
            (
                "sns.publish",
                json!({"topic_arn": "arn:aws:sns:eu-west-1:123456789012:a", "message": "m",
                    "subject": "two\nlines"}),
                Some("subject"),
            ),
            ("sop.start", json!({}), None),
            ("sop.start", json!({"sop": "no name"}), Some("sop")),
            ("sop.start", json!({"sop": "a", "input": 1}), Some("input")),
            ("wait.event", json!({}), None),
            ("wait.event", json!({"source": "cron"}), Some("source")),
            ("wait.event", json!({"source": "mqtt"}), None),
            ("wait.event", json!({"source": "mqtt", "topic": "a/#/b"}), Some("topic")),
            ("wait.event", json!({"source": "mqtt", "topic": "a", "path": "/x"}), Some("path")),
            ("wait.event", json!({"source": "webhook", "path": "/x"}), Some("path")),
            (
                "wait.event",
                json!({"source": "mqtt", "topic": "a", "condition": "$."}),
                Some("condition"),
            ),
            (
                "wait.event",
                json!({"source": "mqtt", "topic": "a", "correlate": {"event": "id", "key": "x"}}),
                Some("correlate"),
            ),
            (
                "wait.event",
                json!({"source": "mqtt", "topic": "a", "correlate": {"event": "$.id"}}),
                Some("correlate"),
            ),
        ] {
            let misfit = check(capability, Some(&with)).expect_err("does not fit");
            assert_eq!(misfit.key.as_deref(), key, "{capability} {with}");
        }
        assert!(check("wait", None).is_err());
        assert!(check("transform", None).is_err());
    }
}
