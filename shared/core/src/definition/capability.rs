//! The built-ins that a step can name, and what each takes.

use serde_json::{Map, Value};

use super::diagnostic::{choices, listed, quoted, suggest};
use crate::limits;

/// The capabilities of this version.
pub const KNOWN: &[&str] = &["http.request", "json.validate", "noop", "wait"];

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
    if !url.as_str().is_some_and(is_http_url) {
        return Err(Misfit::of("url", "`url` is not an HTTP address", help()));
    }
    if let Some(method) = with.get("method") {
        let name = method.as_str().unwrap_or_default();
        if !METHODS.contains(&name) {
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

fn is_http_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| host.starts_with(|c: char| c.is_alphanumeric() || c == '['))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
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
    only_keys(with, &["seconds", "ms"])?;
    match (with.get("seconds"), with.get("ms")) {
        (Some(_), None) => whole_number(with, "seconds", 1, limits::WAIT_MS_MAX / 1_000),
        (None, Some(_)) => whole_number(with, "ms", 1, limits::WAIT_MS_MAX),
        (Some(_), Some(_)) | (None, None) => {
            Err(Misfit::new("`wait` takes either `seconds` or `ms`", "write `{\"seconds\": 2}`"))
        }
    }
}

fn whole_number(with: &Map<String, Value>, key: &str, least: i64, most: i64) -> Result<(), Misfit> {
    match with.get(key) {
        None => Ok(()),
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
            ("json.validate", Some(json!({"schema": {}, "value": 1}))),
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
            ("htp.request", json!({}), None),
        ] {
            let misfit = check(capability, Some(&with)).expect_err("does not fit");
            assert_eq!(misfit.key.as_deref(), key, "{capability} {with}");
        }
        assert!(check("wait", None).is_err());
    }
}
