//! Lambda function behind the minute schedule: fires what is due, wakes what is overdue.

mod payload;

use lambda_runtime::{Error, LambdaEvent};
use sop_runtime::flow;
use sop_wiring::{host, log, rules};

use crate::payload::{Schedule, Tick};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let host = &host::events_only().map_err(log::failed)?;
    let rules = &rules::from_env().map_err(log::failed)?;
    let handler = |_: LambdaEvent<Schedule>| async move {
        let tick = Tick::from(flow::tick(host).await.map_err(log::failed)?);
        tracing::info!(fired = tick.fired, woken = tick.woken, congested = tick.congested, "tick");
        if let Some(rules) = rules {
            rules.follow(host).await;
        }
        Ok::<_, Error>(tick)
    };
    sop_wiring::serve(handler).await
}
