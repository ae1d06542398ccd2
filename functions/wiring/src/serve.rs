//! The loop of every function: log, count, answer.

use std::future::Future;
use std::io;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use metrics_cloudwatch_embedded::{Builder, Collector};
use serde::{Deserialize, Serialize};

/// The namespace of what is counted, in CloudWatch.
pub const NAMESPACE: &str = "Sopwith";

/// Answers each invocation with `handler`, and prints what was counted in it, in the embedded metric format, before it
/// is answered: afterwards the process may be frozen.
///
/// # Errors
/// When the runtime ends.
pub async fn serve<A, B, F, T>(handler: F) -> Result<(), Error>
where
    A: for<'de> Deserialize<'de>,
    B: Serialize,
    F: Fn(LambdaEvent<A>) -> T,
    T: Future<Output = Result<B, Error>>,
{
    let (handler, counted) = (&handler, collector());
    lambda_runtime::run(service_fn(move |event: LambdaEvent<A>| async move {
        // Boxed, so that the type of all that a handler does is not part of the loop's.
        let answer = Box::pin(handler(event)).await;
        if let Some(counted) = counted
            && let Err(error) = counted.flush(io::stdout())
        {
            tracing::warn!(%error, "metrics");
        }
        answer
    }))
    .await
}

/// What counts; none where the process has one already. `SOP_PREFIX` tells the stacks of one account apart.
fn collector() -> Option<&'static Collector> {
    let stack = std::env::var(crate::env::PREFIX).ok().filter(|name| !name.is_empty());
    let builder = Builder::new().cloudwatch_namespace(NAMESPACE);
    let stack = stack.unwrap_or_else(|| "sopwith".to_owned());
    builder.with_dimension("stack", stack).init().ok()
}
