//! Lambda function behind the IoT rules of MQTT triggers: a message becomes an event on the queue.

mod payload;

use lambda_runtime::{Error, LambdaEvent};
use sop_wiring::{device, host, log};

use crate::payload::{Uplink, door};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let host = &host::door().map_err(log::failed)?;
    let handler = |LambdaEvent { payload, context }: LambdaEvent<Uplink>| async move {
        let door = door(&payload, &context.request_id);
        Ok::<_, Error>(device::take(host, &payload.topic, door).await.map_err(log::failed)?)
    };
    sop_wiring::serve(handler).await
}
