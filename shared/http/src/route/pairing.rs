//! Pairing.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sop_core::duration;
use sop_runtime::flow::{self, Host, Paired};
use sop_runtime::port::{Clock, Grant, Queue, Store};

use crate::auth::operator;
use crate::peer;
use crate::problem::Problem;
use crate::request::{json, only, read};
use crate::route::Shared;
use crate::route::hook::rate_headers;
use crate::wire::{NewCode, PairBody};

/// Bytes of a pairing request.
const PAIR_BYTES_MAX: usize = 1_024;

/// Characters of a subject.
const SUBJECT_CHARS_MAX: usize = 64;

/// Seconds that a token lives at most, when it is to lapse at all: ten years.
const LIFE_SECS_MAX: u64 = 3_660 * 86_400;

pub(crate) async fn pair<S, Q, C>(
    State(host): Shared<S, Q, C>,
    request: Request<Body>,
) -> Result<Response, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let (parts, body) = request.into_parts();
    let trusts_proxy = host.settings.gateway.trust_forwarded_for;
    let address = peer::address(&parts.extensions, &parts.headers, trusts_proxy);
    let rate = flow::take_pairing(&host, address).await?;
    let answer = if rate.is_some_and(|rate| !rate.passed) {
        Err(Problem::too_many(rate))
    } else {
        redeem(&host, &parts.headers, body).await
    };
    let mut response = answer.into_response();
    if let Some(rate) = rate {
        rate_headers(response.headers_mut(), "pair", rate);
    }
    Ok(response)
}

async fn redeem<S, Q, C>(
    host: &Host<S, Q, C>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let body = read(body, PAIR_BYTES_MAX).await?;
    let code = match only(headers, "x-pairing-code") {
        Some(code) => code.to_owned(),
        None => json::<PairBody>(&body)?.code.unwrap_or_default(),
    };
    if code.trim().is_empty() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "no_code",
            "send the pairing code as `X-Pairing-Code`",
        ));
    }
    match flow::redeem(host, &code).await? {
        Paired::Token { token, subject } => Ok(Json(json!({ "token": token, "subject": subject }))),
        Paired::Wrong => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "wrong_code",
            "the pairing code is wrong, used up or older than 10 minutes; `sop pair --new` makes one",
        )),
        Paired::Locked { until } => {
            let secs = until.millis_since(host.now()).max(0).unsigned_abs().div_ceil(1_000).max(1);
            Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "locked",
                format!("too many wrong codes; pairing opens again in {secs} s"),
            )
            .retry_after(secs))
        }
    }
}

pub(crate) async fn new_pairing_code<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    operator(&host, &headers).await?;
    let asked: NewCode = json(&read(body, PAIR_BYTES_MAX).await?)?;
    let grant = grant(asked)?;
    let code = flow::new_code_for(&host, &grant).await?;
    let answer = json!({ "code": code, "expires_in_secs": 600, "role": grant.role });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// What the code's token will be.
fn grant(asked: NewCode) -> Result<Grant, Problem> {
    let bad = |code, detail: &str| Problem::new(StatusCode::BAD_REQUEST, code, detail);
    let is_name = |text: &str| {
        (1..=SUBJECT_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@-".contains(&b))
    };
    if asked.subject.as_deref().is_some_and(|subject| !is_name(subject)) {
        return Err(bad(
            "bad_subject",
            "a subject is 1 to 64 letters, digits and `.`, `_`, `@`, `-`",
        ));
    }
    let life_secs = match asked.expires_in.as_deref().map(duration::parse) {
        None => None,
        Some(Ok(secs)) if (1..=LIFE_SECS_MAX).contains(&secs) => Some(secs),
        Some(_) => {
            return Err(bad(
                "bad_duration",
                "`expires_in` is such as `12h` or `90d`, at most 3660d",
            ));
        }
    };
    Ok(Grant { subject: asked.subject, role: asked.role, life_secs })
}
