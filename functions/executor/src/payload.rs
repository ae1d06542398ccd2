//! SQS's shape: a batch of messages, of which the failed ones are named.

use std::sync::Arc;

use sop_runtime::flow::{self, Host, Perform};
use sop_runtime::port::{Clock, Queue, Store};
use sop_wiring::batch;

pub use sop_wiring::batch::{Answer, Batch};

/// Has `performer` carry out each message of `batch`.
pub async fn execute<S, Q, C, P>(
    host: &Arc<Host<S, Q, C>>,
    performer: &Arc<P>,
    batch: Batch,
) -> Answer
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
    P: Perform + 'static,
{
    batch::each(batch, |message| {
        let (host, performer) = (Arc::clone(host), Arc::clone(performer));
        async move { flow::execute(&host, performer.as_ref(), &message).await }
    })
    .await
}

#[cfg(test)]
mod tests;
