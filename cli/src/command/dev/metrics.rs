//! What `sop dev` counts, for Prometheus.

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Upper bounds in seconds: a built-in takes milliseconds, a person hours.
const BUCKETS: &[f64] = &[
    0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1_800.0, 7_200.0, 43_200.0, 259_200.0,
];

/// Starts counting.
///
/// # Errors
/// When the process counts already.
pub(super) fn start() -> Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets(BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .context("could not start counting")
}

/// `GET /metrics`, in the text format. Needs no token: it holds numbers, and names of built-ins.
/// Source: Prometheus documentation, exposition formats.
pub(super) fn route(handle: PrometheusHandle) -> Router {
    let render = move || {
        let handle = handle.clone();
        async move {
            handle.run_upkeep();
            ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render())
        }
    };
    Router::new().route("/metrics", get(render))
}
