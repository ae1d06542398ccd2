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
use sop_core::id::EventId;
use sop_core::ingress::{self, Rejected};
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_core::matching::is_event_subject;
use sop_core::topic::check_name;
use sop_runtime::flow::{self, Door, EventFilter, Recorded, Replayed};
use sop_runtime::port::{Clock, LogQuery, Queue, Store};

use crate::auth::{operator, reader};
use crate::problem::Problem;
use crate::request::{Paging, Segments, json, of_query, read, segments, sop_name};
use crate::route::Shared;
use crate::wire::{self, Emit, EventsAsked, Replay};

/// Bytes of an order to replay.
const ORDER_BYTES_MAX: usize = 4 * 1_024;

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
    let asked: EventsAsked = of_query(&uri)?;
    let filter = EventFilter {
        source: asked.source,
        outcome: asked.outcome.map(|outcome| outcome.as_str().to_owned()),
        sop: asked.sop.as_deref().map(sop_name).transpose()?,
    };
    let page = flow::events(&host, &query, &filter).await?;
    Ok(Json(json!({
        "events": page.lines.iter().map(wire::line).collect::<Vec<_>>(),
        "next_cursor": page.next,
    })))
}

/// One event, with the whole payload and the verdict of each SOP.
pub(crate) async fn show_event<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    event: Segments<String>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let event = event_id(&segments(event)?)?;
    let Some(Recorded { line, data, .. }) = flow::recorded(&host, &event).await? else {
        return Err(no_event(&event));
    };
    let mut shown = wire::line(&line);
    // The whole payload takes the place of its beginning.
    match data {
        Some(Data::Text(text)) => shown["detail"]["payload"] = json!(text),
        Some(Data::Base64(text)) => shown["detail"]["payload_base64"] = json!(text),
        Some(Data::Empty) | None => {}
    }
    Ok(Json(shown))
}

/// Sends a recorded event again, as a new one.
pub(crate) async fn replay<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    event: Segments<String>,
    body: Body,
) -> Result<Response, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let event = event_id(&segments(event)?)?;
    let asked: Replay = json(&read(body, ORDER_BYTES_MAX).await?)?;
    let sop = asked.sop.as_deref().map(sop_name).transpose()?;
    match flow::replay(&host, &event, sop.as_ref(), &caller.subject).await? {
        Replayed::Sent(again) => {
            let answer = json!({ "event_id": again.id, "replay_of": event });
            Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
        }
        Replayed::NoEvent => Err(no_event(&event)),
        Replayed::NoSop => {
            let name = asked.sop.unwrap_or_default();
            let detail = format!("there is no active SOP `{name}`");
            Err(Problem::new(StatusCode::NOT_FOUND, "no_sop", detail))
        }
        Replayed::Not(why) => Err(Problem::new(StatusCode::CONFLICT, "not_replayable", why)),
    }
}

fn event_id(text: &str) -> Result<EventId, Problem> {
    EventId::parse(text)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_event_id", error.to_string()))
}

fn no_event(event: &EventId) -> Problem {
    let detail = format!(
        "the log has no event `{event}`: its line has expired, was not written, or is not written yet"
    );
    Problem::new(StatusCode::NOT_FOUND, "no_event", detail)
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
        Source::Event => is_event_subject(&asked.subject),
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
            Source::Mqtt | Source::Peripheral | Source::Webhook | Source::Cron | Source::Event => {
                format!("`{}` is no subject of a {} event", asked.subject, asked.source)
            }
        },
    ))
}
