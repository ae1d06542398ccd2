//! The tick.

use sop_core::Timestamp;
use sop_core::engine::{End, Phase};
use sop_core::id::{Digest, Tenant};
use sop_core::limits::ATTEMPT_TIMEOUT_MS;
use sop_runtime::flow;
use sop_runtime::port::{Catalog, QueueName};
use sop_testkit::ids::EPOCH;
use sop_testkit::scenario::{NOOP, webhook};

use crate::house::House;

fn cron(expression: &str) -> String {
    format!("[[triggers]]\ntype = \"cron\"\nexpression = \"{expression}\"\n")
}

/// Ticks at these minutes from the start; how many schedules fired at each.
async fn fired(house: &House, minutes: &[i64]) -> Vec<usize> {
    let mut fired = Vec::new();
    for minute in minutes {
        house.clock.set(EPOCH.plus_millis(minute * 60_000));
        fired.push(flow::tick(&house.host).await.unwrap().fired);
        house.run_out().await;
    }
    fired
}

/// The window (last, now] loses nothing through downtime, fires once for it, and not again when the
/// clock goes back or the tick is repeated.
#[tokio::test]
async fn the_window_loses_nothing() {
    let house = House::new();
    house.publish("five", "", &cron("*/5 * * * *"), &[NOOP]).await;
    // 08:00 fires in the first minute; minutes 1 to 4 have nothing; 17 has 5, 10 and 15, once.
    let minutes = [0, 0, 1, 4, 17, 17, 3, 10, 17, 19, 20];
    assert_eq!(fired(&house, &minutes).await, [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    assert_eq!(house.runs().await.len(), 3);
}

/// Two hosts that tick the same window start one run; so does one that dies before it noted the window.
#[tokio::test]
async fn a_window_taken_twice_starts_one_run() {
    use sop_testkit::{Failing, Fuse, Moment};
    for call in 1..=12 {
        let house = House::new();
        house.publish("daily", "", &cron("0 8 * * *"), &[NOOP]).await;
        let fuse = Fuse::dead_from(call, Moment::After);
        let dying = flow::Host::new(
            Failing::new(house.memory.clone(), &fuse),
            Failing::new(house.memory.clone(), &fuse),
            house.clock.clone(),
        );
        drop(flow::tick(&dying).await);
        flow::tick(&house.other()).await.unwrap();
        house.run_out().await;
        assert_eq!(house.runs().await.len(), 1, "{call}");
    }
}

/// A run whose executor is lost fails when its time is over; nobody else has to do anything.
#[tokio::test]
async fn a_lost_executor_fails_its_run() {
    let house = House::new();
    house.publish("lost", "max_concurrent = 1", &webhook("/sop/a"), &[NOOP]).await;
    house.event("/sop/a").await;
    house.event("/sop/a").await;
    house.dispatch().await;
    let lost = house.received(QueueName::Effects).await;
    assert_eq!(lost.len(), 1);
    house.clock.advance(ATTEMPT_TIMEOUT_MS + 61_999);
    assert_eq!(flow::tick(&house.host).await.unwrap().woken, 0);
    house.clock.advance(1);
    assert_eq!(flow::tick(&house.host).await.unwrap().woken, 1);
    house.run_out().await;
    let mut ends = Vec::new();
    for run in house.runs().await {
        match house.run(&run).await.phase {
            Phase::Finished { end, .. } => ends.push(matches!(end, End::Completed)),
            phase => panic!("{phase:?}"),
        }
    }
    ends.sort_unstable();
    assert_eq!(ends, [false, true], "the slot went to the other");
    // Too late: it is done no more, and its outcome would not count.
    let done = house.performer.counts().len();
    flow::execute(&house.host, (&house.performer, &()), &lost[0]).await.unwrap();
    assert_eq!(house.performer.counts().len(), done);
}

/// A catalog that cannot be read stops schedules, and nothing else.
#[tokio::test]
async fn a_broken_catalog_strands_no_run() {
    let house = House::new();
    house.publish("lost", "", &webhook("/sop/a"), &[NOOP]).await;
    house.event("/sop/a").await;
    house.dispatch().await;
    let missing = Digest::of(b"nobody stored it");
    house.memory.publish(&Tenant::default(), 1, &missing).await.unwrap();
    house.clock.advance(ATTEMPT_TIMEOUT_MS + 62_000);
    flow::tick(&house.host).await.unwrap_err();
    house.dispatch().await;
    assert!(house.run(&house.only_run().await).await.is_finished());
    let kept = house.received(QueueName::Events).await;
    assert!(kept.iter().any(|message| message.contains("Run Failed")), "nobody knows who wants it");
    assert!(house.host.now() > Timestamp::from_millis(0));
}
