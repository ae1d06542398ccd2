//! Schedules: when they fire, and their switch.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sop_runtime::flow::{self, RoutineShown, Switched};
use sop_runtime::port::{Clock, Queue, Store};

use crate::auth::{operator, reader};
use crate::problem::Problem;
use crate::request::{Segments, json as object, read, segments, sop_name};
use crate::route::Shared;
use crate::wire::Switch;

/// Bytes of an order to switch.
const ORDER_BYTES_MAX: usize = 1_024;

pub(crate) async fn list_routines<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let routines = flow::routines(&host).await?;
    Ok(Json(json!({ "routines": routines.iter().map(shown).collect::<Vec<_>>() })))
}

fn shown(routine: &RoutineShown) -> Value {
    let schedules = routine.schedules.iter().map(|schedule| {
        json!({
            "expression": schedule.expression,
            "timezone": schedule.timezone,
            "next": schedule.next.map(|next| next.to_string()),
        })
    });
    let (since, by) = routine.switched.clone().unzip();
    json!({
        "sop": routine.sop,
        "on": routine.on,
        "since": since.map(|since| since.to_string()),
        "by": by,
        "schedules": schedules.collect::<Vec<_>>(),
    })
}

/// Switches the schedules of an SOP.
pub(crate) async fn switch<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    name: Segments<String>,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let name = sop_name(&segments(name)?)?;
    let asked: Switch = object(&read(body, ORDER_BYTES_MAX).await?)?;
    match flow::switch(&host, &name, asked.on, &caller.subject).await? {
        Switched::Done(routine) => Ok(Json(json!({
            "sop": routine.sop,
            "on": routine.on,
            "since": routine.since.to_string(),
            "by": routine.by,
        }))),
        Switched::NoSchedule => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no_schedule",
            format!(
                "no active SOP `{name}` has a `cron` trigger; `sop routine list` shows those that have"
            ),
        )),
    }
}
