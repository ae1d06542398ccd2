//! Timers that are too far away for a delayed message end at their own second all the same.

use sop_core::Timestamp;
use sop_core::journal::Sealed;
use sop_runtime::flow;
use sop_testkit::scenario::{NOOP, webhook};

use crate::house::House;

fn wait(secs: i64, more: &str) -> String {
    format!("**Wait** — long.\n   - capability: wait\n   - with: {{\"seconds\": {secs}}}{more}")
}

/// Plays an SOP of these steps, with a tick each `every` seconds from second `first` on, until its run is over.
/// When, in seconds from the start, time moved it; and how many messages the dispatcher took.
async fn played(steps: &[&str], keys: &str, (first, every): (i64, i64)) -> (Vec<i64>, usize) {
    let house = House::new();
    house.publish("slow", keys, &webhook("/sop/a"), steps).await;
    let start = house.host.now();
    house.event("/sop/a").await;
    house.run_out().await;
    let run = house.only_run().await;
    let mut taken = 0;
    for second in 1..=4_000 {
        house.clock.set(start.plus_millis(second * 1_000));
        taken += house.dispatch().await + house.execute().await;
        if second >= first && (second - first) % every == 0 {
            flow::tick(&house.host).await.unwrap();
        }
        while house.execute().await > 0 {}
        if house.run(&run).await.is_finished() {
            break;
        }
    }
    let entries = flow::journal(&house.host, &run).await.unwrap();
    let entries = entries.iter().map(Sealed::open).collect::<Result<Vec<_>, _>>().unwrap();
    let by_time = entries.iter().filter(|entry| entry.by == "clock");
    let second = |at: Timestamp| at.millis_since(start) / 1_000;
    (by_time.map(|entry| second(entry.at)).collect(), taken)
}

/// T13: whatever second ticks come at, each minute or each second, a wait of twenty minutes is over at its
/// own second, and costs few messages more than a short one.
#[tokio::test]
async fn far_timers_end_at_their_own_second() {
    let step = wait(1_207, "");
    for first in [1, 7, 8, 20, 35, 46, 52, 59] {
        let (moved, taken) = played(&[&step], "", (first, 60)).await;
        assert_eq!(moved, [1_207], "ticks from {first}");
        // The sweep's word, once or twice, and the timer that it led to.
        assert!(taken <= 4, "ticks from {first}: {taken}");
    }
    let (moved, taken) = played(&[&step], "", (1, 1)).await;
    assert_eq!((moved, taken <= 4), (vec![1_207], true), "{taken}");
}

/// A timer of at most fifteen minutes has its message from the start: the sweep sends none.
#[tokio::test]
async fn near_timers_cost_one_message() {
    for secs in [1, 61, 899, 900] {
        let (moved, taken) = played(&[&wait(secs, "")], "", (30, 60)).await;
        assert_eq!((moved, taken), (vec![secs], 1), "{secs}");
    }
}

/// Several timers of one run, near each other: each is on time, also where one hides the other in the index.
#[tokio::test]
async fn several_timers_of_one_run_are_on_time() {
    let waits: Vec<String> = [1_200, 1_201, 1_215, 1_262, 1_330, 800]
        .map(|secs| wait(secs, "\n   - depends_on: 1"))
        .into();
    let mut steps = vec![NOOP];
    steps.extend(waits.iter().map(String::as_str));
    for first in [2, 17, 31, 44, 58] {
        let (moved, _) = played(&steps, "", (first, 60)).await;
        assert_eq!(moved, [800, 1_200, 1_201, 1_215, 1_262, 1_330], "ticks from {first}");
    }
}

/// The same for the time-outs of a run, of a person's step and of a retry's pause.
#[tokio::test]
async fn far_time_outs_are_on_time() {
    let person = "**Do** — it by hand.\n   - timeout: 20m";
    assert_eq!(played(&[person], "", (13, 60)).await.0, [1_200]);
    let person = "**Do** — it by hand.";
    assert_eq!(played(&[person], "timeout = \"30m\"", (13, 60)).await.0, [1_800]);
}
