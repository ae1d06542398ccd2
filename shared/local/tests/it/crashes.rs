//! A process may die at any port call, and many may work at once: on the file.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use sop_local::Sqlite;
use sop_testkit::scenario::{self, Points};
use sop_testkit::{Fuse, ManualClock, Mischief, World};

use crate::manual;

#[expect(clippy::unused_async, reason = "scenarios make their worlds asynchronously")]
async fn world(
    fuse: Fuse,
    mischief: Mischief,
    folder: PathBuf,
) -> World<Sqlite, Sqlite, ManualClock> {
    std::fs::create_dir(&folder).unwrap();
    let (store, clock) = manual(&folder.join("sop.db"));
    World::new(store.clone(), store, clock, &fuse, mischief)
}

/// Each event leads to exactly one run of each SOP, whichever port call a process dies at.
#[tokio::test]
async fn every_event_leads_to_one_run_through_crashes() {
    let dir = tempfile::tempdir().unwrap();
    let stories = AtomicU64::new(0);
    let folder = || dir.path().join(stories.fetch_add(1, Ordering::Relaxed).to_string());
    let make = |fuse, mischief| world(fuse, mischief, folder());
    let matrix = scenario::crash_matrix(make, Points::All, true).await;
    println!("{matrix:?}");
    assert!(matrix.played > 2 * matrix.calls, "{matrix:?}");
}

/// A graph of 200 steps, a loop of 50, runs 8 deep, and an output of 256 KiB.
#[tokio::test]
async fn what_is_as_large_as_may_be_works() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(Fuse::whole(), Mischief::default(), dir.path().join("large")).await;
    println!("{:?}", scenario::large(world).await);
}

/// 500 events, three at a time, eight dispatchers: all complete, never more than three are active.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = manual(&dir.path().join("sop.db"));
    let seen = scenario::max_concurrent(store.clone(), store, clock, 500, None).await;
    println!("{seen:?}");
    assert_eq!((seen.completed, seen.active_max), (500, 3));
}
