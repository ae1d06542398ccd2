//! DynamoDB and SQS pass the suites that every store and every queue must pass.

use sop_aws::{DynamoStore, SqsQueue};
use sop_testkit::RealTime;
use sop_testkit::conformance::{queue_suite, store_suite};

use crate::world;

#[tokio::test(flavor = "multi_thread")]
async fn dynamodb_is_a_store() {
    let config = world::config();
    let store = DynamoStore::new(&config, &world::table(&config).await);
    store_suite(&store).await;
    store_suite(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_is_a_queue() {
    let config = world::config();
    let queue = SqsQueue::new(&config, world::queues(&config).await);
    queue_suite(&queue, &RealTime, world::RECEIVES_MAX).await;
}
