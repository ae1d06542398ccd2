//! Tokens: who may call.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use sop_runtime::flow;
use sop_runtime::port::{Clock, Queue, Store};

use crate::auth::operator;
use crate::problem::Problem;
use crate::request::{Paging, Segments, segments};
use crate::route::Shared;
use crate::wire;

pub(crate) async fn list_tokens<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    operator(&host, &headers).await?;
    let paging = Paging::of(&uri)?;
    // Behind every hash that begins with the id.
    let after = paging.after_token()?.map(|id| format!("{id}~"));
    let limit = paging.limit();
    let tokens = flow::tokens(&host, after.as_deref(), limit).await?;
    let next = tokens.last().filter(|_| tokens.len() == limit).map(|token| token.id());
    let shown: Vec<Value> = tokens.iter().map(wire::token).collect();
    Ok(Json(json!({ "tokens": shown, "next_cursor": next })))
}

pub(crate) async fn revoke_token<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    id: Segments<String>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let id = segments(id)?;
    let found = if is_id(&id) { flow::revoke(&host, &id).await? } else { None };
    let Some(token) = found else {
        let detail = format!("there is no token `{id}`; `sop pair --list` lists them");
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_token", detail));
    };
    tracing::info!(token = id, subject = token.subject, by = caller.subject, "token taken back");
    Ok(Json(json!({ "token": wire::token(&token) })))
}

/// Whether a token can be named so.
pub(crate) fn is_id(id: &str) -> bool {
    id.len() == 16 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
