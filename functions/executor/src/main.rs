//! Lambda function behind the effects queue: built-ins do steps.

mod payload;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent};
use sop_capability::BuiltIns;
use sop_runtime::port::SystemClock;
use sop_wiring::host::{self, Executor};
use sop_wiring::log;

use crate::payload::Batch;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let Executor { host, secrets, outlets } = host::executor().map_err(log::failed)?;
    let host = &Arc::new(host);
    let built_ins = BuiltIns::new(SystemClock).with_secrets(secrets).with_outlets(outlets);
    let built_ins = &Arc::new(built_ins);
    let handler = |event: LambdaEvent<Batch>| async move {
        Ok::<_, Error>(payload::execute(host, (built_ins, built_ins), event.payload).await)
    };
    sop_wiring::serve(handler).await
}
