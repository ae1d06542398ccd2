//! In a process that lives, no effect is asked for twice, however often its cause is delivered.

use sop_core::engine::{Effect, Stand, Status};
use sop_runtime::envelope::{Body, Envelope};
use sop_runtime::flow::{self, dispatch};
use sop_runtime::port::{Journal, QueueName};
use sop_testkit::ids::sop;
use sop_testkit::scenario::{GATE, NOOP, WAIT, webhook};

use crate::house::House;

/// A person's copy comes while the step that the approval began is still being done: it is not begun
/// again.
#[tokio::test]
async fn the_copy_of_an_approval_does_not_repeat_a_long_step() {
    let house = House::new();
    house.publish("long", "", &webhook("/sop/a"), &[GATE, NOOP]).await;
    house.event("/sop/a").await;
    house.dispatch().await;
    let run = house.only_run().await;
    house.approve(&run, 1, "yes").await;
    assert_eq!(house.received(QueueName::Effects).await.len(), 1, "it is being done");
    house.clock.advance(6_000);
    assert_eq!(house.dispatch().await, 1, "the copy");
    assert_eq!(house.received(QueueName::Effects).await, [""; 0], "and is asked for once");
}

/// The timer of a wait and the sweep may both come: one begins the next step.
#[tokio::test]
async fn the_sweep_and_the_timer_begin_the_next_step_once() {
    for timer_first in [true, false] {
        let house = House::new();
        house.publish("nap", "", &webhook("/sop/a"), &[WAIT, NOOP]).await;
        house.event("/sop/a").await;
        house.dispatch().await;
        house.clock.advance(2_000);
        assert_eq!(flow::tick(&house.host).await.unwrap().woken, 0, "the timer comes first");
        house.clock.advance(2_000);
        let mut messages = house.received(QueueName::Events).await;
        assert_eq!(flow::tick(&house.host).await.unwrap().woken, 1);
        messages.extend(house.received(QueueName::Events).await);
        assert_eq!(messages.len(), 2, "{messages:?}");
        if !timer_first {
            messages.reverse();
        }
        for message in &messages {
            dispatch(&house.host, message).await.unwrap();
        }
        let asked = house.received(QueueName::Effects).await;
        assert_eq!(asked.len(), 1, "timer first: {timer_first}: {asked:?}");
    }
}

/// Two runs return their slots in the same millisecond: two others begin, each once.
#[tokio::test]
async fn slots_that_become_free_at_once_go_to_different_runs() {
    let house = House::new();
    house.publish("pair", "max_concurrent = 2", &webhook("/sop/a"), &[NOOP]).await;
    for _ in 0..6 {
        house.event("/sop/a").await;
    }
    house.dispatch().await;
    for round in 1..=3 {
        assert_eq!(house.execute().await, 2, "round {round}");
        while house.dispatch().await > 0 {}
        // What was asked of a run that had its slot is passed on after a second.
        house.clock.advance(1_000);
        while house.dispatch().await > 0 {}
    }
    assert_eq!(house.repeated(), [""; 0]);
    assert_eq!(house.performer.counts().len(), 6);
}

/// An event comes again after its SOP was changed: the run goes by the definition it started with.
#[tokio::test]
async fn a_redelivered_event_does_not_change_its_runs_definition() {
    let house = House::new();
    let mqtt = "[[triggers]]\ntype = \"mqtt\"\ntopic = \"a\"\n";
    house.publish("old", "", mqtt, &[NOOP]).await;
    let door = flow::Door {
        source: sop_core::event::Source::Mqtt,
        subject: "a".into(),
        data: sop_core::event::Data::Empty,
        transport_id: Some("1".into()),
        time: None,
        actor: None,
    };
    flow::accept(&house.host, door).await.unwrap();
    let messages = house.received(QueueName::Events).await;
    dispatch(&house.host, &messages[0]).await.unwrap();
    let first = house.received(QueueName::Effects).await;
    let other = "**Check** — it.\n   - capability: json.validate\n   - with: {\"schema\": {}}";
    house.publish("old", "", mqtt, &[other]).await;
    dispatch(&house.host, &messages[0]).await.unwrap();
    for message in first.iter().chain(&house.received(QueueName::Effects).await) {
        let Ok(Body::Effect { effect: Effect::Perform { capability, .. } }) =
            Envelope::parse(message)
        else {
            panic!("{message}")
        };
        assert_eq!(capability, "noop");
    }
}

/// A run that has its slot, but whose head was never brought up to date, does not stand in the way of
/// those behind it.
#[tokio::test]
async fn a_head_that_lags_behind_blocks_no_queue() {
    let house = House::new();
    house.publish("one", "max_concurrent = 1", &webhook("/sop/a"), &[NOOP, GATE]).await;
    for _ in 0..3 {
        house.event("/sop/a").await;
        house.clock.advance(1_000);
    }
    house.dispatch().await;
    let mut runs = house.runs().await;
    runs.reverse();
    // The second run is given its slot by a process that dies before it acts, and stands at its gate.
    let stale = house.other();
    house.execute().await;
    house.dispatch().await;
    let asked = house.received(QueueName::Events).await;
    let Ok(Body::Input { run, id, by, input }) = Envelope::parse(&asked[0]) else {
        panic!("{asked:?}")
    };
    assert_eq!(run, runs[1]);
    let fuse = sop_testkit::Fuse::dead_from(4, sop_testkit::Moment::Before);
    let dying = flow::Host::new(
        sop_testkit::Failing::new(house.memory.clone(), &fuse),
        sop_testkit::Failing::new(house.memory.clone(), &fuse),
        house.clock.clone(),
    );
    flow::advance(&dying, &run, &id, &by, &input).await.unwrap_err();
    assert!(Status::of(&house.run(&run).await) == Status::Running, "it has the slot");
    // Its outcome never comes; it is cancelled by a process that dies as well, so its head says `queued`.
    let fuse = sop_testkit::Fuse::dead_from(4, sop_testkit::Moment::Before);
    let dying = flow::Host::new(
        sop_testkit::Failing::new(house.memory.clone(), &fuse),
        sop_testkit::Failing::new(house.memory.clone(), &fuse),
        house.clock.clone(),
    );
    let cancel = sop_core::engine::Input::Cancel { reason: "no".into() };
    let id = sop_testkit::ids::input("cancel");
    flow::advance(&dying, &run, &id, "ann", &cancel).await.unwrap_err();
    assert!(house.run(&run).await.is_finished());
    let tenant = sop_core::id::Tenant::default();
    let counters = stale.store.counters(&tenant, &sop("one")).await.unwrap();
    assert_eq!((counters.active, counters.waiting), (0, 1));
    // The dead processes' messages are lost for good: only the tick is left.
    for _ in 0..3 {
        house.clock.advance(60_000);
        flow::tick(&house.host).await.unwrap();
        house.run_out().await;
    }
    let third = house.run(&runs[2]).await;
    assert!(matches!(third.live[0].stand, Stand::Approval(_)), "{third:?}");
}

/// A timer whose process dies at any call does its work when it comes again, without waiting for the sweep.
#[tokio::test]
async fn a_timer_that_comes_again_does_what_was_left_undone() {
    use sop_testkit::{Failing, Fuse, Moment};
    for call in 1..=8 {
        let house = House::new();
        house.publish("nap", "", &webhook("/sop/a"), &[WAIT, NOOP]).await;
        house.event("/sop/a").await;
        house.dispatch().await;
        house.clock.advance(2_000);
        let timer = house.received(QueueName::Events).await;
        let fuse = Fuse::dead_from(call, Moment::After);
        let dying = flow::Host::new(
            Failing::new(house.memory.clone(), &fuse),
            Failing::new(house.memory.clone(), &fuse),
            house.clock.clone(),
        );
        drop(dispatch(&dying, &timer[0]).await);
        dispatch(&house.host, &timer[0]).await.unwrap();
        dispatch(&house.host, &timer[0]).await.unwrap();
        let asked = house.received(QueueName::Effects).await;
        assert!(matches!(asked.len(), 1 | 2), "died after call {call}: {asked:?}");
    }
}
