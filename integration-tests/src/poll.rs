//! Waiting for what is to come, with a deadline.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a thing that needs no clock may take: queues, functions' cold starts and a busy machine.
pub const SOON: Duration = Duration::from_secs(45);

/// How often is looked.
const EVERY: Duration = Duration::from_millis(150);

/// Looks until `look` finds something, and returns it.
///
/// # Errors
/// When `look` fails, or has found nothing until the deadline; `what` says what was waited for.
pub async fn poll<T, F, L>(what: &str, within: Duration, mut look: L) -> Result<T>
where
    L: FnMut() -> F,
    F: Future<Output = Result<Option<T>>>,
{
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look().await.with_context(|| format!("looking for {what}"))? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("waited {} s for {what}", within.as_secs());
        }
        tokio::time::sleep(EVERY).await;
    }
}
