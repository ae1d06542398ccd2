//! Versions of SOPs: list, make active, archive, read.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sop_core::id::Digest;
use sop_runtime::flow::{self, Activated, FlowError};
use sop_runtime::port::{Clock, Queue, Store};

use crate::auth::{operator, reader};
use crate::problem::Problem;
use crate::request::{Segments, json as object, read, segments, sop_name};
use crate::route::Shared;
use crate::wire::Activate;

/// Bytes of an order to publish.
const ORDER_BYTES_MAX: usize = 4 * 1_024;

pub(crate) async fn versions<S, Q, C>(
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
    let versions = flow::versions(&host, Some(&name)).await?;
    if versions.is_empty() {
        return Err(no_version(name.as_str()));
    }
    let versions: Vec<Value> = versions
        .into_iter()
        .map(|(version, status)| {
            json!({
                "digest": version.digest,
                "version": version.version,
                "status": status,
                "pushed_at": version.pushed_at.to_string(),
                "pushed_by": version.pushed_by,
                "published_at": version.published_at.map(|at| at.to_string()),
                "published_by": version.published_by,
            })
        })
        .collect();
    Ok(Json(json!({ "sop": name, "versions": versions })))
}

fn no_version(name: &str) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_version",
        format!(
            "there is no such version of `{name}`; `sop versions {name}` lists those there are"
        ),
    )
}

/// Makes a version active: the one that is named, or the one pushed last.
pub(crate) async fn activate<S, Q, C>(
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
    let asked: Activate = object(&read(body, ORDER_BYTES_MAX).await?)?;
    let digest = asked.digest.as_deref().map(digest_of).transpose()?;
    let by = &caller.subject;
    let done = flow::activate(&host, &name, digest.as_ref(), by).await?;
    answer(name.as_str(), by, &done)
}

/// Archives an SOP: nothing starts it any more.
pub(crate) async fn archive<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    name: Segments<String>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    let caller = operator(&host, &headers).await?;
    let name = sop_name(&segments(name)?)?;
    let by = &caller.subject;
    let done = flow::archive(&host, &name, by).await?;
    answer(name.as_str(), by, &done)
}

fn answer(name: &str, by: &str, done: &Activated) -> Result<Json<Value>, Problem> {
    match done {
        Activated::Done { version, digest } => {
            tracing::info!(sop = name, by, version, "published");
            Ok(Json(json!({ "sop": name, "version": version, "digest": digest })))
        }
        Activated::NoVersion => Err(no_version(name)),
    }
}

/// A definition by its digest, of whatever status.
pub(crate) async fn definition<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
    digest: Segments<String>,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let digest = digest_of(&segments(digest)?)?;
    match host.definition(&digest).await {
        Ok(definition) => Ok(Json(json!({ "sop": &*definition, "digest": digest }))),
        Err(FlowError::NoDefinition(_)) => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no_definition",
            format!("there is no definition `{digest}`"),
        )),
        Err(error) => Err(error.into()),
    }
}

fn digest_of(text: &str) -> Result<Digest, Problem> {
    Digest::parse(text)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_digest", error.to_string()))
}
