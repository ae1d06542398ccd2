//! Pairing.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sop_runtime::flow::{self, Paired};
use sop_runtime::port::{Clock, Queue, Store};

use crate::auth::caller;
use crate::problem::Problem;
use crate::request::{json, only, read};
use crate::route::Shared;
use crate::wire::PairBody;

/// Bytes of a pairing request.
const PAIR_BYTES_MAX: usize = 1_024;

pub(crate) async fn pair<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let body = read(body, PAIR_BYTES_MAX).await?;
    let code = match only(&headers, "x-pairing-code") {
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
    match flow::redeem(&host, &code).await? {
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
) -> Result<Response, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    caller(&host, &headers).await?;
    let code = flow::new_code(&host).await?;
    Ok((StatusCode::CREATED, Json(json!({ "code": code, "expires_in_secs": 600 }))).into_response())
}
