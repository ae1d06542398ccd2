//! The dispatch log, and events sent by hand.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sop_core::Source;
use sop_core::cron::CronExpr;
use sop_core::event::Data;
use sop_core::ingress::{self, Rejected};
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_core::topic::check_name;
use sop_runtime::flow::{self, Door};
use sop_runtime::port::{Clock, LogQuery, Queue, Store};

use crate::auth::{operator, reader};
use crate::problem::Problem;
use crate::request::{Paging, json, read};
use crate::route::Shared;
use crate::wire::{self, Emit};

pub(crate) async fn list_events<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let paging = Paging::of(&uri)?;
    let (since, until) = paging.span(host.now())?;
    let query = LogQuery {
        tenant: host.tenant.clone(),
        since,
        until,
        limit: paging.limit(),
        after: paging.after_place()?.map(str::to_owned),
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
    let caller = operator(&host, &headers).await?;
    // Room for the object around the payload.
    let asked: Emit = json(&read(body, PAYLOAD_BYTES_MAX + 1_024).await?)?;
    check_subject(&asked)?;
    let data = match asked.payload {
        None | Some(Value::Null) => Data::Empty,
        Some(payload) => {
            let text = payload.to_string();
            if text.len() > PAYLOAD_BYTES_MAX {
                return Err(Rejected::TooLarge { bytes: text.len() }.into());
            }
            Data::Text(text)
        }
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

/// Whether a webhook can come in at `path`, which is decoded.
fn is_hook_path(path: &str) -> bool {
    let is_route =
        path == "/webhook" || path.strip_prefix("/sop/").is_some_and(|rest| !rest.is_empty());
    is_route && ingress::decode_path(&path.replace('%', "%25")).is_ok()
}

/// The subject must be one that its door could have given.
fn check_subject(asked: &Emit) -> Result<(), Problem> {
    let fits = match asked.source {
        Source::Mqtt => check_name(&asked.subject).is_ok(),
        Source::Peripheral => {
            let topic = format!("peripherals/{}", asked.subject);
            check_name(&topic).is_ok() && ingress::uplink(&topic).is_some()
        }
        Source::Webhook => is_hook_path(&asked.subject),
        Source::Cron => CronExpr::parse(&asked.subject).is_ok(),
        Source::Manual | Source::Sop => false,
    };
    if fits {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::BAD_REQUEST,
        "bad_subject",
        match asked.source {
            Source::Manual | Source::Sop => {
                "a manual start goes to `POST /api/sops/{name}/run`".to_owned()
            }
            Source::Mqtt | Source::Peripheral | Source::Webhook | Source::Cron => {
                format!("`{}` is no subject of a {} event", asked.subject, asked.source)
            }
        },
    ))
}
