//! Lambda function behind `/sop/*` and `/webhook`: a request becomes an event on the queue.

mod payload;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent};
use sop_wiring::{host, log};

use crate::payload::Call;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let (host, secrets) = host::webhooks().map_err(log::failed)?;
    let router = sop_http::doors(Arc::new(host), Arc::new(secrets));
    let handler = |event: LambdaEvent<Call>| {
        let router = router.clone();
        async move { Ok::<_, Error>(payload::answer(router, event.payload).await) }
    };
    sop_wiring::serve(handler).await
}
