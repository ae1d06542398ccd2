//! The HTTP router: webhooks, pairing and the API. One router for Lambda and for one machine.
//!
//! It turns requests into calls of flows and their answers into responses; it decides nothing.
//! Errors are RFC 9457 problem details with a stable `code`. `docs/api.md` is the contract.

mod auth;
mod bounds;
mod peer;
mod problem;
mod request;
mod route;
mod schema;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{any, delete, get, post};
use sop_core::engine::Input;
use sop_runtime::flow::Host;
use sop_runtime::port::{Clock, DeadLetters, Queue, Secrets, Store};

pub use peer::Peer;
pub use problem::Problem;

/// The doors: webhooks, whose signatures are made with `secrets`.
pub fn doors<S, Q, C, K>(host: Arc<Host<S, Q, C>>, secrets: Arc<K>) -> Router
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
    K: Secrets + 'static,
{
    bounded(Router::new().route("/healthz", get(route::health)).merge(hooks(host, secrets)))
}

fn hooks<S, Q, C, K>(host: Arc<Host<S, Q, C>>, secrets: Arc<K>) -> Router
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
    K: Secrets + 'static,
{
    Router::new()
        .route("/sop/{*rest}", any(route::hook::<S, Q, C, K>))
        .route("/webhook", post(route::hook::<S, Q, C, K>))
        .with_state((host, secrets))
}

/// `routes` with what is said where there is none, behind the bounds that all requests have.
fn bounded(routes: Router) -> Router {
    routes
        .fallback(route::no_route)
        .method_not_allowed_fallback(route::no_method)
        .layer(from_fn(bounds::check))
}

/// The API: runs, SOPs, decisions, the dispatch log, schedules, dead letters.
pub fn api<S, Q, C>(host: Arc<Host<S, Q, C>>) -> Router
where
    S: Store + 'static,
    Q: Queue + DeadLetters + 'static,
    C: Clock + 'static,
{
    bounded(calls(host))
}

fn calls<S, Q, C>(host: Arc<Host<S, Q, C>>) -> Router
where
    S: Store + 'static,
    Q: Queue + DeadLetters + 'static,
    C: Clock + 'static,
{
    Router::new()
        .route("/healthz", get(route::health))
        .route("/pair", post(route::pair::<S, Q, C>))
        .route("/api/pairing-codes", post(route::new_pairing_code::<S, Q, C>))
        .route("/api/tokens", get(route::list_tokens::<S, Q, C>))
        .route("/api/tokens/{id}", delete(route::revoke_token::<S, Q, C>))
        .route("/api/sops", get(route::list_sops::<S, Q, C>).post(route::push::<S, Q, C>))
        .route("/api/sops/{name}", get(route::show_sop::<S, Q, C>))
        .route("/api/sops/{name}/run", post(route::run_sop::<S, Q, C>))
        .route("/api/runs", get(route::list_runs::<S, Q, C>))
        .route("/api/runs/{run}", get(route::show_run::<S, Q, C>))
        .route("/api/runs/{run}/journal", get(route::journal::<S, Q, C>))
        .route("/api/runs/{run}/gates/{gate}", get(route::show_gate::<S, Q, C>))
        .route("/api/runs/{run}/cancel", post(route::cancel::<S, Q, C>))
        .route(
            "/api/runs/{run}/pause",
            post(|host, headers, run| route::order::<S, Q, C>(host, headers, run, Input::Pause)),
        )
        .route(
            "/api/runs/{run}/resume",
            post(|host, headers, run| route::order::<S, Q, C>(host, headers, run, Input::Resume)),
        )
        .route(
            "/api/runs/{run}/retry",
            post(|host, headers, run| route::order::<S, Q, C>(host, headers, run, Input::Retry)),
        )
        .route("/api/runs/{run}/rerun", post(route::rerun::<S, Q, C>))
        .route("/api/sops/{name}/versions", get(route::versions::<S, Q, C>))
        .route("/api/sops/{name}/publish", post(route::activate::<S, Q, C>))
        .route("/api/sops/{name}/archive", post(route::archive::<S, Q, C>))
        .route("/api/definitions/{digest}", get(route::definition::<S, Q, C>))
        .route("/api/runs/{run}/steps/{step}/complete", post(route::complete::<S, Q, C>))
        .route("/api/runs/{run}/steps/{step}/fail", post(route::fail::<S, Q, C>))
        .route("/api/inbox", get(route::inbox::<S, Q, C>))
        .route("/api/gates/{run}/decision", post(route::decide::<S, Q, C>))
        .route("/api/events", get(route::list_events::<S, Q, C>).post(route::emit::<S, Q, C>))
        .merge(operations())
        .with_state(host)
}

/// What operators ask: one event, schedules, dead letters.
fn operations<S, Q, C>() -> Router<Arc<Host<S, Q, C>>>
where
    S: Store + 'static,
    Q: Queue + DeadLetters + 'static,
    C: Clock + 'static,
{
    Router::new()
        .route("/api/health", get(route::parts::<S, Q, C>))
        .route("/api/events/{event}", get(route::show_event::<S, Q, C>))
        .route("/api/events/{event}/replay", post(route::replay::<S, Q, C>))
        .route("/api/routines", get(route::list_routines::<S, Q, C>))
        .route("/api/sops/{name}/routine", post(route::switch::<S, Q, C>))
        .route("/api/dlq", get(route::list_dead::<S, Q, C>))
        .route("/api/dlq/{queue}/{id}", get(route::show_dead::<S, Q, C>))
        .route("/api/dlq/redrive", post(route::redrive::<S, Q, C>))
        .route("/api/dlq/discard", post(route::discard::<S, Q, C>))
}

/// Doors and API in one, for one machine.
pub fn all<S, Q, C, K>(host: Arc<Host<S, Q, C>>, secrets: Arc<K>) -> Router
where
    S: Store + 'static,
    Q: Queue + DeadLetters + 'static,
    C: Clock + 'static,
    K: Secrets + 'static,
{
    bounded(calls(Arc::clone(&host)).merge(hooks(host, secrets)))
}
