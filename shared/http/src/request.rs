//! Reading requests: bodies within their limit, ids in paths, keys in headers, paging in queries.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sop_core::Timestamp;
use sop_core::id::{Digest, InputId, RunId, SopName};
use sop_core::ingress::{self, Rejected};
use sop_runtime::port::random;

use crate::problem::Problem;

/// Bytes of a request that carries definitions.
pub(crate) const DEFINITIONS_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Heads or events on a page when the caller does not say.
const PAGE_DEFAULT: usize = 50;

/// Heads or events on a page at most.
const PAGE_MAX: usize = 100;

/// The body, of at most `limit` bytes.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    match to_bytes(body, limit).await {
        Ok(bytes) => Ok(bytes.into()),
        Err(_) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body was not received whole within {limit} bytes"),
        )),
    }
}

/// A JSON body; nothing counts as `{}`.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "bad_body", format!("the body does not fit: {error}"))
    })
}

pub(crate) fn run_id(text: &str) -> Result<RunId, Problem> {
    RunId::parse(text)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_run_id", error.to_string()))
}

pub(crate) fn sop_name(text: &str) -> Result<SopName, Problem> {
    SopName::parse(text)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_sop_name", error.to_string()))
}

/// The caller's `Idempotency-Key`.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().map_err(|_| Problem::from(Rejected::BadKey))?;
    Ok(Some(ingress::idempotency_key(text)?))
}

/// The id of a person's input: the same caller and key on the same thing give the same id.
pub(crate) fn input_id(headers: &HeaderMap, subject: &str, what: &str) -> Result<InputId, Problem> {
    let digest = match key(headers)? {
        Some(key) => Digest::of(format!("{subject}\n{what}\n{key}").as_bytes()),
        None => Digest::of(&random::<32>()),
    };
    Ok(InputId::parse(&format!("p-{}", &digest.to_string()[..32])).expect("visible ASCII"))
}

/// The query of a list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Paging {
    limit: Option<usize>,
    pub(crate) cursor: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

impl Paging {
    pub(crate) fn limit(&self) -> usize {
        self.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
    }

    /// The span asked for; the last day when nothing is said.
    pub(crate) fn span(&self, now: Timestamp) -> Result<(Timestamp, Timestamp), Problem> {
        const DAY_MS: i64 = 24 * 3_600_000;
        let until = at(self.until.as_deref())?.unwrap_or_else(|| now.plus_millis(60_000));
        let since = at(self.since.as_deref())?.unwrap_or_else(|| until.plus_millis(-DAY_MS));
        Ok((since, until))
    }
}

fn at(text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    match Timestamp::parse_rfc3339(text) {
        Some(at) => Ok(Some(at)),
        None => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_time",
            format!("`{text}` is not an RFC 3339 time such as `2026-03-01T08:00:00Z`"),
        )),
    }
}
