//! RFC 9457 problem details.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use sop_core::engine::Refusal;
use sop_core::ingress::Rejected;
use sop_core::signature::Unverified;
use sop_runtime::flow::{FlowError, Rate};
use sop_runtime::report::chain;

/// Characters of a detail: what a caller sent may be told back, but not all of it.
const DETAIL_CHARS_MAX: usize = 1_000;

/// What is answered when a request is not carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after_secs: Option<u64>,
    more: Map<String, Value>,
}

impl Problem {
    /// A problem with a stable `code` and a `detail` that tells a person what to do next.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after_secs: None, more: Map::new() }
    }

    /// The same, with another member.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.more.insert(member.to_owned(), value);
        self
    }

    /// The same, with `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, secs: u64) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "send `Authorization: Bearer <token>`; a token comes from `POST /pair` with a pairing code",
        )
    }
}

impl Problem {
    /// 503: the door lacks a secret; the service's log names it.
    pub(crate) fn no_secret() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_secret",
            "this door lacks a secret that it needs, or has one it cannot use; the log of the service names it",
        )
        .retry_after(60)
    }

    /// 429: the client has used up its quota.
    pub(crate) fn too_many(rate: Option<Rate>) -> Self {
        let secs = rate.map_or(60, |rate| rate.reset_secs);
        let detail =
            format!("that is as many requests as one client has in a minute; go on in {secs} s");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many", detail).retry_after(secs)
    }

    /// 422: the key came with another request.
    pub(crate) fn key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "key_reused",
            "this idempotency key came with another path or body before; use a new key",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Problem");
        let mut body = json!({
            "type": format!("urn:sopwith:problem:{}", self.code),
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail.chars().take(DETAIL_CHARS_MAX).collect::<String>(),
            "code": self.code,
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.more);
        }
        tracing::warn!(status = self.status.as_u16(), code = self.code, "request refused");
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

impl From<Rejected> for Problem {
    fn from(rejected: Rejected) -> Self {
        let (status, code) = match &rejected {
            Rejected::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Rejected::NotJson { .. } => (StatusCode::BAD_REQUEST, "not_json"),
            Rejected::BadPath => (StatusCode::BAD_REQUEST, "bad_path"),
            Rejected::BadKey => (StatusCode::BAD_REQUEST, "bad_key"),
            Rejected::NotCloudEvent { .. } => (StatusCode::BAD_REQUEST, "not_cloudevent"),
            Rejected::CloudEventBatch => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "cloudevent_batch"),
        };
        Self::new(status, code, rejected.to_string())
    }
}

impl From<Unverified> for Problem {
    fn from(unverified: Unverified) -> Self {
        let (status, code) = match &unverified {
            Unverified::Missing { .. } => (StatusCode::UNAUTHORIZED, "signature_missing"),
            Unverified::Malformed { .. } => (StatusCode::UNAUTHORIZED, "signature_malformed"),
            Unverified::Wrong => (StatusCode::UNAUTHORIZED, "signature_wrong"),
            Unverified::Late { .. } => (StatusCode::UNAUTHORIZED, "signature_late"),
            Unverified::BadSecret => return Self::no_secret(),
        };
        Self::new(status, code, unverified.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::AlreadyFinished => "already_finished",
            Refusal::NotWaiting => "not_waiting",
            Refusal::Superseded { .. } => "superseded",
            Refusal::GateNotOpen { .. } => "gate_not_open",
            Refusal::NotAwaited { .. } => "not_awaited",
            Refusal::OutcomeNotAwaited { .. } => "outcome_not_awaited",
            Refusal::NotQueued => "not_queued",
            Refusal::TooEarly { .. } => "too_early",
            Refusal::NotSleeping => "not_sleeping",
            Refusal::NotEntitled { .. } => "not_entitled",
            Refusal::OwnWork => "own_work",
            Refusal::AlreadyVoted { .. } => "already_voted",
            Refusal::NotAmendable { .. } => "not_amendable",
            Refusal::NothingToAmend { .. } => "nothing_to_amend",
            Refusal::AmendmentTooLarge { .. } => "amendment_too_large",
            Refusal::NoDraft { .. } => "no_draft",
            Refusal::RevisedTooOften { .. } => "revised_too_often",
            Refusal::EventNotAwaited { .. } => "event_not_awaited",
            Refusal::Paused => "paused",
            Refusal::NotPaused => "not_paused",
            Refusal::NotFailed => "not_failed",
        };
        let status = match &refusal {
            Refusal::NotEntitled { .. } | Refusal::OwnWork => StatusCode::FORBIDDEN,
            Refusal::AmendmentTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::AlreadyFinished
            | Refusal::NotWaiting
            | Refusal::Superseded { .. }
            | Refusal::GateNotOpen { .. }
            | Refusal::AlreadyVoted { .. }
            | Refusal::NotAmendable { .. }
            | Refusal::NothingToAmend { .. }
            | Refusal::NoDraft { .. }
            | Refusal::RevisedTooOften { .. }
            | Refusal::NotAwaited { .. }
            | Refusal::OutcomeNotAwaited { .. }
            | Refusal::EventNotAwaited { .. }
            | Refusal::NotQueued
            | Refusal::TooEarly { .. }
            | Refusal::NotSleeping
            | Refusal::Paused
            | Refusal::NotPaused
            | Refusal::NotFailed => StatusCode::CONFLICT,
        };
        Self::new(status, code, refusal.to_string())
    }
}

impl From<FlowError> for Problem {
    fn from(error: FlowError) -> Self {
        if let FlowError::NoRun(run) = &error {
            return Self::new(
                StatusCode::NOT_FOUND,
                "no_run",
                format!("there is no run `{run}`; `sop runs` lists them"),
            );
        }
        tracing::error!(error = %chain(&error), "request failed");
        if error.is_retryable() {
            return Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the store or the queue did not answer; nothing is promised, try again",
            )
            .retry_after(1);
        }
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "this could not be done; the log of the service says why",
        )
    }
}
