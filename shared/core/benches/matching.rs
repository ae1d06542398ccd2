//! Matching one event among 10,000 SOPs with 30,000 triggers: the index beside a linear scan.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sop_core::condition::{Condition, Payload};
use sop_core::cron::CronExpr;
use sop_core::definition::{AdmissionPolicy, Auth, Priority, Trigger, WebhookTrigger};
use sop_core::event::{Data, Event, Source};
use sop_core::matching::{Index, Listed, Snapshot};
use sop_core::topic::TopicFilter;
use sop_core::{Digest, EventId, SopName, Tenant, Timestamp};

const SOPS: usize = 10_000;

fn filter(text: &str, condition: Option<&str>) -> Trigger {
    Trigger::Mqtt {
        topic: TopicFilter::parse(text).expect("a filter"),
        condition: condition.map(|text| Condition::parse(text).expect("a condition")),
        key: None,
    }
}

fn webhook(path: String) -> Trigger {
    Trigger::Webhook(WebhookTrigger { path, method: None, auth: Auth::Bearer, condition: None })
}

/// Three triggers: one of MQTT (each tenth with a wildcard, each third with a condition), a webhook, and a
/// schedule, a device or another filter.
fn triggers(i: usize) -> Vec<Trigger> {
    let (site, room) = (i / 100, i % 100);
    let condition = i.is_multiple_of(3).then_some("$.value > 85");
    let topic = match i % 10 {
        0 => format!("site/{site}/+/{room}"),
        1 => format!("site/{site}/room/{room}/#"),
        _ => format!("site/{site}/room/{room}/temperature"),
    };
    let third = match i % 3 {
        0 => Trigger::Cron {
            expression: CronExpr::parse(&format!("{} {} * * *", i % 60, i % 24)).expect("cron"),
            timezone: None,
        },
        1 => Trigger::Peripheral {
            board: format!("board-{i}"),
            signal: "pressure".into(),
            condition: None,
            key: None,
        },
        _ => filter(&format!("plant/{i}/alert"), None),
    };
    vec![filter(&topic, condition), webhook(format!("/sop/hook-{i}")), third]
}

fn sops() -> Vec<Listed> {
    (0..SOPS)
        .map(|i| Listed {
            name: SopName::parse(&format!("sop-{i:05}")).expect("a name"),
            digest: Digest::of(&i.to_le_bytes()),
            version: "1.0.0".into(),
            triggers: triggers(i),
            max_concurrent: None,
            cooldown_secs: 0,
            timezone: "UTC".into(),
            priority: Priority::Normal,
            admission_policy: AdmissionPolicy::Queue,
            max_pending_approvals: None,
            waits: Vec::new(),
            archived: false,
        })
        .collect()
}

fn event(source: Source, subject: &str) -> Event {
    let time = Timestamp::from_millis(1_772_352_000_000);
    Event {
        id: EventId::from_random(time, &[0; 10]),
        tenant: Tenant::default(),
        source,
        subject: subject.into(),
        time,
        data: Data::Text("{\"value\":90}".into()),
        target: None,
        catalog: None,
        method: Some("POST".into()),
        actor: None,
        trace: None,
        lineage: None,
    }
}

/// What the index replaces: every trigger of every SOP.
fn scan(sops: &[Listed], event: &Event, payload: &Payload<'_>) -> Vec<(usize, usize)> {
    let holds = |condition: &Option<Condition>| condition.as_ref().is_none_or(|c| c.holds(payload));
    let fits = |trigger: &Trigger| match (event.source, trigger) {
        (Source::Mqtt, Trigger::Mqtt { topic, condition, .. }) => {
            topic.matches(&event.subject) && holds(condition)
        }
        (Source::Webhook, Trigger::Webhook(webhook)) => {
            webhook.path == event.subject
                && (webhook.method.is_none() || webhook.method == event.method)
                && holds(&webhook.condition)
        }
        (
            Source::Mqtt
            | Source::Webhook
            | Source::Cron
            | Source::Peripheral
            | Source::Event
            | Source::Manual
            | Source::Sop,
            _,
        ) => false,
    };
    let found = sops.iter().enumerate().filter_map(|(sop, listed)| {
        listed.triggers.iter().position(fits).map(|trigger| (sop, trigger))
    });
    found.collect()
}

fn matching(c: &mut Criterion) {
    let sops = sops();
    let index = Index::build(sops.clone());
    let cases = [
        ("mqtt", event(Source::Mqtt, "site/55/room/55/temperature"), 1),
        ("mqtt-wildcard", event(Source::Mqtt, "site/42/room/31/humidity"), 1),
        ("webhook", event(Source::Webhook, "/sop/hook-7777"), 1),
        ("miss", event(Source::Mqtt, "site/55/room/999/temperature"), 0),
    ];
    for (name, event, expected) in &cases {
        // Parsed before the clock starts: what is measured is the matching.
        let payload = Payload::new(&event.data);
        payload.json();
        let found: Vec<(usize, usize)> =
            index.matches(event, &payload).iter().map(|it| (it.sop, it.trigger)).collect();
        assert_eq!(found, scan(&sops, event, &payload), "{name}");
        assert_eq!(found.len(), *expected, "{name}");

        let mut group = c.benchmark_group(format!("match/{name}"));
        group.bench_function("index", |b| {
            b.iter(|| index.matches(black_box(event), black_box(&payload)));
        });
        group.sample_size(20).bench_function("scan", |b| {
            b.iter(|| scan(black_box(&sops), black_box(event), black_box(&payload)));
        });
        group.finish();
    }
    let snapshot = serde_json::to_string(&Snapshot::new(sops)).expect("a snapshot is JSON");
    c.benchmark_group("catalog").sample_size(10).bench_function("read-and-build", |b| {
        b.iter(|| {
            let snapshot: Snapshot = serde_json::from_str(&snapshot).expect("it was written above");
            Index::from(snapshot)
        });
    });
    let payload = "{\"site\":55,\"room\":55,\"value\":90.5,\"unit\":\"C\"}";
    let data = Data::Text(payload.into());
    let condition = Condition::parse("$.value > 85 && $.unit == \"C\"").expect("a condition");
    let parsed = Payload::new(&data);
    parsed.json();
    c.bench_function("condition/holds", |b| b.iter(|| condition.holds(black_box(&parsed))));
    c.bench_function("condition/parse-payload-and-hold", |b| {
        b.iter(|| condition.holds(&Payload::new(black_box(&data))));
    });
}

criterion_group!(benches, matching);
criterion_main!(benches);
