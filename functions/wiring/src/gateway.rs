//! API Gateway's HTTP APIs, payload format 2.0: their call becomes a request to the router.
//!
//! An HTTP API resolves every escape of the path but `%25` before it calls. So only what cannot stand in
//! a path is escaped here, and the router resolves once what the caller wrote; nothing is normalised.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sop_http::{Peer, Problem};
use tower::ServiceExt;

/// Bytes of an answer: what fits the 6 MB that a function may return, in base 64.
/// Source: AWS Lambda developer guide, quotas.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What an HTTP API calls a function with; fields that nobody reads are left out.
///
/// Source: Amazon API Gateway developer guide, Lambda proxy integrations, payload format 2.0.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The path, with every escape but `%25` resolved.
    raw_path: String,
    /// The query as it came, without `?`.
    #[serde(default)]
    raw_query_string: String,
    /// The headers, in lower case; repeated ones are joined by commas.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    body: Option<String>,
    /// Whether the body is in base 64.
    #[serde(default)]
    is_base64_encoded: bool,
    /// The rest.
    request_context: Context,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Context {
    http: Http,
    #[serde(default)]
    stage: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    /// The address at the other end of the connection.
    #[serde(default)]
    source_ip: Option<String>,
}

/// What an HTTP API is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// HTTP status.
    pub status_code: u16,
    /// The headers; repeated ones are joined by commas.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// Whether the body is in base 64.
    pub is_base64_encoded: bool,
}

impl Call {
    /// Whether the call may change which SOPs are active.
    pub fn may_publish(&self) -> bool {
        let http = &self.request_context.http;
        http.method == "POST"
            && self.raw_path.contains("/api/sops")
            && !self.raw_path.ends_with("/run")
    }
}

/// Has `router` answer `call`.
pub async fn answer(router: Router, call: Call) -> Answer {
    let method = call.request_context.http.method.clone();
    let path = path(&call);
    let response = match request(call, &path) {
        Ok(request) => match router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        Err(reason) => Problem::new(StatusCode::BAD_REQUEST, "bad_request", reason).into_response(),
    };
    let answer = returned(response).await;
    tracing::info!(
        http.method = method,
        http.path = path,
        http.status = answer.status_code,
        "request"
    );
    answer
}

fn request(call: Call, path: &str) -> Result<Request<Body>, &'static str> {
    let uri = match call.raw_query_string.as_str() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    };
    let body = match call.body {
        None => Vec::new(),
        Some(text) if call.is_base64_encoded => {
            STANDARD.decode(text).map_err(|_| "the body is not base 64")?
        }
        Some(text) => text.into_bytes(),
    };
    let mut request = Request::builder()
        .method(call.request_context.http.method.as_str())
        .uri(uri)
        .body(Body::from(body))
        .map_err(|_| "the method or the address is not well formed")?;
    let address = call.request_context.http.source_ip.as_deref();
    if let Some(address) = address.and_then(|address| address.parse().ok()) {
        request.extensions_mut().insert(Peer(address));
    }
    for (name, value) in &call.headers {
        // What is not a header is left out, as a server would never have let it in.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            request.headers_mut().append(name, value);
        }
    }
    Ok(request)
}

/// The path without its stage, escaped where it has to be.
fn path(call: &Call) -> String {
    let raw = call.raw_path.as_str();
    let without_stage = match call.request_context.stage.as_deref() {
        None | Some("" | "$default") => None,
        Some(stage) => raw.strip_prefix('/').and_then(|path| path.strip_prefix(stage)),
    };
    match without_stage {
        Some("") => "/".to_owned(),
        Some(path) if path.starts_with('/') => escaped(path),
        Some(_) | None => escaped(raw),
    }
}

/// `path` with what cannot stand in one escaped; what is escaped stays as it is.
///
/// Source: RFC 3986, section 3.3.
fn escaped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for (at, byte) in path.bytes().enumerate() {
        let is_escape = || path.as_bytes().get(at + 1..at + 3).is_some_and(is_hex);
        let stays = match byte {
            b'%' => is_escape(),
            other => other.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&other),
        };
        if stays {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn is_hex(two: &[u8]) -> bool {
    two.iter().all(u8::is_ascii_hexdigit)
}

async fn returned(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, ANSWER_BYTES_MAX).await else {
        let reason = "the answer is too large; ask for a shorter page";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let problem = Problem::new(status, "answer_too_large", reason);
        return Box::pin(returned(problem.into_response())).await;
    };
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name.to_string())
            .and_modify(|values| *values = format!("{values}, {value}"))
            .or_insert_with(|| value.into_owned());
    }
    let (body, is_base64_encoded) = match String::from_utf8(body.to_vec()) {
        Ok(text) => (text, false),
        Err(other) => (STANDARD.encode(other.as_bytes()), true),
    };
    Answer { status_code: parts.status.as_u16(), headers, body, is_base64_encoded }
}

#[cfg(test)]
mod tests;
