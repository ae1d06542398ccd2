//! The dispatch log: what is kept, for how long, and what is sent again.

use sop_core::event::{Data, Source};
use sop_core::id::{EventId, SopName};
use sop_runtime::flow::{self, Detail, Door, EventFilter, Replayed};
use sop_runtime::port::{LogLine, LogQuery};
use sop_testkit::ids::EPOCH;
use sop_testkit::scenario::NOOP;

use crate::house::House;

const DAY_MS: i64 = 24 * 3_600_000;

fn mqtt(topic: &str, condition: &str) -> String {
    format!("[[triggers]]\ntype = \"mqtt\"\ntopic = \"{topic}\"\ncondition = '{condition}'\n")
}

async fn send(house: &House, topic: &str, data: Data) -> EventId {
    let door = Door {
        source: Source::Mqtt,
        subject: topic.to_owned(),
        data,
        transport_id: None,
        time: None,
        actor: Some("mqtt:pump".to_owned()),
    };
    let event = flow::accept(&house.host, door).await.unwrap();
    house.run_out().await;
    event.id
}

async fn lines(house: &House, filter: &EventFilter, limit: usize) -> Vec<LogLine> {
    let mut after = None;
    let mut lines = Vec::new();
    loop {
        let query = LogQuery {
            tenant: house.host.tenant.clone(),
            since: EPOCH.plus_millis(-DAY_MS),
            until: EPOCH.plus_millis(DAY_MS),
            after,
            limit,
        };
        let page = flow::events(&house.host, &query, filter).await.unwrap();
        assert!(page.lines.len() <= limit);
        lines.extend(page.lines);
        after = page.next;
        if after.is_none() {
            return lines;
        }
    }
}

fn detail(line: &LogLine) -> Detail {
    serde_json::from_str(&line.detail).unwrap()
}

/// A payload larger than its line shows is kept whole, and so is one that is no text.
#[tokio::test]
async fn the_whole_payload_is_kept() {
    let house = House::new();
    house.publish("a", "", &mqtt("a", "$.t > 5"), &[NOOP]).await;
    let large = format!("{{\"pad\":\"{}\",\"t\":9}}", "ż".repeat(100_000));
    for data in [
        Data::Text("{\"t\":6}".into()),
        Data::Text("ż".repeat(512)),
        Data::Text("x".repeat(513)),
        Data::Text(large),
        Data::Base64("//79".into()),
        Data::Empty,
    ] {
        house.clock.advance(1);
        let id = send(&house, "a", data.clone()).await;
        let recorded = flow::recorded(&house.host, &id).await.unwrap().unwrap();
        assert_eq!(recorded.data, Some(data));
        assert_eq!(recorded.detail.actor.as_deref(), Some("mqtt:pump"));
    }
    assert_eq!(house.runs().await.len(), 2);
    let nobody = EventId::derived(EPOCH, &["nobody"]);
    assert_eq!(flow::recorded(&house.host, &nobody).await.unwrap(), None);
}

/// Lines are kept as long as the operator says.
#[tokio::test]
async fn lines_are_kept_for_the_days_that_are_set() {
    let mut house = House::new();
    house.host.settings.log.kept_days = 7;
    send(&house, "a", Data::Empty).await;
    let line = lines(&house, &EventFilter::default(), 9).await.remove(0);
    assert_eq!(line.expires_at.millis_since(line.time), 7 * DAY_MS);
}

#[tokio::test]
async fn filters_find_what_they_name() {
    let house = House::new();
    house.publish("hot", "", &mqtt("a/+", "$.t > 5"), &[NOOP]).await;
    for (topic, t) in [("a/1", 1), ("a/2", 9), ("b", 9), ("a/3", 2), ("b", 1), ("a/4", 7)] {
        house.clock.advance(1);
        send(&house, topic, Data::Text(format!("{{\"t\":{t}}}"))).await;
    }
    let hot = SopName::parse("hot").unwrap();
    let of = |source, outcome: Option<&str>, sop: Option<&SopName>| EventFilter {
        source,
        outcome: outcome.map(str::to_owned),
        sop: sop.cloned(),
    };
    let cases = [
        (of(None, None, None), vec!["a/4", "b", "a/3", "b", "a/2", "a/1"]),
        (of(None, Some("matched"), None), vec!["a/4", "a/2"]),
        (of(None, Some("unmatched"), None), vec!["b", "a/3", "b", "a/1"]),
        (of(None, None, Some(&hot)), vec!["a/4", "a/3", "a/2", "a/1"]),
        (of(Some(Source::Mqtt), Some("unmatched"), Some(&hot)), vec!["a/3", "a/1"]),
        (of(Some(Source::Cron), None, None), vec![]),
    ];
    for (filter, expected) in cases {
        for limit in [1, 2, 3, 100] {
            let found = lines(&house, &filter, limit).await;
            let subjects: Vec<&str> = found.iter().map(|line| line.subject.as_str()).collect();
            assert_eq!(subjects, expected, "{filter:?} by {limit}");
        }
    }
}

/// Above the rate that is set, unmatched events are counted and not written; the log says how many.
#[tokio::test]
async fn what_is_not_written_is_counted() {
    let mut house = House::new();
    house.host.settings.log.unmatched_per_minute = 3;
    house.publish("hot", "", &mqtt("a", "$.t > 5"), &[NOOP]).await;
    for i in 0..20 {
        house.clock.advance(100);
        send(&house, "b", Data::Text(i.to_string())).await;
        if i % 5 == 0 {
            send(&house, "a", Data::Text("{\"t\":9}".into())).await;
        }
    }
    house.clock.advance(60_000);
    send(&house, "b", Data::Text("20".into())).await;
    let all = lines(&house, &EventFilter::default(), 100).await;
    let of = |outcome: &str| all.iter().filter(|line| line.outcome == outcome).count();
    assert_eq!((of("matched"), of("unmatched"), of("sampled")), (4, 4, 1));
    let notice = all.iter().find(|line| line.outcome == "sampled").unwrap();
    assert_eq!((detail(notice).written, detail(notice).not_written), (Some(3), Some(17)));
    let replayed = flow::replay(&house.host, &notice.event, None, "ann").await.unwrap();
    assert_eq!(replayed, Replayed::NoEvent, "it is no event");
}

/// A recorded event is sent again as a new one that names it, to all SOPs or to one.
#[tokio::test]
async fn a_replay_is_a_new_event_that_names_the_old() {
    let house = House::new();
    house.publish("hot", "", &mqtt("a", "$.t > 5"), &[NOOP]).await;
    let text = format!("{{\"t\":4,\"pad\":\"{}\"}}", "x".repeat(2_000));
    let old = send(&house, "a", Data::Text(text)).await;
    assert_eq!(house.runs().await.len(), 0);
    house.publish("hot", "", &mqtt("a", "$.t > 3"), &[NOOP]).await;
    house.publish("warm", "", &mqtt("a", "$.t > 2"), &[NOOP]).await;
    house.clock.advance(5_000);
    let nobody = SopName::parse("nobody").unwrap();
    let sent = flow::replay(&house.host, &old, Some(&nobody), "ann").await.unwrap();
    assert_eq!(sent, Replayed::NoSop);
    let warm = SopName::parse("warm").unwrap();
    for (sop, runs) in [(Some(&warm), 1), (None, 3)] {
        let Replayed::Sent(event) = flow::replay(&house.host, &old, sop, "ann").await.unwrap()
        else {
            panic!("not sent");
        };
        assert_ne!(event.id, old);
        assert_eq!((event.time, event.actor.as_deref()), (house.host.now(), Some("ann")));
        house.run_out().await;
        assert_eq!(house.runs().await.len(), runs, "{sop:?}");
        let recorded = flow::recorded(&house.host, &event.id).await.unwrap().unwrap();
        assert_eq!(recorded.detail.replay_of, Some(old.clone()));
        assert_eq!(recorded.line.outcome, "matched");
    }
    let nobody = EventId::derived(EPOCH, &["nobody"]);
    assert_eq!(flow::replay(&house.host, &nobody, None, "ann").await.unwrap(), Replayed::NoEvent);
}
