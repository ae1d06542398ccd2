//! A process may die at any port call, and many may work at once: on the file.

use sop_local::Sqlite;
use sop_testkit::scenario::{self, Points};
use sop_testkit::{Fuse, ManualClock, Mischief, World};
use tempfile::TempDir;

use crate::manual;

/// Deaths that the matrix tries: every one takes a file of its own and some hundred commits. All of them
/// are tried with `SOP_CRASH_POINTS=all`.
const SAMPLE: u64 = 120;

fn points() -> Points {
    match std::env::var("SOP_CRASH_POINTS").as_deref() {
        Ok("all") => Points::All,
        Ok(_) | Err(_) => Points::Spread(SAMPLE),
    }
}

#[expect(clippy::unused_async, reason = "scenarios make their worlds asynchronously")]
async fn world(fuse: Fuse, mischief: Mischief, dir: TempDir) -> World<Sqlite, Sqlite, ManualClock> {
    let (store, clock) = manual(&dir.path().join("sop.db"));
    // The file lives until the process ends: the store has it open longer than this function.
    let _ = dir.keep();
    World::new(store.clone(), store, clock, &fuse, mischief)
}

/// Each event leads to exactly one run of each SOP, whichever port call a process dies at.
#[tokio::test]
async fn every_event_leads_to_one_run_through_crashes() {
    let matrix = scenario::crash_matrix(
        |fuse, mischief| world(fuse, mischief, tempfile::tempdir().unwrap()),
        points(),
        true,
    )
    .await;
    println!("{matrix:?}");
    assert!(matrix.played > SAMPLE, "{matrix:?}");
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
