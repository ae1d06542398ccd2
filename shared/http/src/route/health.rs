//! Liveness, how the host is, and requests that no route takes.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Map, Value, json};
use sop_runtime::flow::{self, Health, Part, RuleHealth, RulesHealth};
use sop_runtime::port::{Clock, DeadLetters, Queue, Store};

use crate::auth::reader;
use crate::problem::Problem;
use crate::route::Shared;

pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// How the host is: a figure a part, or `{"error"}` where it could not be had.
pub(crate) async fn parts<S, Q, C>(
    State(host): Shared<S, Q, C>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem>
where
    S: Store + 'static,
    Q: Queue + DeadLetters + 'static,
    C: Clock + 'static,
{
    reader(&host, &headers).await?;
    let Health { now, catalog, last_tick, overdue, inbox, congested, rules, dead } =
        flow::health(&host).await;
    let dead: Map<String, Value> =
        dead.into_iter().map(|(queue, count)| (queue.as_str().to_owned(), part(count))).collect();
    let mut told = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now": now.to_string(),
        "template": host.settings.template,
        "catalog": part(catalog.map(|(version, sops)| json!({ "version": version, "sops": sops }))),
        "last_tick": part(last_tick.map(|at| at.map(|at| at.to_string()))),
        "overdue": part(overdue),
        "inbox": part(inbox),
        "congested": part(congested),
        "dead": dead,
    });
    if let Some(RulesHealth { topics, events }) = rules {
        told["rules"] =
            json!({ "topics": part(topics.map(kind)), "events": part(events.map(kind)) });
    }
    Ok(Json(told))
}

fn kind(RuleHealth { right, missing, wrong, stale }: RuleHealth) -> Value {
    json!({ "right": right, "missing": missing, "wrong": wrong, "stale": stale })
}

fn part<T: Into<Value>>(part: Part<T>) -> Value {
    match part {
        Ok(figure) => figure.into(),
        Err(error) => json!({ "error": error }),
    }
}

pub(crate) async fn no_route(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_route",
        format!("there is nothing at `{}`; docs/api.md lists the routes", uri.path()),
    )
}

pub(crate) async fn no_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("`{}` does not take {method}", uri.path()),
    )
}
