//! Reading requests: bodies within their limit, ids in paths, keys in headers, paging in queries.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode, Uri};
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sop_core::Timestamp;
use sop_core::engine::Input;
use sop_core::id::{Digest, EventId, InputId, RunId, SopName};
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
    let mut bytes = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| cut_off())?;
        if piece.len() > limit.saturating_sub(bytes.len()) {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// 413: there is more than `limit` bytes.
pub(crate) fn too_large(limit: usize) -> Problem {
    let detail = format!("the body has more than {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}

/// 408: it stopped before its end, or came too slowly.
fn cut_off() -> Problem {
    let detail = "the body did not arrive whole, or not in time";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "cut_off", detail)
}

/// A JSON object; nothing counts as `{}`.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { bytes };
    // Positions are no names: what is read field by field must not come as a list.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad_body("it is not a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| bad_body(&error.to_string()))
}

/// 400: the body is not of the shape that the route takes.
pub(crate) fn bad_body(why: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_body", format!("the body does not fit: {why}"))
}

/// What a path has in the places that its route leaves open; handlers look at it after the caller.
pub(crate) type Segments<T> = Result<Path<T>, PathRejection>;

/// The segments, or why they cannot be read: escapes that are no text.
pub(crate) fn segments<T>(given: Segments<T>) -> Result<T, Problem> {
    match given {
        Ok(Path(segments)) => Ok(segments),
        Err(_) => Err(Rejected::BadPath.into()),
    }
}

/// The number of a step, as it stands in a path.
pub(crate) fn step_number(text: &str) -> Result<u32, Problem> {
    number(text, "bad_step", "step: steps")
}

/// The revision of a gate, as it stands in a path.
pub(crate) fn gate_number(text: &str) -> Result<u32, Problem> {
    number(text, "bad_gate", "gate: gates")
}

fn number(text: &str, code: &'static str, what: &str) -> Result<u32, Problem> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or_else(|| {
        let detail = format!("`{text}` is no {what} are counted from 1");
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    })
}

/// A reason that says something.
pub(crate) fn reason(text: String) -> Result<String, Problem> {
    words(text, "no_reason", "say why: the `reason` is empty")
}

/// Guidance that says something.
pub(crate) fn guidance(text: String) -> Result<String, Problem> {
    words(text, "no_guidance", "say what is to be changed: the `guidance` is empty")
}

fn words(text: String, code: &'static str, detail: &str) -> Result<String, Problem> {
    if text.chars().any(|c| !c.is_whitespace() && !c.is_control()) {
        return Ok(text);
    }
    Err(Problem::new(StatusCode::BAD_REQUEST, code, detail))
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
    let Some(text) = only(headers, "idempotency-key") else { return Ok(None) };
    Ok(Some(ingress::idempotency_key(text)?))
}

/// The value of a header that may come once. Sent twice, or not visible ASCII, it is empty, which nothing
/// takes: what stands between caller and router may have read another of the two.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(if values.next().is_none() { first.to_str().unwrap_or("") } else { "" })
}

/// The id of a person's input: the same caller, key and input to the same run give the same id. Another
/// input under the same key is another request, and never taken for one that was carried out.
pub(crate) fn input_id(
    headers: &HeaderMap,
    subject: &str,
    run: &RunId,
    input: &Input,
) -> Result<InputId, Problem> {
    let digest = match key(headers)? {
        Some(key) => {
            let input = serde_json::to_string(input).expect("an input has only string keys");
            Digest::of(format!("{subject}\n{run}\n{key}\n{input}").as_bytes())
        }
        None => Digest::of(&random::<32>()),
    };
    Ok(InputId::parse(&format!("p-{}", &digest.to_string()[..32])).expect("visible ASCII"))
}

/// The query of a list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Paging {
    limit: Option<u64>,
    cursor: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

/// What the query of `uri` asks for.
pub(crate) fn of_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    match Query::try_from_uri(uri) {
        Ok(Query(asked)) => Ok(asked),
        Err(error) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_query",
            format!("the query does not fit: {}", error.body_text()),
        )),
    }
}

impl Paging {
    /// What the query of `uri` asks for.
    pub(crate) fn of(uri: &Uri) -> Result<Self, Problem> {
        of_query(uri)
    }

    pub(crate) fn limit(&self) -> usize {
        let limit = self.limit.and_then(|limit| usize::try_from(limit).ok());
        limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
    }

    /// Where a list of runs goes on: behind a run.
    pub(crate) fn after_run(&self) -> Result<Option<&str>, Problem> {
        self.after(|cursor| RunId::parse(cursor).is_ok())
    }

    /// Where a list in the order of time goes on: behind an instant and an id.
    pub(crate) fn after_place(&self) -> Result<Option<&str>, Problem> {
        self.after(|cursor| {
            cursor.split_once(['.', '#']).is_some_and(|(millis, id)| {
                millis.parse::<i64>().is_ok() && EventId::parse(id).is_ok()
            })
        })
    }

    /// Where a list of tokens goes on: behind one.
    pub(crate) fn after_token(&self) -> Result<Option<&str>, Problem> {
        self.after(crate::route::is_token_id)
    }

    fn after(&self, is_cursor: fn(&str) -> bool) -> Result<Option<&str>, Problem> {
        match self.cursor.as_deref() {
            None | Some("") => Ok(None),
            Some(cursor) if is_cursor(cursor) => Ok(Some(cursor)),
            Some(_) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "bad_cursor",
                "the cursor is not the `next_cursor` of a page of this list",
            )),
        }
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
