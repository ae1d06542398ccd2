//! Messages that tell their repetitions by an id of their own.

use sop_core::event::{Data, Source};
use sop_core::id::Tenant;
use sop_core::time::Timestamp;
use sop_runtime::flow::{self, Detail, Door};
use sop_runtime::port::{EventLog, LogQuery};
use sop_testkit::scenario::NOOP;

use crate::house::House;

const KEYED: &str = "[[triggers]]\ntype = \"mqtt\"\ntopic = \"a/#\"\nkey = \"$.id\"\n";
const KEYLESS: &str = "[[triggers]]\ntype = \"mqtt\"\ntopic = \"a/#\"\n";

async fn arrives(house: &House, payload: &str) {
    let door = Door {
        source: Source::Mqtt,
        subject: "a/b".into(),
        data: Data::Text(payload.into()),
        transport_id: None,
        time: None,
        actor: None,
    };
    flow::accept(&house.host, door).await.unwrap();
    house.clock.advance(1);
}

/// What the log says of each event for `sop`, oldest first.
async fn reasons(house: &House, sop: &str) -> Vec<String> {
    let query = LogQuery {
        tenant: Tenant::default(),
        since: Timestamp::from_millis(0),
        until: house.host.now(),
        after: None,
        limit: 100,
    };
    let page = house.memory.list(&query).await.unwrap();
    let of = |detail: &str| {
        let detail: Detail = serde_json::from_str(detail).unwrap();
        detail.verdicts.into_iter().find(|verdict| verdict.sop == sop).unwrap().reason
    };
    page.lines.iter().rev().map(|line| of(&line.detail)).collect()
}

/// A second message with the same key starts nothing, and the log names the run; another SOP that asks
/// for no key takes each for itself.
#[tokio::test]
async fn of_messages_with_one_key_the_first_starts_a_run() {
    let house = House::new();
    house.publish("keyed", "", KEYED, &[NOOP]).await;
    house.publish("keyless", "", KEYLESS, &[NOOP]).await;
    for payload in [r#"{"id":7}"#, r#"{"id":7,"again":true}"#, r#"{"id":"7"}"#, "{}", "{}"] {
        arrives(&house, payload).await;
    }
    house.run_out().await;
    let keyed = reasons(&house, "keyed").await;
    assert!(
        keyed[1].starts_with("duplicate of run ") && keyed[1].ends_with(" by key `$.id`"),
        "{keyed:?}"
    );
    let alone = "started; the payload has no `$.id` to tell a repetition by";
    assert_eq!(keyed.iter().filter(|reason| *reason == "started").count(), 2, "{keyed:?}");
    assert_eq!(keyed.iter().filter(|reason| *reason == alone).count(), 2, "{keyed:?}");
    assert_eq!(reasons(&house, "keyless").await, ["started"; 5]);
    assert_eq!(house.runs().await.len(), 4 + 5);
}

/// The same event delivered again is no duplicate of itself: what its first delivery left undone is done.
#[tokio::test]
async fn a_redelivered_event_holds_its_own_key() {
    let house = House::new();
    house.publish("keyed", "", KEYED, &[NOOP]).await;
    arrives(&house, r#"{"id":7}"#).await;
    let messages = house.received(sop_runtime::port::QueueName::Events).await;
    for _ in 0..3 {
        for message in &messages {
            flow::dispatch(&house.host, message).await.unwrap();
        }
    }
    house.run_out().await;
    house.only_run().await;
    assert_eq!(reasons(&house, "keyed").await, ["started"]);
}

/// After a week a key is free again.
#[tokio::test]
async fn a_key_is_remembered_for_a_week() {
    const WEEK_MS: i64 = 7 * 24 * 3_600_000;
    let house = House::new();
    house.publish("keyed", "", KEYED, &[NOOP]).await;
    for (wait, runs) in [(0, 1), (WEEK_MS - 1_000, 1), (2_000, 2)] {
        house.clock.advance(wait);
        arrives(&house, r#"{"id":7}"#).await;
        house.run_out().await;
        assert_eq!(house.runs().await.len(), runs);
    }
}
