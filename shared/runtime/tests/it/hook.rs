//! What a webhook is answered, and what it leaves behind.

use sop_core::id::Tenant;
use sop_core::ingress::Rejected;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::flow::{self, Answer, Hook};
use sop_runtime::port::{LogQuery, QueueName};
use sop_testkit::ids::EPOCH;
use sop_testkit::scenario::{NOOP, webhook};
use sop_testkit::{Failing, Fuse, Moment};

use crate::house::House;

const GUARDED: &str = "[[triggers]]\ntype = \"webhook\"\npath = \"/sop/guarded\"\n\
                       method = \"PUT\"\ncondition = \"$.n >= 2\"\n";

async fn house() -> House {
    let house = House::new();
    house.publish("open", "", &webhook("/sop/open"), &[NOOP]).await;
    house.publish("guarded", "", GUARDED, &[NOOP]).await;
    house
}

async fn lines(house: &House) -> Vec<String> {
    let query = LogQuery {
        tenant: Tenant::default(),
        since: EPOCH.plus_millis(-1_000_000),
        until: EPOCH.plus_millis(1_000_000),
        after: None,
        limit: 100,
    };
    let page = flow::events(&house.host, &query, &flow::EventFilter::default()).await.unwrap();
    page.lines.into_iter().map(|line| format!("{} {}", line.subject, line.outcome)).collect()
}

/// Every answer, with how many messages were queued and lines logged for it.
#[tokio::test]
async fn answers() {
    let big = format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX));
    let token = "good";
    type Case<'a> = (&'a str, &'a str, Option<&'a str>, &'a str, &'a str, usize, usize);
    #[rustfmt::skip]
    let cases: &[Case<'_>] = &[
        ("POST", "/sop/open", None, "", "accepted", 1, 0),
        ("GET", "/sop/open", None, "{}", "accepted", 1, 0),
        ("POST", "/sop/%6fpen", None, "[1]", "accepted", 1, 0),
        ("POST", "/sop/open", Some("bad"), "", "unauthorized", 0, 0),
        ("POST", "/sop/open", Some(""), "", "unauthorized", 0, 0),
        ("POST", "/sop/open", None, "{", "not json", 0, 0),
        ("POST", "/sop/open", None, &big, "too large", 0, 0),
        ("POST", "/sop/../open", None, "", "bad path", 0, 0),
        ("POST", "/sop/%2e%2e/open", None, "", "bad path", 0, 0),
        ("POST", "/sop/open%00", None, "", "bad path", 0, 0),
        ("POST", "/sop/open%", None, "", "bad path", 0, 0),
        ("PUT", "/sop/guarded", None, "{\"n\": 2}", "unauthorized", 0, 0),
        ("POST", "/sop/guarded", None, "", "unauthorized", 0, 0),
        ("POST", "/sop/nowhere", None, "", "unauthorized", 0, 0),
        ("PUT", "/sop/guarded", Some(token), "{\"n\": 2}", "accepted", 1, 0),
        ("PUT", "/sop/guarded", Some(token), "{\"n\": 1}", "no match", 0, 1),
        ("PUT", "/sop/guarded", Some(token), "", "no match", 0, 1),
        ("POST", "/sop/guarded", Some(token), "{\"n\": 2}", "wrong method", 0, 0),
        ("POST", "/sop/nowhere", Some(token), "", "no match", 0, 1),
        ("POST", "/sop/Open", Some(token), "", "no match", 0, 1),
        ("POST", "/sop/open/", Some(token), "", "no match", 0, 1),
    ];
    for (method, path, bearer, body, expected, queued, logged) in cases {
        let house = house().await;
        let (secret, _) = flow::issue_token(&house.host, "test").await.unwrap();
        let bearer = bearer.map(|bearer| if bearer == token { secret.as_str() } else { bearer });
        let hook =
            Hook { method, raw_path: path, bearer, key: None, trace: None, body: body.as_bytes() };
        let answer = flow::hook(&house.host, hook).await.unwrap();
        let told = match &answer {
            Answer::Accepted(_) => "accepted",
            Answer::Duplicate(_) => "duplicate",
            Answer::Challenge(_) => "challenge",
            Answer::Rejected(Rejected::TooLarge { .. }) => "too large",
            Answer::Rejected(Rejected::NotJson { .. }) => "not json",
            Answer::Rejected(Rejected::BadPath) => "bad path",
            Answer::Rejected(Rejected::BadKey) => "bad key",
            Answer::Rejected(Rejected::NotCloudEvent { .. } | Rejected::CloudEventBatch) => {
                "no event"
            }
            Answer::WrongSecret | Answer::NoSecret | Answer::Unsigned(_) => "not signed",
            Answer::Forbidden(_) => "forbidden",
            Answer::TooMany => "too many",
            Answer::Unauthorized => "unauthorized",
            Answer::NoMatch { .. } => "no match",
            Answer::MethodNotAllowed { .. } => "wrong method",
            Answer::KeyReused => "key reused",
        };
        let case = format!("{method} {path} {bearer:?}: {answer:?}");
        assert_eq!(told, *expected, "{case}");
        assert_eq!(house.received(QueueName::Events).await.len(), *queued, "{case}");
        assert_eq!(lines(&house).await.len(), *logged, "{case}");
    }
}

/// The same key is the same event: sent again, answered as the first; with anything else it is refused.
#[tokio::test]
async fn a_key_is_one_request() {
    let house = house().await;
    let first = house.post("/sop/open", Some("k"), b"{}").await;
    let Answer::Accepted(first) = first else { panic!("{first:?}") };
    house.clock.advance(299_999);
    assert_eq!(house.post("/sop/open", Some("k"), b"{}").await, Answer::Duplicate(first.clone()));
    assert_eq!(house.post("/sop/open", Some("k"), b"{ }").await, Answer::KeyReused);
    let put = Hook {
        method: "PUT",
        raw_path: "/sop/open",
        bearer: None,
        key: Some("k"),
        trace: None,
        body: b"{}",
    };
    assert_eq!(flow::hook(&house.host, put).await.unwrap(), Answer::KeyReused);
    let long = "k".repeat(256);
    for bad in ["", " ", "ż", long.as_str()] {
        let answer = house.post("/sop/open", Some(bad), b"{}").await;
        assert_eq!(answer, Answer::Rejected(Rejected::BadKey), "{bad:?}");
    }
    house.run_out().await;
    assert_eq!(house.runs().await.len(), 1, "both messages are one event");
    house.clock.advance(1);
    let again = house.post("/sop/open", Some("k"), b"{}").await;
    assert!(matches!(&again, Answer::Accepted(told) if told.event_id != first.event_id));
}

/// A door that dies at any call has either promised nothing, or its event starts exactly one run once
/// the caller tries again.
#[tokio::test]
async fn a_door_may_die_at_any_call() {
    for call in 1..=7 {
        for moment in [Moment::Before, Moment::After] {
            let house = house().await;
            let fuse = Fuse::dead_from(call, moment);
            let dying = flow::Host::new(
                Failing::new(house.memory.clone(), &fuse),
                Failing::new(house.memory.clone(), &fuse),
                house.clock.clone(),
            );
            let hook = Hook {
                method: "POST",
                raw_path: "/sop/open",
                bearer: None,
                key: Some("k"),
                trace: None,
                body: b"{}",
            };
            drop(flow::hook(&dying, hook).await);
            flow::hook(&house.host, hook).await.unwrap();
            house.run_out().await;
            assert_eq!(house.runs().await.len(), 1, "{call} {moment:?}");
        }
    }
}

/// What a door promised is what starts, whatever is published before the event is dispatched.
#[tokio::test]
async fn a_promise_is_kept_through_a_publish() {
    let house = house().await;
    house.event("/sop/open").await;
    house.publish("open", "", &webhook("/sop/elsewhere"), &[NOOP, NOOP]).await;
    house.run_out().await;
    let run = house.run(&house.only_run().await).await;
    assert_eq!(run.past.len(), 1, "by the definition of then");
}
