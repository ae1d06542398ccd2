//! Lambda function behind `/api`, `/pair` and `/healthz`, and for direct calls that IAM lets in.

// A route of the router is a future in futures, deeper than the compiler looks on its own.
#![recursion_limit = "256"]

mod operation;
mod payload;

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent};
use sop_runtime::flow::{Host, RuleWatch};
use sop_wiring::{host, log, rules};

use crate::payload::Payload;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    log::init();
    let rules = &rules::from_env().map_err(log::failed)?.map(Arc::new);
    let watch = rules.clone().map(|rules| rules as Arc<dyn RuleWatch>);
    let host = Arc::new(Host { rules: watch, ..host::full().map_err(log::failed)? });
    let router = sop_http::api(Arc::clone(&host));
    let handler = |event: LambdaEvent<Payload>| {
        let (host, router) = (Arc::clone(&host), router.clone());
        async move {
            let may_publish = event.payload.may_publish();
            let answer =
                payload::answer(&host, router, event.payload).await.map_err(log::failed)?;
            if let (Some(rules), true) = (rules, may_publish) {
                rules.follow(&host).await;
            }
            Ok::<_, Error>(answer)
        }
    };
    sop_wiring::serve(handler).await
}
