//! Runs: list, show, gates, journal, inbox.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};
use sop_runtime::flow::{self, Shown};
use sop_runtime::port::{Clock, Queue, Store};

use crate::auth::reader;
use crate::problem::Problem;
use crate::request::{Paging, Segments, gate_number, run_id, segments};
use crate::route::Shared;
use crate::wire;

pub(crate) async fn list_runs<S, Q, C>(
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
    let page = flow::list_runs(&host, paging.after_run()?, paging.limit()).await?;
    Ok(Json(wire::page(&page)))
}

pub(crate) async fn inbox<S, Q, C>(
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
    let page = flow::inbox(&host, paging.after_place()?, paging.limit()).await?;
    Ok(Json(wire::page(&page)))
}

pub(crate) async fn show_run<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    run: Segments<String>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let run = run_id(&segments(run)?)?;
    Ok(Json(json!(flow::run_detail(&host, &run).await?.view)))
}

/// What an approver is shown.
pub(crate) async fn show_gate<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    path: Segments<(String, String)>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let (run, gate) = segments(path)?;
    let (run, gate) = (run_id(&run)?, gate_number(&gate)?);
    match flow::gate_shown(&host, &run, gate).await? {
        Shown::Open(shown) => Ok(Json(wire::gate(&shown))),
        Shown::Closed(refusal) => Err(refusal.into()),
    }
}

pub(crate) async fn journal<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    run: Segments<String>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let run = run_id(&segments(run)?)?;
    let detail = flow::run_detail(&host, &run).await?;
    let entries = flow::journal(&host, &run).await?;
    Ok(Json(json!({
        "run": run,
        "definition": detail.sop.to_json(),
        "entries": entries.iter().map(wire::sealed).collect::<Vec<_>>(),
    })))
}
