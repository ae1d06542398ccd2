//! A process may die at any port call: on DynamoDB and SQS, at some of them.

use sop_aws::{DynamoStore, SqsQueue};
use sop_testkit::scenario::{self, Points};
use sop_testkit::{Fuse, Mischief, RealTime, World};

use crate::world;

/// Deaths that are tried. Stories wait for real delays, so eight are played at once.
const SAMPLE: u64 = 12;

const STACK_BYTES: usize = 64 * 1024 * 1024;

async fn make(fuse: Fuse, mischief: Mischief) -> World<DynamoStore, SqsQueue, RealTime> {
    let config = world::config();
    let store = DynamoStore::new(&config, &world::table(&config).await);
    let queue = SqsQueue::new(&config, world::queues(&config).await);
    World::new(store, queue, RealTime, &fuse, mischief)
}

/// Each event leads to exactly one run of each SOP, whichever port call a process dies at.
#[test]
fn every_event_leads_to_one_run_through_crashes() {
    // The futures of a story over the SDK do not fit the stack that a test has.
    let story = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(scenario::crash_matrix(make, Points::Spread(SAMPLE), false))
    });
    let matrix = story.unwrap().join().expect("the promises are kept");
    println!("{matrix:?}");
    assert!(matrix.played > SAMPLE, "{matrix:?}");
}
