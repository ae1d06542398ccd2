//! A topic filter or a cron expression, a line break, a topic: parsed and asked without panic, and the index
//! agrees with the filter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sop_core::condition::Payload;
use sop_core::cron::{CronExpr, TimeZone};
use sop_core::definition::Trigger;
use sop_core::event::{Data, Event, Source};
use sop_core::matching::{Index, Listed};
use sop_core::topic::TopicFilter;
use sop_core::{Digest, EventId, SopName, Tenant, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_772_352_000_000);

fuzz_target!(|input: &str| {
    let (text, topic) = input.split_once('\n').unwrap_or((input, "a/b"));
    if let Ok(filter) = TopicFilter::parse(text) {
        let matches = filter.matches(topic);
        assert_eq!(
            index_of(filter).matches(&event(topic), &Payload::new(&Data::Empty)).len() == 1,
            matches
        );
    }
    if let Ok(expression) = CronExpr::parse(text) {
        let zone = TimeZone::parse(topic).unwrap_or(TimeZone::UTC);
        if let Some(next) = expression.next_after(&zone, NOW) {
            assert!(next > NOW);
            assert_eq!(expression.fires_in(&zone, NOW, next), Some(next));
        }
    }
});

fn index_of(topic: TopicFilter) -> Index {
    Index::build([Listed {
        name: SopName::parse("one").expect("a name"),
        digest: Digest::of(b"one"),
        version: "1".into(),
        triggers: vec![Trigger::Mqtt { topic, condition: None, key: None }],
        max_concurrent: None,
        cooldown_secs: 0,
        timezone: "UTC".into(),
    }])
}

fn event(topic: &str) -> Event {
    Event {
        id: EventId::from_random(NOW, &[0; 10]),
        tenant: Tenant::default(),
        source: Source::Mqtt,
        subject: topic.into(),
        time: NOW,
        data: Data::Empty,
        target: None,
        catalog: None,
        method: None,
        actor: None,
        trace: None,
    }
}
