//! Lambda function behind the events queue: matches events, starts and moves runs.

mod payload;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent};
use sop_wiring::{host, log};

use crate::payload::Batch;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let host = &Arc::new(host::full().map_err(log::failed)?);
    let handler = |event: LambdaEvent<Batch>| async move {
        Ok::<_, Error>(payload::dispatch(host, event.payload).await)
    };
    sop_wiring::serve(handler).await
}
