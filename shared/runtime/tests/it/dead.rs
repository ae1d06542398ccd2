//! Messages that die, and come back.

use std::collections::BTreeSet;

use sop_runtime::flow::{self, Host};
use sop_runtime::port::{
    Clock, Consumer, DeadQueue, Message, Queue, QueueName, RECEIVES_MAX, Which,
};
use sop_runtime::report::chain;
use sop_testkit::scenario::{NOOP, webhook};
use sop_testkit::{Failing, Fuse, ManualClock, Memory, Moment};

use crate::house::House;

type Dying = Host<Failing<Memory>, Failing<Memory>, ManualClock>;

/// A host over the house's ports whose store never answers.
fn dying(house: &House) -> Dying {
    let fuse = Fuse::dead_from(1, Moment::Before);
    let port = || Failing::new(house.memory.clone(), &fuse);
    Host::new(port(), port(), house.clock.clone())
}

/// Has `host` handle what the events queue holds until it holds nothing, as a worker does.
async fn work_off(house: &House, host: &Dying) {
    loop {
        let received = house.memory.receive(QueueName::Events, 10, 60_000).await.unwrap();
        if received.is_empty() {
            return;
        }
        for one in received {
            let error = flow::dispatch(host, &one.body).await.unwrap_err();
            // The notes' store answers: what failed is the one that runs need.
            let now = house.clock.now();
            let why = chain(&error);
            flow::note_failure(&house.memory, &one.body, one.attempt, &why, now).await.unwrap();
            house.memory.release(QueueName::Events, &one.receipt, 0).await.unwrap();
        }
    }
}

async fn dead(house: &House) -> Vec<flow::Dead> {
    flow::dead_letters(&house.host, DeadQueue::Events, 100).await.unwrap()
}

/// An event that a failing store kills is listed with its reason, and redriven it starts its run once.
#[tokio::test]
async fn a_redriven_event_starts_its_run_once() {
    let house = House::new();
    house.publish("a", "", &webhook("/sop/a"), &[NOOP]).await;
    house.event("/sop/a").await;
    work_off(&house, &dying(&house)).await;
    let listed = dead(&house).await;
    assert_eq!(listed.len(), 1);
    let failure = listed[0].failure.as_ref().unwrap();
    assert_eq!(failure.attempt, RECEIVES_MAX);
    assert!(failure.error.contains("was made to fail"), "{}", failure.error);
    let shown = flow::dead_letter(&house.host, DeadQueue::Events, &listed[0].letter.id).await;
    assert_eq!(shown.unwrap().as_ref(), Some(&listed[0]));

    let these = Which::These(BTreeSet::from([listed[0].letter.id.clone()]));
    let redriven = flow::redrive(&house.host, QueueName::Events, &these, "ann").await.unwrap();
    assert_eq!((redriven, dead(&house).await.len()), (1, 0));
    // As if the call had ended between sending and forgetting: it is in both places.
    let twin = Message { body: listed[0].letter.body.clone(), delay_secs: 0 };
    house.memory.send(QueueName::Events, &[twin]).await.unwrap();
    house.run_out().await;
    let run = house.only_run().await;
    assert!(house.run(&run).await.is_finished());
    assert_eq!(house.repeated(), Vec::<String>::new());
}

/// What is no envelope dies by itself, says so, and can be discarded; the others go on.
#[tokio::test]
async fn a_poison_message_is_named_and_discarded() {
    let house = House::new();
    let poison = Message { body: "{\"v\":1,\"body\":".to_owned(), delay_secs: 0 };
    let newer = Message { body: "{\"v\":99}".to_owned(), delay_secs: 0 };
    house.memory.send(QueueName::Events, &[poison.clone(), newer]).await.unwrap();
    work_off(&house, &dying(&house)).await;
    let listed = dead(&house).await;
    let mut reasons: Vec<&str> =
        listed.iter().map(|dead| dead.failure.as_ref().unwrap().error.as_str()).collect();
    reasons.sort_unstable();
    assert!(reasons[0].contains("format 99; this build reads up to"), "{reasons:?}");
    assert!(reasons[1].contains("not an envelope: EOF"), "{reasons:?}");
    // Redriven, it dies again, with the reason of now.
    house.clock.advance(1_000);
    flow::redrive(&house.host, QueueName::Events, &Which::All, "ann").await.unwrap();
    work_off(&house, &dying(&house)).await;
    let again = dead(&house).await;
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|dead| dead.failure.as_ref().unwrap().at == house.host.now()));
    let discarded = flow::discard(&house.host, DeadQueue::Events, &Which::All, "ann").await;
    assert_eq!((discarded.unwrap(), dead(&house).await.len()), (2, 0));
}

/// A message that succeeds, or fails with attempts left, costs no note.
#[tokio::test]
async fn the_good_path_costs_no_note() {
    let house = House::new();
    let before = house.memory.fingerprint();
    for attempt in 1..RECEIVES_MAX - 1 {
        flow::note_failure(&house.memory, "x", attempt, "why", house.host.now()).await.unwrap();
    }
    assert_eq!(house.memory.fingerprint(), before);
}
