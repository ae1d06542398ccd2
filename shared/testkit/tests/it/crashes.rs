//! A process may die at any port call: on memory, at every one.

use sop_testkit::scenario::{self, Points};
use sop_testkit::{Fuse, ManualClock, Memory, Mischief, World};

async fn world(fuse: Fuse, mischief: Mischief) -> World<Memory, Memory, ManualClock> {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    World::new(memory.clone(), memory, clock, &fuse, mischief)
}

/// Through the death of a process at any port call, before and after its effect, and through messages
/// that come twice, again and in another order, each event leads to exactly one run of each SOP.
#[tokio::test]
async fn every_event_leads_to_one_run_through_every_crash() {
    let matrix = scenario::crash_matrix(world, Points::All, true).await;
    println!("{matrix:?}");
    assert!(matrix.calls > 150, "{matrix:?}");
    assert_eq!(matrix.played, 1 + 4 * matrix.calls, "{matrix:?}");
}

/// Messages that come twice, again and in another order change nothing.
#[tokio::test]
async fn redelivery_and_reordering_change_nothing() {
    for seed in 1..=100 {
        scenario::exactly_once(world(Fuse::whole(), Mischief::all(seed)).await, true).await;
    }
}

/// A graph of 200 steps, a loop of 50, runs 8 deep, and an output of 256 KiB.
#[tokio::test]
async fn what_is_as_large_as_may_be_works() {
    println!("{:?}", scenario::large(world(Fuse::whole(), Mischief::default()).await).await);
    // Messages that come twice, again and in another order change nothing.
    scenario::large(world(Fuse::whole(), Mischief::all(7)).await).await;
}
