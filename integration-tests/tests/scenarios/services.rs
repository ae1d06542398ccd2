//! The services themselves pass the suites that every store and every queue must pass.

use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::FutureExt;
use integration_tests::{Feature, Scenario, World};
use sop_aws::provision::{self, QueueSettings};
use sop_aws::{DynamoStore, SqsQueue};
use sop_testkit::RealTime;
use sop_testkit::conformance::{queue_suite, store_suite};
use sop_testkit::ids::fresh;
use tokio::runtime::Builder;
use tokio::task::spawn_blocking;

/// How often the queue lets a message be received.
const RECEIVES_MAX: u32 = 3;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "its DynamoDB is a store",
            needs: &[Feature::Suites],
            run: |world| store(world).boxed(),
        },
        Scenario {
            name: "its SQS is a queue",
            needs: &[Feature::Suites],
            run: |world| queue(world).boxed(),
        },
    ]
}

async fn store(world: Arc<World>) -> Result<()> {
    let config = world.deployment.aws().context("the services")?.config();
    let name = fresh("it");
    provision::table(&config, &name).await?;
    store_suite(&DynamoStore::new(&config, &name)).await;
    Ok(())
}

async fn queue(world: Arc<World>) -> Result<()> {
    let config = world.deployment.aws().context("the services")?.config();
    let settings = QueueSettings { receives_max: RECEIVES_MAX, visibility_secs: 30 };
    let queues = provision::queues(&config, &fresh("it"), settings).await?;
    // The suite stays on one thread.
    let suite = move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let queue = SqsQueue::new(&config, queues);
        runtime.block_on(queue_suite(&queue, &RealTime, RECEIVES_MAX));
        Ok(())
    };
    spawn_blocking(suite).await?
}
