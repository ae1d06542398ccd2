//! A process may die at any port call: on DynamoDB at each, on DynamoDB and SQS together at some.

use std::fmt::Debug;
use std::future::Future;

use sop_aws::{DynamoStore, SqsQueue};
use sop_core::Timestamp;
use sop_testkit::scenario::{self, Matrix, Points};
use sop_testkit::{Fuse, ManualClock, Memory, Mischief, RealTime, World};

use crate::world;

/// Deaths that are tried on both services. Stories wait for real delays, so eight are played at once.
const SAMPLE: u64 = 12;

/// 2100-03-01T08:00:00Z: the story's schedule fires, and nothing expires by the emulator's own clock.
const BEGUN: Timestamp = Timestamp::from_millis(4_107_571_200_000);

/// `all`: also before each call's effect, and with mischief.
const MATRIX: &str = "SOPWITH_MATRIX";

const STACK_BYTES: usize = 64 * 1024 * 1024;

async fn services(fuse: Fuse, mischief: Mischief) -> World<DynamoStore, SqsQueue, RealTime> {
    let config = world::config();
    let store = DynamoStore::new(&config, &world::table(&config).await);
    let queue = SqsQueue::new(&config, world::queues(&config).await);
    World::new(store, queue, RealTime, &fuse, mischief)
}

/// The table alone: queues in memory and a clock that is moved make a story take no time of its own.
async fn table(fuse: Fuse, mischief: Mischief) -> World<DynamoStore, Memory, ManualClock> {
    let config = world::config();
    let store = DynamoStore::new(&config, &world::table(&config).await);
    let clock = ManualClock::at(BEGUN);
    World::new(store, Memory::new(clock.clone()), clock, &fuse, mischief)
}

/// Plays stories where the futures of a story over the SDK fit: not on the stack that a test has.
fn played<F, T>(story: impl FnOnce() -> F + Send + 'static) -> T
where
    F: Future<Output = T>,
    T: Debug + Send + 'static,
{
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(story())
    });
    let seen = thread.unwrap().join().expect("the promises are kept");
    println!("{seen:?}");
    seen
}

/// Each event leads to exactly one run of each SOP, whichever port call a process dies at.
#[test]
fn every_event_leads_to_one_run_through_every_crash_on_the_table() {
    let all = std::env::var(MATRIX).is_ok_and(|value| value == "all");
    let points = if all { Points::All } else { Points::After };
    let matrix: Matrix = played(move || scenario::crash_matrix(table, points, true));
    assert!(matrix.calls > 150, "{matrix:?}");
    let plans = if all { 4 } else { 1 };
    assert_eq!(matrix.played, 1 + plans * matrix.calls, "{matrix:?}");
}

/// The same on both services, at some calls.
#[test]
fn every_event_leads_to_one_run_through_crashes() {
    let matrix: Matrix = played(|| scenario::crash_matrix(services, Points::Spread(SAMPLE), false));
    assert!(matrix.played > SAMPLE, "{matrix:?}");
}

/// A graph of 200 steps, a loop of 50, runs 8 deep, and an output of 256 KiB, on the table.
#[test]
fn what_is_as_large_as_may_be_works() {
    played(|| async { scenario::large(table(Fuse::whole(), Mischief::default()).await).await });
}
