//! Logs: one JSON object a line, its fields at the top level.
//!
//! `span.requestId` is the invocation's; `event.id`, `run.id` and `trace` are in the line. No payload, no
//! token and no credential is ever a field.

use std::error::Error;
use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::env;

/// Sends what is logged to standard output, from the level in `SOP_LOG` on; of libraries only warnings.
pub fn init() {
    let level = std::env::var(env::LOG)
        .ok()
        .and_then(|name| LevelFilter::from_str(&name).ok())
        .unwrap_or(LevelFilter::INFO);
    // The runtime's span holds the request id; at `warn` it would be left out.
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("lambda_runtime", level.min(LevelFilter::INFO))
        .with_target("sop", level);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_writer(std::io::stdout);
    // A second call changes nothing.
    let _ = tracing_subscriber::registry().with(targets).with(lines).try_init();
}

/// `error` and what led to it, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_one_line() {
        let port = sop_runtime::port::PortError::retryable("send to a queue", "timed out");
        let error = sop_runtime::flow::FlowError::from(port);
        assert_eq!(chain(&error), "a port failed: could not send to a queue: timed out");
    }
}
