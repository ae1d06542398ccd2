//! The webhook door.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{json, to_value};
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::flow::{self, Accepted, Answer, Answered, Hook, Rate, Sender};
use sop_runtime::port::{Clock, Queue, Secrets, Store};

use crate::auth::{bearer, forbidden};
use crate::peer;
use crate::problem::Problem;
use crate::request::{only, read};
use crate::route::Guarded;

pub(crate) async fn hook<S, Q, C, K>(
    State((host, secrets)): Guarded<S, Q, C, K>,
    request: Request<Body>,
) -> Result<Response, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
    K: Secrets + 'static,
{
    let (parts, body) = request.into_parts();
    let body = read(body, PAYLOAD_BYTES_MAX).await?;
    let headers: Vec<(&str, &str)> = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("")))
        .collect();
    let hook = Hook {
        method: parts.method.as_str(),
        raw_path: parts.uri.path(),
        bearer: bearer(&parts.headers),
        key: only(&parts.headers, "x-idempotency-key")
            .or_else(|| only(&parts.headers, "idempotency-key")),
        trace: only(&parts.headers, "traceparent"),
        body: &body,
    };
    let trusts_proxy = host.settings.gateway.trust_forwarded_for;
    let address = peer::address(&parts.extensions, &parts.headers, trusts_proxy);
    let sender = Sender { address, headers: &headers };
    let Answered { answer, rate } = flow::take_hook(&host, &*secrets, hook, sender).await?;
    let mut response = said(answer, rate).into_response();
    if let Some(rate) = rate {
        rate_headers(response.headers_mut(), "webhook", rate);
    }
    Ok(response)
}

fn said(answer: Answer, rate: Option<Rate>) -> Result<Response, Problem> {
    match answer {
        Answer::Accepted(accepted) => Ok(reply(StatusCode::ACCEPTED, "accepted", &accepted)),
        Answer::Duplicate(first) => Ok(reply(StatusCode::OK, "duplicate", &first)),
        Answer::Challenge(challenge) => Ok(Json(json!({ "challenge": challenge })).into_response()),
        Answer::Rejected(rejected) => Err(rejected.into()),
        Answer::Unauthorized => Err(Problem::unauthorized()),
        Answer::WrongSecret => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong_secret",
            "send the webhook secret of this host as `X-Webhook-Secret`",
        )),
        Answer::Unsigned(unverified) => Err(unverified.into()),
        Answer::NoSecret => Err(Problem::no_secret()),
        Answer::Forbidden(role) => Err(forbidden(role)),
        Answer::TooMany => Err(Problem::too_many(rate)),
        Answer::NoMatch { path, near } if path == "/webhook" => Err(Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            "no_agent",
            "no SOP matches, and no agent is configured to take the message",
        )
        .with("path", json!(path))
        .with("near", to_value(near).unwrap_or_default())),
        Answer::NoMatch { path, near } => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no_match",
            format!("no SOP matches `{path}`; a trigger's path must be the same to the letter"),
        )
        .with("path", json!(path))
        .with("near", to_value(near).unwrap_or_default())),
        Answer::MethodNotAllowed { path, allowed } => {
            let methods = allowed.join(", ");
            let detail = format!("`{path}` takes {methods}");
            let problem =
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
            let mut response = problem.with("allowed", json!(allowed)).into_response();
            if let Ok(methods) = HeaderValue::from_str(&methods) {
                response.headers_mut().insert(header::ALLOW, methods);
            }
            Ok(response)
        }
        Answer::KeyReused => Err(Problem::key_reused()),
    }
}

/// Tells a client what it has left.
///
/// Source: draft-ietf-httpapi-ratelimit-headers, sections on `RateLimit-Policy` and `RateLimit`.
pub(crate) fn rate_headers(headers: &mut HeaderMap, policy: &str, rate: Rate) {
    let Rate { quota, remaining, reset_secs, .. } = rate;
    for (name, value) in [
        ("ratelimit-policy", format!("\"{policy}\";q={quota};w=60")),
        ("ratelimit", format!("\"{policy}\";r={remaining};t={reset_secs}")),
    ] {
        let value = HeaderValue::try_from(value).expect("a name of ours, digits and signs");
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn reply(status: StatusCode, word: &str, accepted: &Accepted) -> Response {
    let source = if accepted.path == "/webhook" { "webhook" } else { "sop_webhook" };
    let body = json!({
        "status": word,
        "matched_sops": accepted.matched_sops,
        "source": source,
        "path": accepted.path,
        "event_id": accepted.event_id,
    });
    (status, Json(body)).into_response()
}
