//! A topic filter or a cron expression, a line break, a topic: parsed and asked without panic, and the index
//! agrees with the filter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sop_core::condition::Payload;
use sop_core::cron::{CronExpr, TimeZone};
use sop_core::definition::{SourceFiles, Trigger, Workspace, parse};
use sop_core::event::{Data, Event, Source};
use sop_core::matching::{Index, Listed};
use sop_core::topic::TopicFilter;
use sop_core::{EventId, Tenant, Timestamp};

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

/// An index of one SOP, which listens to `topic`.
fn index_of(topic: TopicFilter) -> Index {
    let toml = "[sop]\nname = \"one\"\n\n[[triggers]]\ntype = \"mqtt\"\ntopic = \"a\"\n";
    let files = SourceFiles {
        directory: "one".into(),
        toml: toml.into(),
        markdown: Some("## Steps\n\n1. **Look** — Look.\n".into()),
    };
    let parsed = parse(&files, &Workspace::default());
    let mut sop = parsed.definition.expect("it is a good one");
    sop.triggers = vec![Trigger::Mqtt { topic, condition: None, key: None }];
    Index::build([Listed::from(&sop)])
}

fn event(topic: &str) -> Event {
    let id = EventId::from_random(NOW, &[0; 10]);
    let event = serde_json::json!({
        "id": id, "tenant": Tenant::default(), "source": Source::Mqtt, "subject": topic, "time": NOW,
    });
    serde_json::from_value(event).expect("the rest may be left out")
}
