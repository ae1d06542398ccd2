//! Lambda function behind the rule of an event bus: an event of the bus becomes an event on the queue.

mod payload;

use lambda_runtime::{Error, LambdaEvent};
use serde_json::value::RawValue;
use sop_wiring::{device, host, log};

use crate::payload::{door, source};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let host = &host::door().map_err(log::failed)?;
    let handler = |LambdaEvent { payload, .. }: LambdaEvent<Box<RawValue>>| async move {
        let door = door(payload.get());
        let receipt = device::take(host, &source(payload.get()), door).await;
        Ok::<_, Error>(receipt.map_err(log::failed)?)
    };
    sop_wiring::serve(handler).await
}
