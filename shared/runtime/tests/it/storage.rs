//! What is stored, and how many calls it takes.

use sop_core::engine::{Fact, Stored};
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::flow::{self, Answer, Hook, Host, dispatch, execute};
use sop_runtime::port::{Blobs, Journal, QueueName};
use sop_testkit::scenario::{GATE, NOOP, webhook};
use sop_testkit::{Failing, Fuse};

use crate::house::House;

/// A payload of 256 KiB is stored once for all runs that it starts; entries stay small, and the
/// performer gets all of it.
#[tokio::test]
async fn a_big_payload_is_stored_once() {
    let house = House::new();
    house.publish("a", "", &webhook("/sop/x"), &[NOOP]).await;
    house.publish("b", "", &webhook("/sop/x"), &[NOOP]).await;
    let body = format!("\"{}\"", "é".repeat((PAYLOAD_BYTES_MAX - 2) / 2));
    assert_eq!(body.len(), PAYLOAD_BYTES_MAX);
    let answer = house.post("/sop/x", None, body.as_bytes()).await;
    assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
    house.run_out().await;
    let mut digests = Vec::new();
    for run in house.runs().await {
        let first = house.memory.entry(&run, 0).await.unwrap().unwrap();
        assert!(first.body.len() < 2_048, "{} bytes", first.body.len());
        match first.open().unwrap().fact {
            Fact::Started { payload: Some(Stored::Blob { digest, bytes, .. }), .. } => {
                assert_eq!(bytes, PAYLOAD_BYTES_MAX);
                digests.push(digest);
            }
            fact => panic!("{fact:?}"),
        }
    }
    assert_eq!(digests.len(), 2);
    assert_eq!(digests[0], digests[1]);
    assert_eq!(house.memory.blob(&digests[0]).await.unwrap(), Some(body.clone()));
    for key in house.performer.counts().keys() {
        let call = &house.performer.calls(key)[0];
        assert_eq!(call.input.to_string(), body);
    }
}

/// Port calls of a healthy host that has the catalog in mind.
#[tokio::test]
async fn calls_are_counted() {
    let house = House::new();
    house.publish("a", "", &webhook("/sop/x"), &[NOOP, GATE]).await;
    let fuse = Fuse::whole();
    let host = Host::new(
        Failing::new(house.memory.clone(), &fuse),
        Failing::new(house.memory.clone(), &fuse),
        house.clock.clone(),
    );
    let mut before = 0;
    let mut calls = || {
        let made = fuse.calls() - before;
        before = fuse.calls();
        made
    };
    let hook = |path| Hook {
        method: "POST",
        raw_path: path,
        bearer: None,
        key: None,
        trace: None,
        body: b"",
    };
    flow::hook(&host, hook("/sop/x")).await.unwrap();
    assert_eq!(calls(), 4, "head, snapshot, rate, send");
    flow::hook(&host, hook("/sop/x")).await.unwrap();
    assert_eq!(calls(), 2, "rate, send");
    let messages = house.received(QueueName::Events).await;
    dispatch(&host, &messages[0]).await.unwrap();
    assert_eq!(calls(), 5, "definition, append, send, project, log");
    dispatch(&host, &messages[1]).await.unwrap();
    assert_eq!(calls(), 4, "append, send, project, log");
    dispatch(&host, &messages[1]).await.unwrap();
    assert_eq!(calls(), 4, "append (taken), newest, head, log");
    let effects = house.received(QueueName::Effects).await;
    assert_eq!(effects.len(), 2);
    execute(&host, (&house.performer, &()), &effects[0]).await.unwrap();
    assert_eq!(calls(), 3, "newest, input, send");
    let outcomes = house.received(QueueName::Events).await;
    dispatch(&host, &outcomes[0]).await.unwrap();
    assert_eq!(calls(), 3, "newest, append, project: a gate asks for nothing outside");
    let nothing = flow::Door {
        source: sop_core::event::Source::Mqtt,
        subject: "nobody/listens".into(),
        data: sop_core::event::Data::Empty,
        transport_id: None,
        time: None,
        actor: None,
    };
    flow::accept(&host, nothing).await.unwrap();
    assert_eq!(calls(), 1, "send");
    let messages = house.received(QueueName::Events).await;
    house.clock.advance(1);
    dispatch(&host, &messages[0]).await.unwrap();
    assert_eq!(calls(), 2, "an event that matches nothing: head, not looked at since it came, log");
    dispatch(&host, &messages[0]).await.unwrap();
    assert_eq!(calls(), 1, "log");
    house.clock.advance(2_000);
    dispatch(&host, &messages[0]).await.unwrap();
    assert_eq!(calls(), 2, "head, once it is two seconds old, and log");
}
