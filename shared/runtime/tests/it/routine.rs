//! The switch of schedules.

use sop_core::id::SopName;
use sop_runtime::flow::{self, EventFilter, Switched};
use sop_runtime::port::{LogQuery, Routine};
use sop_testkit::ids::EPOCH;
use sop_testkit::scenario::{NOOP, webhook};

use crate::house::House;

const MINUTE_MS: i64 = 60_000;

fn name(text: &str) -> SopName {
    SopName::parse(text).unwrap()
}

async fn switch(house: &House, sop: &str, on: bool) -> Routine {
    match flow::switch(&house.host, &name(sop), on, "ann").await.unwrap() {
        Switched::Done(routine) => routine,
        Switched::NoSchedule => panic!("{sop} has no schedule"),
    }
}

async fn tick_at(house: &House, minute: i64) -> usize {
    house.clock.set(EPOCH.plus_millis(minute * MINUTE_MS));
    let fired = flow::tick(&house.host).await.unwrap().fired;
    house.run_out().await;
    fired
}

/// Switched off, a schedule does not fire and the log says why; switched on, it fires from then on.
#[tokio::test]
async fn a_schedule_that_is_off_does_not_fire() {
    let house = House::new();
    let cron = "[[triggers]]\ntype = \"cron\"\nexpression = \"*/5 * * * *\"\n";
    house.publish("five", "", cron, &[NOOP]).await;
    house.publish("other", "", cron, &[NOOP]).await;
    assert_eq!(tick_at(&house, 0).await, 2);
    // What was due before it was switched off and had not been looked at still fires.
    house.clock.set(EPOCH.plus_millis(6 * MINUTE_MS));
    let off = switch(&house, "five", false).await;
    assert_eq!(tick_at(&house, 7).await, 2);
    assert_eq!(switch(&house, "five", false).await, off, "to switch off twice changes nothing");
    assert_eq!(tick_at(&house, 10).await, 1);
    assert_eq!(tick_at(&house, 21).await, 1);
    house.clock.set(EPOCH.plus_millis(26 * MINUTE_MS));
    switch(&house, "five", true).await;
    assert_eq!(tick_at(&house, 27).await, 1, "what was due while it was off does not fire");
    assert_eq!(tick_at(&house, 30).await, 2);
    assert_eq!(house.runs().await.len(), 9);
    let query = LogQuery {
        tenant: house.host.tenant.clone(),
        since: EPOCH,
        until: EPOCH.plus_millis(60 * MINUTE_MS),
        after: None,
        limit: 100,
    };
    let filter = EventFilter { outcome: Some("unmatched".to_owned()), ..EventFilter::default() };
    let lines = flow::events(&house.host, &query, &filter).await.unwrap().lines;
    let minutes: Vec<i64> =
        lines.iter().map(|line| line.time.millis_since(EPOCH) / MINUTE_MS).collect();
    assert_eq!(minutes, [20, 10]);
    assert!(lines[0].detail.contains("its schedules were switched off at"), "{}", lines[0].detail);
}

#[tokio::test]
async fn routines_are_the_sops_with_schedules() {
    let house = House::new();
    let cron = "[[triggers]]\ntype = \"cron\"\nexpression = \"0 9 * * *\"\ntimezone = \"Europe/Berlin\"\n\
        [[triggers]]\ntype = \"cron\"\nexpression = \"@hourly\"\n";
    house.publish("two", "", cron, &[NOOP]).await;
    house.publish("none", "", &webhook("/sop/a"), &[NOOP]).await;
    let listed = flow::routines(&house.host).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].on, &listed[0].switched), (true, &None));
    // 2026-03-01T08:00:00Z is nine in Berlin, which has passed.
    let next: Vec<_> = listed[0].schedules.iter().filter_map(|one| one.next).collect();
    let hours: Vec<i64> = next.iter().map(|at| at.millis_since(EPOCH) / 3_600_000).collect();
    assert_eq!(hours, [24, 1]);
    let off = switch(&house, "two", false).await;
    let listed = flow::routines(&house.host).await.unwrap();
    assert_eq!(listed[0].switched, Some((off.since, "ann".to_owned())));
    for wrong in ["none", "nobody"] {
        let switched = flow::switch(&house.host, &name(wrong), false, "ann").await.unwrap();
        assert_eq!(switched, Switched::NoSchedule);
    }
}
