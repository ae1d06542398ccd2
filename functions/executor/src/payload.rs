//! SQS's shape: a batch of messages, of which the failed ones are named.

use std::sync::Arc;

use sop_runtime::flow::{self, Host, Perform};
use sop_runtime::port::{Clock, Queue, Secrets, Store};
use sop_wiring::batch;

pub use sop_wiring::batch::{Answer, Batch};

/// Has `performer` carry out each message of `batch`, with what it may know of `secrets`.
pub async fn execute<S, Q, C, P, K>(
    host: &Arc<Host<S, Q, C>>,
    (performer, secrets): (&Arc<P>, &Arc<K>),
    batch: Batch,
) -> Answer
where
    S: Store + 'static,
    Q: Queue + 'static,
    C: Clock + 'static,
    P: Perform + 'static,
    K: Secrets + 'static,
{
    batch::each(&**host, batch, |message| {
        let host = Arc::clone(host);
        let (performer, secrets) = (Arc::clone(performer), Arc::clone(secrets));
        async move { flow::execute(&host, (&*performer, &*secrets), &message).await }
    })
    .await
}

#[cfg(test)]
mod tests;
