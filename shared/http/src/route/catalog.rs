//! SOPs: list, show, push, run.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json, to_value};
use sop_core::definition::SourceFiles;
use sop_core::engine::value_of_text;
use sop_core::ingress;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_core::matching::describe;
use sop_runtime::flow::{self, ByHand, FlowError, Published, Sources};
use sop_runtime::port::{Clock, Queue, Store};

use crate::auth::{operator, reader};
use crate::problem::Problem;
use crate::request::{
    DEFINITIONS_BYTES_MAX, Segments, bad_body, json, key, read, segments, sop_name,
};
use crate::route::Shared;
use crate::schema;
use crate::wire::Push;

pub(crate) async fn list_sops<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let head = host.store.catalog_head(&host.tenant).await.map_err(FlowError::from)?;
    let (version, active) = match head {
        Some(head) => (head.version, host.pinned(&head.snapshot).await?),
        None => (0, host.active().await?),
    };
    let sops: Vec<Value> = active
        .index
        .active()
        .map(|sop| {
            json!({
                "name": sop.name,
                "version": sop.version,
                "digest": sop.digest,
                "triggers": sop.triggers.iter().map(describe).collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(Json(json!({ "version": version, "sops": sops })))
}

fn no_sop(name: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_sop",
        format!("no active SOP is called `{name}`; `sop list --remote` shows those there are"),
    )
}

pub(crate) async fn show_sop<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    name: Segments<String>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let name = sop_name(&segments(name)?)?;
    let active = host.active().await?;
    let Some(listed) = active.index.find(&name) else {
        return Err(no_sop(name.as_str()));
    };
    let definition = host.definition(&listed.digest).await?;
    Ok(Json(json!({ "sop": &*definition, "digest": listed.digest })))
}

pub(crate) async fn push<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let body = read(body, DEFINITIONS_BYTES_MAX).await?;
    let push: Push = json(&body)?;
    if push.draft && push.prune {
        return Err(bad_body("a draft takes nothing away: `draft` and `prune` exclude each other"));
    }
    let files: Vec<SourceFiles> = push
        .sops
        .into_iter()
        .map(|sop| SourceFiles { directory: sop.directory, toml: sop.toml, markdown: sop.markdown })
        .collect();
    let workspace = push.workspace.as_ref().map(|it| (it.file.as_str(), it.toml.as_str()));
    let schema_problem = Some(sop_schema::problem as fn(&_) -> _);
    let sources = Sources { files: &files, workspace, schema_problem };
    let what = match (push.draft, push.prune) {
        (true, _) => flow::Push::Draft,
        (false, true) => flow::Push::Replace,
        (false, false) => flow::Push::Publish,
    };
    match flow::publish(&host, sources, what, &caller.subject).await? {
        Published::Active { version, sops, diagnostics } => {
            tracing::info!(by = %caller.subject, version, sops = sops.len(), "published");
            let sops: Vec<Value> = sops
                .into_iter()
                .map(|(name, digest)| json!({ "name": name, "digest": digest }))
                .collect();
            Ok(Json(json!({ "version": version, "sops": sops, "diagnostics": diagnostics })))
        }
        Published::Drafted { sops, diagnostics } => {
            tracing::info!(by = %caller.subject, sops = sops.len(), "drafted");
            let sops: Vec<Value> = sops
                .into_iter()
                .map(|(name, digest)| json!({ "name": name, "digest": digest }))
                .collect();
            Ok(Json(json!({ "sops": sops, "diagnostics": diagnostics })))
        }
        Published::Invalid { diagnostics } => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_definitions",
            "the definitions have errors; nothing was changed",
        )
        .with("diagnostics", to_value(diagnostics).unwrap_or_default())),
    }
}

pub(crate) async fn run_sop<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    name: Segments<String>,
    body: Body,
) -> Result<Response, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let name = sop_name(&segments(name)?)?;
    let data = ingress::webhook_body(&read(body, PAYLOAD_BYTES_MAX).await?)?;
    let key = key(&headers)?;
    if let Some(listed) = host.active().await?.index.find(&name)
        && let Some(schema) = &host.definition(&listed.digest).await?.input
    {
        let value = data.text().map(value_of_text).unwrap_or_default();
        schema::fits(schema, &value, "bad_input", &format!("`{name}` takes"))?;
    }
    let done = flow::run_by_hand(&host, &name, &caller.subject, data, key).await?;
    started(done, name.as_str())
}

/// The answer to a start by hand of what is called `name`.
pub(super) fn started(done: ByHand, name: &str) -> Result<Response, Problem> {
    match done {
        ByHand::NoSop => Err(no_sop(name)),
        ByHand::KeyReused => Err(Problem::key_reused()),
        ByHand::Started { run, reason } => Ok((
            StatusCode::ACCEPTED,
            Json(json!({ "run_id": run, "parentSessionId": run, "reason": reason })),
        )
            .into_response()),
        ByHand::NotStarted { reason } => {
            Err(Problem::new(StatusCode::CONFLICT, "not_started", reason))
        }
    }
}
