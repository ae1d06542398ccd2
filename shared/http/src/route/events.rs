//! The dispatch log, and events sent by hand.

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sop_core::Source;
use sop_core::event::Data;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::flow::{self, Door};
use sop_runtime::port::{Clock, LogQuery, Queue, Store};

use crate::auth::caller;
use crate::problem::Problem;
use crate::request::{Paging, json, read};
use crate::route::Shared;
use crate::wire::{self, Emit};

pub(crate) async fn list_events<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    Query(paging): Query<Paging>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    caller(&host, &headers).await?;
    let (since, until) = paging.span(host.now())?;
    let query = LogQuery {
        tenant: host.tenant.clone(),
        since,
        until,
        limit: paging.limit(),
        after: paging.cursor,
    };
    let page = flow::events(&host, &query).await?;
    Ok(Json(json!({
        "events": page.lines.iter().map(wire::line).collect::<Vec<_>>(),
        "next_cursor": page.next,
    })))
}

pub(crate) async fn emit<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = caller(&host, &headers).await?;
    // Room for the object around the payload.
    let asked: Emit = json(&read(body, PAYLOAD_BYTES_MAX + 1_024).await?)?;
    check_subject(&asked)?;
    let data = match asked.payload {
        None | Some(Value::Null) => Data::Empty,
        Some(payload) => Data::Text(payload.to_string()),
    };
    let door = Door {
        source: asked.source,
        subject: asked.subject,
        data,
        transport_id: None,
        time: None,
        actor: Some(caller.subject),
    };
    let event = flow::accept(&host, door).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "event_id": event.id }))).into_response())
}

/// The subject must be one that its door could have given.
fn check_subject(asked: &Emit) -> Result<(), Problem> {
    let fits = match asked.source {
        Source::Mqtt => sop_core::topic::check_name(&asked.subject).is_ok(),
        Source::Peripheral => asked.subject.split_once('/').is_some_and(|(board, signal)| {
            !board.is_empty() && !signal.is_empty() && !signal.contains('/')
        }),
        Source::Webhook => asked.subject.starts_with('/'),
        Source::Cron => !asked.subject.is_empty(),
        Source::Manual => false,
    };
    if fits {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::BAD_REQUEST,
        "bad_subject",
        match asked.source {
            Source::Manual => "a manual start goes to `POST /api/sops/{name}/run`".to_owned(),
            Source::Mqtt | Source::Peripheral | Source::Webhook | Source::Cron => {
                format!("`{}` is no subject of a {} event", asked.subject, asked.source)
            }
        },
    ))
}
