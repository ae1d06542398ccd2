//! SQS's shape: a batch of messages, of which the failed ones are named.

use std::sync::Arc;

use sop_runtime::flow::{self, Host};
use sop_runtime::port::{Clock, Queue, Store};
use sop_wiring::batch;

pub use sop_wiring::batch::{Answer, Batch};

/// Dispatches each message of `batch`.
pub async fn dispatch<S, Q, C>(host: &Arc<Host<S, Q, C>>, batch: Batch) -> Answer
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
{
    batch::each(&**host, batch, |message| {
        let host = Arc::clone(host);
        async move { flow::dispatch(&host, &message).await }
    })
    .await
}

#[cfg(test)]
mod tests;
