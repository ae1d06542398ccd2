//! Logs: one JSON object a line, its fields at the top level.
//!
//! `span.requestId` is the invocation's; `event.id`, `run.id` and `trace` are in the line. No payload, no
//! token and no credential is ever a field.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::env;

/// Sends what is logged to standard output, from the level in `SOP_LOG` on; of libraries only warnings.
pub fn init() {
    let targets = targets(std::env::var(env::LOG).ok().as_deref());
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_writer(std::io::stdout);
    // A second call changes nothing.
    let _ = tracing_subscriber::registry().with(targets).with(lines).try_init();
}

fn targets(name: Option<&str>) -> Targets {
    let level = name.and_then(|name| LevelFilter::from_str(name).ok()).unwrap_or(LevelFilter::INFO);
    // The runtime's span holds the request id, so it is let in; what it logs below `info` are whole
    // calls, with the tokens in them.
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("lambda_runtime", level.min(LevelFilter::INFO))
        .with_target("sop", level)
}

/// An error as the runtime logs it and the caller is told: its chain, in one line.
#[derive(Clone, PartialEq, Eq)]
pub struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failed {}

/// `error`, for the runtime, which logs it.
pub fn failed(error: impl Error) -> Failed {
    Failed(chain(&error))
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
    use tracing::Level;

    use super::*;

    #[test]
    fn no_level_lets_the_runtime_log_whole_calls() {
        for (name, ours) in [
            (None, Level::INFO),
            (Some("trace"), Level::TRACE),
            (Some("DEBUG"), Level::DEBUG),
            (Some("loud"), Level::INFO),
            (Some("error"), Level::ERROR),
        ] {
            let targets = targets(name);
            assert!(targets.would_enable("sop_runtime::flow", &ours), "{name:?}");
            assert!(targets.would_enable("sopwith_cron", &ours), "{name:?}");
            for (target, level) in
                [("lambda_runtime::layers", Level::DEBUG), ("hyper", Level::INFO)]
            {
                assert!(!targets.would_enable(target, &level), "{name:?} {target}");
            }
        }
        assert!(!targets(Some("off")).would_enable("sop_runtime", &Level::ERROR));
    }

    #[test]
    fn a_chain_is_one_line() {
        let port = sop_runtime::port::PortError::retryable("send to a queue", "timed out");
        let error = sop_runtime::flow::FlowError::from(port);
        let text = "a port failed: could not send to a queue: timed out";
        assert_eq!(format!("{:?}", failed(error)), text);
    }
}
