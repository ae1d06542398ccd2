//! A process may die at any port call: on DynamoDB and SQS, at some of them.

use sop_aws::{DynamoStore, SqsQueue};
use sop_testkit::scenario::{self, Points};
use sop_testkit::{Fuse, Mischief, RealTime, World};

use crate::world;

/// Deaths that are tried. Stories wait for real delays, so eight are played at once.
const SAMPLE: u64 = 16;

async fn make(fuse: Fuse, mischief: Mischief) -> World<DynamoStore, SqsQueue, RealTime> {
    let config = world::config();
    let store = DynamoStore::new(&config, &world::table(&config).await);
    let queue = SqsQueue::new(&config, world::queues(&config).await);
    World::new(store, queue, RealTime, &fuse, mischief)
}

/// Each event leads to exactly one run of each SOP, whichever port call a process dies at.
#[tokio::test(flavor = "multi_thread")]
async fn every_event_leads_to_one_run_through_crashes() {
    let matrix = scenario::crash_matrix(make, Points::Spread(SAMPLE), false).await;
    println!("{matrix:?}");
    assert!(matrix.played > SAMPLE, "{matrix:?}");
}
