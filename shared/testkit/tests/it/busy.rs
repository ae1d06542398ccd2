//! Never more than `max_concurrent` at once, on memory.

use sop_testkit::scenario::max_concurrent;
use sop_testkit::{ManualClock, Memory};

/// 500 events, three at a time, eight dispatchers: all complete, never more than three are active.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_at_a_time() {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    let seen = max_concurrent(memory.clone(), memory, clock, 500, None).await;
    println!("{seen:?}");
    assert_eq!((seen.completed, seen.deaths), (500, 0));
    assert_eq!(seen.active_max, 3, "the slots are used");
}

/// The same, with processes that die again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_at_a_time_through_crashes() {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    let seen = max_concurrent(memory.clone(), memory, clock, 500, Some(60)).await;
    println!("{seen:?}");
    assert_eq!(seen.completed, 500);
    assert!(seen.deaths > 50, "{seen:?}");
}
