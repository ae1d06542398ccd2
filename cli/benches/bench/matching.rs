//! Matching one event among many SOPs, beside a walk through all of them.

use std::hint::black_box;
use std::time::Instant;

use sop_core::Timestamp;
use sop_core::condition::{Condition, Payload};
use sop_core::definition::{AdmissionPolicy, Auth, Priority, Trigger, WebhookTrigger};
use sop_core::event::{Data, Event, Source};
use sop_core::id::{Digest, EventId, SopName, Tenant};
use sop_core::matching::{Index, Listed};
use sop_core::topic::TopicFilter;

use crate::{Row, quantile};

const SOPS: usize = 10_000;
const SAMPLES: usize = 2_001;

fn listed(n: usize) -> Listed {
    let condition = |text: &str| Some(Condition::parse(text).expect("a condition"));
    let topic = |text: String| TopicFilter::parse(&text).expect("a filter");
    Listed {
        name: SopName::parse(&format!("sop-{n:05}")).expect("a name"),
        digest: Digest::of(&n.to_be_bytes()),
        version: "1.0.0".into(),
        triggers: vec![
            Trigger::Mqtt {
                topic: topic(format!("plant/{}/line/{n}", n % 50)),
                condition: condition("$.severity >= 2"),
                key: None,
            },
            Trigger::Mqtt { topic: topic(format!("site/{n}/+/alarm")), condition: None, key: None },
            Trigger::Webhook(WebhookTrigger {
                path: format!("/sop/hook-{n}"),
                method: None,
                auth: Auth::Bearer,
                condition: None,
            }),
        ],
        max_concurrent: None,
        cooldown_secs: 0,
        timezone: "UTC".into(),
        priority: Priority::default(),
        admission_policy: AdmissionPolicy::default(),
        max_pending_approvals: None,
        waits: Vec::new(),
        archived: false,
    }
}

fn event(source: Source, subject: &str) -> Event {
    let at = Timestamp::from_millis(1_772_352_000_000);
    Event {
        id: EventId::from_random(at, &[1; 10]),
        tenant: Tenant::default(),
        source,
        subject: subject.to_owned(),
        time: at,
        data: Data::Text("{\"severity\":3}".into()),
        target: None,
        catalog: None,
        method: Some("POST".into()),
        actor: None,
        trace: None,
        lineage: None,
    }
}

/// What an engine without an index does.
fn scan(sops: &[Listed], event: &Event, payload: &Payload<'_>) -> usize {
    let matches = |trigger: &Trigger| match trigger {
        Trigger::Mqtt { topic, condition, .. } => {
            event.source == Source::Mqtt
                && topic.matches(&event.subject)
                && condition.as_ref().is_none_or(|it| it.holds(payload))
        }
        Trigger::Webhook(hook) => event.source == Source::Webhook && hook.path == event.subject,
        Trigger::Manual
        | Trigger::Cron { .. }
        | Trigger::Peripheral { .. }
        | Trigger::Event { .. } => false,
    };
    sops.iter().filter(|sop| sop.triggers.iter().any(matches)).count()
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a moment")]
fn median_us(samples: usize, mut call: impl FnMut() -> usize) -> f64 {
    let mut times: Vec<f64> = (0..samples)
        .map(|_| {
            let started = Instant::now();
            black_box(call());
            started.elapsed().as_nanos() as f64 / 1_000.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    quantile(&times, 0.5)
}

pub(crate) fn rows() -> Vec<Row> {
    let sops: Vec<Listed> = (0..SOPS).map(listed).collect();
    let index = Index::build(sops.clone());
    let cases = [
        ("MQTT topic with a condition", event(Source::Mqtt, "plant/17/line/4217")),
        ("MQTT topic by a wildcard", event(Source::Mqtt, "site/4217/hall/alarm")),
        ("webhook path", event(Source::Webhook, "/sop/hook-4217")),
        ("nothing", event(Source::Mqtt, "plant/17/line/none")),
    ];
    cases
        .iter()
        .map(|(name, event)| {
            let payload = Payload::new(&event.data);
            payload.json();
            let indexed = median_us(SAMPLES, || index.matches(event, &payload).len());
            let scanned = median_us(51, || scan(&sops, event, &payload));
            Row::new(
                format!("match among 10 000 SOPs, 30 000 triggers: {name}"),
                format!("{indexed:.2} µs"),
                format!("linear scan {scanned:.0} µs"),
            )
        })
        .collect()
}
