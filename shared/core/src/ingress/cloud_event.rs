//! CloudEvents over HTTP: what is inside the envelope, and what identifies it.
//!
//! Source: CloudEvents 1.0.2, and its HTTP protocol binding, sections 3.1 (binary), 3.2 (structured) and 3.3 (batched).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Rejected, percent_decoded, webhook_body};
use crate::event::Data;

const STRUCTURED: &str = "application/cloudevents";
const BATCHED: &str = "application/cloudevents-batch";

/// What a webhook carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What conditions and steps see.
    pub data: Data,
    /// The event's own identity, where it came as a CloudEvent: its `source` and its `id`.
    pub identity: Option<(String, String)>,
}

/// An event in structured mode; what it may have besides is not looked at.
#[derive(Deserialize)]
struct Envelope<'a> {
    specversion: Option<String>,
    id: Option<String>,
    source: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    data_base64: Option<String>,
}

/// Reads what a webhook carries: a CloudEvent in structured or binary mode, else the body as it is.
///
/// Names of `headers` are in lower case.
///
/// # Errors
/// As [`webhook_body`], [`Rejected::NotCloudEvent`] and [`Rejected::CloudEventBatch`].
pub fn message(headers: &[(&str, &str)], body: &[u8]) -> Result<Message, Rejected> {
    let content_type = one(headers, "content-type")?.unwrap_or_default();
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media == BATCHED || media.starts_with("application/cloudevents-batch+") {
        return Err(Rejected::CloudEventBatch);
    }
    if media == "application/cloudevents+json" {
        return structured(body);
    }
    if media == STRUCTURED || media.starts_with("application/cloudevents+") {
        return Err(wrong("only the JSON format is taken: `application/cloudevents+json`"));
    }
    if headers.iter().any(|(name, _)| *name == "ce-specversion" || *name == "ce-id") {
        return binary(headers, body);
    }
    Ok(Message { data: webhook_body(body)?, identity: None })
}

fn structured(body: &[u8]) -> Result<Message, Rejected> {
    // Depth, numbers and texts first: what is inside goes on as it came.
    let whole = webhook_body(body)?;
    let text = whole.text().ok_or_else(|| wrong("the body is empty"))?;
    let event: Envelope<'_> =
        serde_json::from_str(text).map_err(|error| wrong(&error.to_string()))?;
    let identity = attributes(event.specversion, event.id, event.source, event.kind)?;
    let data = match (event.data, event.data_base64) {
        (Some(_), Some(_)) => return Err(wrong("it has both `data` and `data_base64`")),
        (Some(data), None) => Data::Text(data.get().to_owned()),
        (None, Some(bytes)) => {
            let decoded = STANDARD.decode(&bytes);
            let decoded = decoded.map_err(|_| wrong("its `data_base64` is not base 64"))?;
            match String::from_utf8(decoded) {
                Ok(text) => Data::Text(text),
                Err(_) => Data::Base64(bytes),
            }
        }
        (None, None) => Data::Empty,
    };
    Ok(Message { data, identity: Some(identity) })
}

fn binary(headers: &[(&str, &str)], body: &[u8]) -> Result<Message, Rejected> {
    let attribute = |name: &str| match one(headers, name)? {
        Some(value) => percent_decoded(value)
            .map(Some)
            .ok_or_else(|| wrong(&format!("its `{name}` cannot be decoded"))),
        None => Ok(None),
    };
    let identity = attributes(
        attribute("ce-specversion")?,
        attribute("ce-id")?,
        attribute("ce-source")?,
        attribute("ce-type")?,
    )?;
    Ok(Message { data: webhook_body(body)?, identity: Some(identity) })
}

/// Source and id, once all that must be there is.
fn attributes(
    version: Option<String>,
    id: Option<String>,
    source: Option<String>,
    kind: Option<String>,
) -> Result<(String, String), Rejected> {
    let some = |name: &str, value: Option<String>| match value {
        Some(value) if !value.is_empty() && !value.chars().any(char::is_control) => Ok(value),
        Some(_) => Err(wrong(&format!("its `{name}` is empty or has control characters"))),
        None => Err(wrong(&format!("it has no `{name}`"))),
    };
    let version = some("specversion", version)?;
    if version != "1.0" {
        return Err(wrong("its `specversion` is not `1.0`"));
    }
    some("type", kind)?;
    Ok((some("source", source)?, some("id", id)?))
}

/// The value of a header that may come once.
fn one<'a>(headers: &[(&str, &'a str)], name: &str) -> Result<Option<&'a str>, Rejected> {
    let mut values = headers.iter().filter(|(other, _)| *other == name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some((_, value)), None) => Ok(Some(value)),
        (Some(_), Some(_)) => Err(wrong(&format!("the header `{name}` came twice"))),
    }
}

fn wrong(reason: &str) -> Rejected {
    Rejected::NotCloudEvent { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRUCTURED: (&str, &str) =
        ("content-type", "Application/CloudEvents+JSON; charset=utf-8");

    fn text(text: &str) -> Data {
        Data::Text(text.into())
    }

    #[test]
    fn what_is_inside_is_what_is_seen() {
        let with = |data: &str| {
            format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t","x":{{}}{data}}}"#)
        };
        let identity = Some(("/s".to_owned(), "1".to_owned()));
        for (data, seen) in [
            (r#","data":{"a": 1.50}"#, text(r#"{"a": 1.50}"#)),
            (r#","data":"plain""#, text(r#""plain""#)),
            (r#","data":null"#, Data::Empty),
            ("", Data::Empty),
            (r#","data_base64":"eyJhIjoxfQ==""#, text(r#"{"a":1}"#)),
            (r#","data_base64":"//4=""#, Data::Base64("//4=".into())),
        ] {
            let found = message(&[STRUCTURED], with(data).as_bytes());
            assert_eq!(found, Ok(Message { data: seen, identity: identity.clone() }), "{data}");
        }
        let headers = [
            ("ce-specversion", "1.0"),
            ("ce-id", "a%20b"),
            ("ce-source", "/%E6%B8%A9"),
            ("ce-type", "t"),
            ("content-type", "application/json"),
        ];
        let identity = Some(("/温".to_owned(), "a b".to_owned()));
        assert_eq!(message(&headers, b"[1]"), Ok(Message { data: text("[1]"), identity }));
        let plain = Message { data: text("[1]"), identity: None };
        assert_eq!(message(&[("content-type", "text/plain")], b"[1]"), Ok(plain));
    }

    #[test]
    fn what_is_no_event_is_turned_away() {
        for body in [
            "",
            "[]",
            "1",
            r#"{"id":"1","source":"/s","type":"t"}"#,
            r#"{"specversion":"0.3","id":"1","source":"/s","type":"t"}"#,
            r#"{"specversion":"1.0","id":"","source":"/s","type":"t"}"#,
            r#"{"specversion":"1.0","id":"a\n","source":"/s","type":"t"}"#,
            r#"{"specversion":"1.0","id":1,"source":"/s","type":"t"}"#,
            r#"{"specversion":"1.0","id":"1","type":"t"}"#,
            r#"{"specversion":"1.0","id":"1","source":"/s"}"#,
            r#"{"specversion":"1.0","id":"1","id":"2","source":"/s","type":"t"}"#,
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1,"data_base64":"MQ=="}"#,
            r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"?"}"#,
        ] {
            let found = message(&[STRUCTURED], body.as_bytes());
            assert!(matches!(found, Err(Rejected::NotCloudEvent { .. })), "{body}: {found:?}");
        }
        for headers in [
            vec![("ce-id", "1")],
            vec![("ce-specversion", "1.0"), ("ce-id", "%"), ("ce-source", "s"), ("ce-type", "t")],
            vec![("ce-specversion", "1.0"), ("ce-id", "%ff"), ("ce-source", "s"), ("ce-type", "t")],
            vec![("ce-id", "1"), ("ce-id", "2")],
            vec![("content-type", "application/cloudevents+avro")],
        ] {
            let found = message(&headers, b"{}");
            assert!(matches!(found, Err(Rejected::NotCloudEvent { .. })), "{headers:?}");
        }
        let batch = [("content-type", "application/cloudevents-batch+json")];
        assert_eq!(message(&batch, b"[]"), Err(Rejected::CloudEventBatch));
        assert!(matches!(message(&[STRUCTURED], b"{"), Err(Rejected::NotJson { .. })));
    }
}
