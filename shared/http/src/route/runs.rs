//! Runs: list, show, journal, inbox.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sop_runtime::flow;
use sop_runtime::port::{Clock, Queue, Store};

use crate::auth::caller;
use crate::problem::Problem;
use crate::request::{Paging, run_id};
use crate::route::Shared;
use crate::wire;

pub(crate) async fn list_runs<S, Q, C>(
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
    let page = flow::list_runs(&host, paging.cursor.as_deref(), paging.limit()).await?;
    Ok(Json(wire::page(&page)))
}

pub(crate) async fn inbox<S, Q, C>(
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
    let page = flow::inbox(&host, paging.cursor.as_deref(), paging.limit()).await?;
    Ok(Json(wire::page(&page)))
}

pub(crate) async fn show_run<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    Path(run): Path<String>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    caller(&host, &headers).await?;
    let run = run_id(&run)?;
    shown(&flow::run_detail(&host, &run).await?)
}

/// A run as it is shown.
pub(crate) fn shown(detail: &flow::RunDetail) -> Result<Json<Value>, Problem> {
    Ok(Json(json!(detail.view)))
}

pub(crate) async fn journal<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    Path(run): Path<String>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    caller(&host, &headers).await?;
    let run = run_id(&run)?;
    let detail = flow::run_detail(&host, &run).await?;
    let entries = flow::journal(&host, &run).await?;
    Ok(Json(json!({
        "run": run,
        "definition": detail.sop.to_json(),
        "entries": entries.iter().map(wire::sealed).collect::<Vec<_>>(),
    })))
}
