//! What is asked for: the call's input, read.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url, header};
use serde_json::Value;
use sop_core::Timestamp;
use sop_core::limits::CALL_TIMEOUT_MS;
use sop_runtime::flow::Call;

/// Milliseconds that a request may take when its author does not say.
const TIMEOUT_MS: i64 = 30_000;

/// Headers that belong to the connection, which is ours.
/// Source: RFC 9110, sections 7.6.1 and 8.6.
const NOT_AUTHORED: [HeaderName; 3] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// Which statuses count as done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Any 2xx.
    Success,
    /// One of these.
    OneOf(Vec<u16>),
}

impl Expect {
    /// Whether `status` counts as done.
    pub fn holds(&self, status: u16) -> bool {
        match self {
            Self::Success => (200..300).contains(&status),
            Self::OneOf(statuses) => statuses.contains(&status),
        }
    }

    /// Whether a redirect counts as done.
    pub fn is_redirect(&self) -> bool {
        match self {
            Self::Success => false,
            Self::OneOf(statuses) => statuses.iter().any(|status| (300..400).contains(status)),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("2xx"),
            Self::OneOf(statuses) => {
                let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
                f.write_str(&statuses.join(" or "))
            }
        }
    }
}

/// One request. No `Debug`: its parts may be secret.
pub struct Ask {
    pub method: Method,
    pub url: Url,
    /// Host and port, for reasons.
    pub host: String,
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
    pub expect: Expect,
    pub timeout: Duration,
}

impl Ask {
    /// Reads the input of `call`, which has until its deadline from `now` on.
    ///
    /// # Errors
    /// The reason, when the input does not fit or there is no time left.
    pub fn read(call: &Call, now: Timestamp) -> Result<Self, String> {
        let with = &call.with;
        let text = with.get("url").and_then(Value::as_str).ok_or("`http.request` needs a `url`")?;
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or("`url` is not an HTTP address")?;
        let host = host(&url).ok_or("`url` is not an HTTP address")?;
        let method = with.get("method").map_or(Some("GET"), Value::as_str);
        let method = method
            .and_then(|method| Method::from_bytes(method.as_bytes()).ok())
            .ok_or("`method` is not an HTTP method")?;
        let (body, kind) = body(call, &method);
        let mut headers = authored(with)?;
        if let Some(kind) = kind {
            headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        }
        let key = HeaderValue::try_from(call.key.to_string()).expect("a key is visible ASCII");
        headers.insert("idempotency-key", key);
        if let Some(trace) = &call.trace
            && let Ok(trace) = HeaderValue::try_from(trace)
        {
            headers.insert("traceparent", trace);
        }
        let expect = expect(with)?;
        let timeout = timeout(call, now)?;
        Ok(Self { method, url, host, headers, body, expect, timeout })
    }
}

/// Host and port of `url`, for reasons.
pub fn host(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// The body and its kind.
fn body(call: &Call, method: &Method) -> (Option<Vec<u8>>, Option<&'static str>) {
    const JSON: Option<&str> = Some("application/json");
    let sends_input = matches!(method.as_str(), "POST" | "PUT" | "PATCH");
    match call.with.get("body") {
        Some(Value::Null) => (None, None),
        Some(Value::String(text)) => {
            (Some(text.clone().into_bytes()), Some("text/plain; charset=utf-8"))
        }
        Some(json) => (Some(json.to_string().into_bytes()), JSON),
        None if sends_input && !call.input.is_null() => {
            (Some(call.input.to_string().into_bytes()), JSON)
        }
        None => (None, None),
    }
}

fn authored(with: &Value) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let Some(authored) = with.get("headers") else { return Ok(headers) };
    let authored = authored.as_object().ok_or("`headers` is not an object of texts")?;
    for (name, value) in authored {
        let parsed = HeaderName::try_from(name)
            .ok()
            .zip(value.as_str().and_then(|value| HeaderValue::try_from(value).ok()));
        let Some((parsed, mut value)) = parsed else {
            return Err(format!("`headers` has `{name}`, which is not a header"));
        };
        if !NOT_AUTHORED.contains(&parsed) {
            value.set_sensitive(true);
            headers.insert(parsed, value);
        }
    }
    Ok(headers)
}

fn expect(with: &Value) -> Result<Expect, String> {
    let status = |value: &Value| {
        value.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| (100..600).contains(n))
    };
    let statuses = match with.get("expect_status") {
        None => return Ok(Expect::Success),
        Some(Value::Array(list)) => list.iter().map(status).collect(),
        Some(one) => status(one).map(|one| vec![one]),
    };
    statuses
        .filter(|statuses: &Vec<u16>| !statuses.is_empty())
        .map(Expect::OneOf)
        .ok_or_else(|| "`expect_status` is not a status or a list of them".to_owned())
}

fn timeout(call: &Call, now: Timestamp) -> Result<Duration, String> {
    let authored = match call.with.get("timeout_ms") {
        None => TIMEOUT_MS,
        Some(value) => {
            value.as_i64().filter(|ms| *ms > 0).ok_or("`timeout_ms` is not a positive number")?
        }
    };
    let left = call.deadline.millis_since(now);
    let millis = authored.min(CALL_TIMEOUT_MS).min(left);
    match u64::try_from(millis) {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        Ok(_) | Err(_) => Err("there was no time left for the request".to_owned()),
    }
}
