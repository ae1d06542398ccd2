//! The webhook door.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{json, to_value};
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::flow::{self, Accepted, Answer, Hook};
use sop_runtime::port::{Clock, Queue, Store};

use crate::auth::bearer;
use crate::problem::Problem;
use crate::request::{only, read};
use crate::route::Shared;

pub(crate) async fn hook<S, Q, C>(
    State(host): Shared<S, Q, C>,
    request: Request<Body>,
) -> Result<Response, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let (parts, body) = request.into_parts();
    let body = read(body, PAYLOAD_BYTES_MAX).await?;
    let answer = flow::hook(
        &host,
        Hook {
            method: parts.method.as_str(),
            raw_path: parts.uri.path(),
            bearer: bearer(&parts.headers),
            key: only(&parts.headers, "x-idempotency-key")
                .or_else(|| only(&parts.headers, "idempotency-key")),
            trace: only(&parts.headers, "traceparent"),
            body: &body,
        },
    )
    .await?;
    match answer {
        Answer::Accepted(accepted) => Ok(reply(StatusCode::ACCEPTED, "accepted", &accepted)),
        Answer::Duplicate(first) => Ok(reply(StatusCode::OK, "duplicate", &first)),
        Answer::Rejected(rejected) => Err(rejected.into()),
        Answer::Unauthorized => Err(Problem::unauthorized()),
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
