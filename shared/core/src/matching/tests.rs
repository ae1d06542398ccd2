use proptest::prelude::*;

use super::*;
use crate::condition::{Condition, Payload};
use crate::definition::{AdmissionPolicy, Auth, Priority, Scheme, Signed, WebhookTrigger};
use crate::event::{Data, Event, Source};
use crate::id::{EventId, Tenant};
use crate::time::Timestamp;
use crate::topic::TopicFilter;

fn listed(name: &str, triggers: Vec<Trigger>) -> Listed {
    Listed {
        name: SopName::parse(name).unwrap(),
        digest: Digest::of(name.as_bytes()),
        version: "1.0.0".into(),
        triggers,
        max_concurrent: None,
        cooldown_secs: 0,
        timezone: "UTC".into(),
        priority: Priority::Normal,
        admission_policy: AdmissionPolicy::Queue,
        max_pending_approvals: None,
        waits: Vec::new(),
        archived: false,
    }
}

fn when(condition: &str) -> Option<Condition> {
    (!condition.is_empty()).then(|| Condition::parse(condition).unwrap())
}

fn webhook(path: &str, condition: &str) -> Trigger {
    let condition = when(condition);
    Trigger::Webhook(WebhookTrigger {
        path: path.into(),
        method: None,
        auth: Auth::Bearer,
        condition,
    })
}

fn for_method(method: &str, path: &str, auth: Auth) -> Trigger {
    let method = Some(method.to_owned());
    Trigger::Webhook(WebhookTrigger { path: path.into(), method, auth, condition: None })
}

fn mqtt(filter: &str, condition: &str) -> Trigger {
    Trigger::Mqtt {
        topic: TopicFilter::parse(filter).unwrap(),
        condition: when(condition),
        key: None,
    }
}

fn cron(expression: &str) -> Trigger {
    Trigger::Cron { expression: crate::cron::CronExpr::parse(expression).unwrap(), timezone: None }
}

fn peripheral(board: &str, signal: &str, condition: &str) -> Trigger {
    Trigger::Peripheral {
        board: board.into(),
        signal: signal.into(),
        condition: when(condition),
        key: None,
    }
}

fn bus(source: Option<&str>, detail_type: Option<&str>, condition: &str) -> Trigger {
    let text = |text: &str| text.to_owned();
    let condition = when(condition);
    Trigger::Event { source: source.map(text), detail_type: detail_type.map(text), condition }
}

/// An event of a bus meets triggers of its source and detail type, of either alone, and no others.
#[test]
fn events_of_a_bus_meet_what_names_them() {
    let (s3, created) = (Some("aws.s3"), Some("Object Created"));
    let index = Index::build([
        listed("both", vec![bus(s3, created, "")]),
        listed("big", vec![bus(s3, created, "$.detail.object.size > 100")]),
        listed("source", vec![bus(s3, None, "")]),
        listed("kind", vec![bus(None, created, "")]),
        listed("deleted", vec![bus(s3, Some("Object Deleted"), "")]),
        listed("slash", vec![bus(Some("aws.s3/Object Created"), None, "")]),
        listed("twice", vec![bus(s3, None, "$.detail.x == 1"), bus(None, created, "")]),
    ]);
    let small = r#"{"source":"aws.s3","detail":{"object":{"size":5}}}"#;
    let cases = [
        ("aws.s3/Object Created", small, "both kind source twice"),
        (
            "aws.s3/Object Created",
            r#"{"detail":{"object":{"size":500}}}"#,
            "big both kind source twice",
        ),
        ("aws.s3/Object Deleted", small, "deleted source"),
        ("aws.s4/Object Created", small, "kind twice"),
        ("aws.s3%2FObject Created/x", small, "slash"),
        ("aws.s3", small, ""),
        ("aws.s3/", small, ""),
        ("/Object Created", small, ""),
        ("/", small, ""),
        ("", small, ""),
    ];
    for (subject, payload, expected) in cases {
        let event = event(Source::Event, subject, payload);
        assert_eq!(names(&index, &event).join(" "), expected, "{subject}");
        assert_eq!(index.names_event(subject), !expected.is_empty(), "{subject}");
        let told = index.explain(&event, &Payload::new(&event.data));
        let explained: Vec<&str> =
            told.iter().filter(|it| it.matched).map(|it| it.sop.as_str()).collect();
        assert_eq!(explained.join(" "), expected, "{subject}: {told:?}");
    }
    let event = event(Source::Event, "aws.s3/Object Created", small);
    let said = told(&index, &event);
    assert_eq!(
        said[0],
        "big no [event aws.s3/Object Created] `$.detail.object.size > 100`: 5 > 100 is false"
    );
    assert!(
        said[2]
            .starts_with("deleted no [event aws.s3/Object Deleted] detail type `Object Created`")
    );
}

#[test]
fn subjects_of_a_bus_keep_sources_apart() {
    let subject = |source: &str, kind: &str| event_subject(Some(source), Some(kind));
    assert_eq!(subject("com.x/orders", "New / big"), "com.x%2Forders/New / big");
    assert_ne!(subject("a/b", "c"), subject("a", "b/c"));
    assert_ne!(subject("a%2Fb", "c"), subject("a/b", "c"));
    for (subject, is_one) in [
        ("aws.s3/Object Created", true),
        ("a%2Fb%25/c/d", true),
        ("a%/c", false),
        ("a%2f/c", false),
        ("a/", false),
        ("/c", false),
        ("a", false),
        ("a/b\n", false),
    ] {
        assert_eq!(is_event_subject(subject), is_one, "{subject}");
    }
}

fn event(source: Source, subject: &str, payload: &str) -> Event {
    let time = Timestamp::from_millis(1_772_352_000_000);
    Event {
        id: EventId::from_random(time, &[1; 10]),
        tenant: Tenant::default(),
        source,
        subject: subject.into(),
        time,
        data: if payload.is_empty() { Data::Empty } else { Data::Text(payload.into()) },
        target: None,
        catalog: None,
        method: None,
        actor: None,
        trace: None,
        lineage: None,
    }
}

fn names(index: &Index, event: &Event) -> Vec<String> {
    let found = index.matches(event, &Payload::new(&event.data));
    found.iter().map(|it| index.sops()[it.sop].name.to_string()).collect()
}

/// One line for each SOP: `name yes|no [trigger] reason`.
fn told(index: &Index, event: &Event) -> Vec<String> {
    let verdicts = index.explain(event, &Payload::new(&event.data));
    verdicts
        .iter()
        .map(|it| {
            let answer = if it.matched { "yes" } else { "no" };
            format!("{} {answer} [{}] {}", it.sop, it.trigger.as_deref().unwrap_or("-"), it.reason)
        })
        .collect()
}

fn house() -> Index {
    Index::build([
        listed("pump", vec![peripheral("pump-1", "pressure", "> 85"), Trigger::Manual]),
        listed(
            "deploy",
            vec![
                webhook("/sop/deploy", ""),
                Trigger::Manual,
                mqtt("ops/deploy", "$.env == \"prod\""),
            ],
        ),
        listed(
            "alarm",
            vec![mqtt("sensors/#", "$.severity >= 5"), mqtt("sensors/alert", "$.severity >= 2")],
        ),
        listed("backup", vec![cron("0 0 2 * * *"), cron("0 0 8 * * *")]),
    ])
}

#[test]
fn each_source_finds_its_sops() {
    let index = house();
    let rows = [
        (event(Source::Webhook, "/sop/deploy", ""), vec!["deploy"]),
        (event(Source::Webhook, "/sop/Deploy", ""), vec![]),
        (event(Source::Webhook, "/sop/deploy/", ""), vec![]),
        (event(Source::Webhook, "ops/deploy", "{\"env\":\"prod\"}"), vec![]),
        (event(Source::Mqtt, "ops/deploy", "{\"env\":\"prod\"}"), vec!["deploy"]),
        (event(Source::Mqtt, "ops/deploy", "{\"env\":\"dev\"}"), vec![]),
        (event(Source::Mqtt, "sensors/alert", "{\"severity\":3}"), vec!["alarm"]),
        (event(Source::Mqtt, "sensors/alert", "{\"severity\":9}"), vec!["alarm"]),
        (event(Source::Mqtt, "sensors/alert", "{\"severity\":1}"), vec![]),
        (event(Source::Mqtt, "sensors", "{\"severity\":9}"), vec!["alarm"]),
        (event(Source::Mqtt, "sensors/+", "{\"severity\":9}"), vec![]),
        (event(Source::Cron, "0 0 8 * * *", ""), vec!["backup"]),
        (event(Source::Cron, "0 8 * * *", ""), vec![]),
        (event(Source::Peripheral, "pump-1/pressure", "86"), vec!["pump"]),
        (event(Source::Peripheral, "pump-1/pressure", "85"), vec![]),
        (event(Source::Peripheral, "pump-1/pressure", ""), vec![]),
        (event(Source::Manual, "deploy", ""), vec!["deploy", "pump"]),
    ];
    for (event, expected) in rows {
        assert_eq!(names(&index, &event), expected, "{} {}", event.source, event.subject);
    }
}

#[test]
fn a_target_keeps_all_others_out() {
    let index = house();
    let aimed = |source, subject: &str, target: &str| {
        let target = Some(SopName::parse(target).unwrap());
        Event { target, ..event(source, subject, "") }
    };
    assert_eq!(names(&index, &aimed(Source::Manual, "pump", "pump")), ["pump"]);
    assert_eq!(names(&index, &aimed(Source::Manual, "alarm", "alarm")), [""; 0]);
    assert_eq!(names(&index, &aimed(Source::Manual, "gone", "gone")), [""; 0]);
    assert_eq!(names(&index, &aimed(Source::Cron, "0 0 8 * * *", "backup")), ["backup"]);
    assert_eq!(names(&index, &aimed(Source::Cron, "0 0 8 * * *", "deploy")), [""; 0]);
    let manual = aimed(Source::Manual, "alarm", "alarm");
    assert_eq!(told(&index, &manual)[0], "alarm no [-] no manual trigger");
    assert_eq!(told(&index, &manual)[1], "backup no [-] the event is for `alarm` alone");
}

#[test]
fn an_event_starts_an_sop_once_by_its_first_trigger() {
    let index = house();
    for (payload, trigger) in [("{\"severity\":9}", 0), ("{\"severity\":3}", 1)] {
        let event = event(Source::Mqtt, "sensors/alert", payload);
        let found = index.matches(&event, &Payload::new(&event.data));
        assert_eq!(found, [Match { sop: 0, trigger }]);
    }
}

#[test]
fn the_payload_is_parsed_once_and_only_for_a_condition() {
    let index = house();
    let plain = event(Source::Webhook, "/sop/deploy", "{\"a\":1}");
    let payload = Payload::new(&plain.data);
    assert_eq!(index.matches(&plain, &payload).len(), 1);
    assert!(!payload.is_parsed());
    let elsewhere = event(Source::Mqtt, "nobody/wants", "{\"a\":1}");
    let payload = Payload::new(&elsewhere.data);
    assert_eq!(index.matches(&elsewhere, &payload).len(), 0);
    assert!(!payload.is_parsed());
}

#[test]
fn every_sop_says_why() {
    let index = house();
    assert_eq!(
        told(&index, &event(Source::Mqtt, "sensors/alert", "{\"severity\":1}")),
        [
            "alarm no [mqtt sensors/#] `$.severity >= 5`: 1 >= 5 is false",
            "backup no [-] no mqtt trigger",
            "deploy no [mqtt ops/deploy] topic `sensors/alert` does not match filter `ops/deploy`",
            "pump no [-] no mqtt trigger",
        ]
    );
    assert_eq!(
        told(&index, &event(Source::Mqtt, "sensors/alert", "{\"severity\":3}"))[0],
        "alarm yes [mqtt sensors/alert] topic `sensors/alert` matches filter `sensors/alert`; \
         `$.severity >= 2` holds"
    );
    assert_eq!(
        told(&index, &event(Source::Mqtt, "a/#", ""))[0],
        "alarm no [mqtt sensors/#] level 2 of the topic has the wildcard `#`, which only filters may have"
    );
    assert_eq!(
        told(&index, &event(Source::Webhook, "/sop/x", ""))[2],
        "deploy no [webhook /sop/deploy] path `/sop/x` is not `/sop/deploy`"
    );
    assert_eq!(
        told(&index, &event(Source::Webhook, "/sop/deploy", ""))[2],
        "deploy yes [webhook /sop/deploy] path is `/sop/deploy`"
    );
    assert_eq!(
        told(&index, &event(Source::Peripheral, "pump-1/pressure", "12"))[3],
        "pump no [peripheral pump-1/pressure] `> 85`: 12 > 85 is false"
    );
    assert_eq!(
        told(&index, &event(Source::Peripheral, "pump-2/pressure", "12"))[3],
        "pump no [peripheral pump-1/pressure] signal `pump-2/pressure` is not `pump-1/pressure`"
    );
    assert_eq!(
        told(&index, &event(Source::Cron, "@daily", ""))[1],
        "backup no [cron 0 0 2 * * *] expression `@daily` is not `0 0 2 * * *`"
    );
}

#[test]
fn a_failed_condition_is_told_before_a_key_that_differs() {
    let index = Index::build([listed(
        "deploy",
        vec![
            webhook("/sop/other", ""),
            for_method("PUT", "/sop/deploy", Auth::Bearer),
            webhook("/sop/deploy", "$.env == \"prod\""),
        ],
    )]);
    let post = |payload| Event {
        method: Some("POST".into()),
        ..event(Source::Webhook, "/sop/deploy", payload)
    };
    assert_eq!(
        told(&index, &post("{\"env\":\"dev\"}")),
        ["deploy no [webhook /sop/deploy] `$.env == \"prod\"`: \"dev\" == \"prod\" is false"]
    );
    let index = Index::build([listed(
        "deploy",
        vec![webhook("/sop/other", ""), for_method("PUT", "/sop/deploy", Auth::Bearer)],
    )]);
    assert_eq!(
        told(&index, &post("")),
        ["deploy no [webhook PUT /sop/deploy] method `POST` is not `PUT`"]
    );
    let nameless = event(Source::Webhook, "/sop/deploy", "");
    assert_eq!(
        told(&index, &nameless),
        ["deploy no [webhook PUT /sop/deploy] method `none` is not `PUT`"]
    );
}

#[test]
fn candidates_leave_out_what_the_event_has_nothing_to_do_with() {
    let index = house();
    let event = event(Source::Mqtt, "sensors/alert", "{\"severity\":1}");
    let near = index.explain_candidates(&event, &Payload::new(&event.data));
    assert_eq!(near.others, 3);
    assert_eq!(near.verdicts.len(), 1);
    assert_eq!(near.verdicts[0].reason, "`$.severity >= 5`: 1 >= 5 is false");
    let json = serde_json::to_value(&near.verdicts[0]).unwrap();
    assert_eq!(json["trigger"], "mqtt sensors/#");
    assert_eq!(json["matched"], false);
}

/// Whether the path is public; `None` when nothing takes it.
fn shows(index: &Index, path: &str, method: &str) -> Option<bool> {
    index.webhook_demands(path, method).map(|demands| demands.is_public())
}

#[test]
fn what_the_triggers_of_a_path_ask_for_adds_up() {
    let signed = |secret: &str| {
        Auth::Signed(Signed {
            scheme: Scheme::Github,
            secrets: vec![secret.into()],
            tolerance_secs: None,
        })
    };
    let triggers = |path: &str, auths: &[Auth]| {
        auths.iter().map(|auth| for_method("POST", path, auth.clone())).collect::<Vec<_>>()
    };
    let index = Index::build([
        listed("a", triggers("/sop/one", &[signed("x"), Auth::None])),
        listed("b", triggers("/sop/one", &[signed("x")])),
        listed("c", triggers("/sop/both", &[signed("x"), signed("y"), Auth::Bearer])),
    ]);
    let demands = |path: &str| index.webhook_demands(path, "POST").unwrap();
    assert_eq!((demands("/sop/one").token, demands("/sop/one").signed.len()), (false, 1));
    assert_eq!((demands("/sop/both").token, demands("/sop/both").signed.len()), (true, 2));
}

#[test]
fn a_webhook_path_knows_its_methods_and_what_a_caller_must_show() {
    let index = Index::build([
        listed(
            "a",
            vec![
                for_method("POST", "/sop/x", Auth::None),
                for_method("PUT", "/sop/x", Auth::Bearer),
            ],
        ),
        listed("b", vec![for_method("POST", "/sop/open", Auth::None)]),
        listed("c", vec![for_method("POST", "/sop/open", Auth::None), webhook("/webhook", "")]),
    ]);
    assert_eq!(index.webhook_route("/sop/y", "POST"), WebhookRoute::Unknown);
    let allowed = vec!["POST".to_owned(), "PUT".to_owned()];
    assert_eq!(index.webhook_route("/sop/x", "GET"), WebhookRoute::WrongMethod { allowed });
    // One trigger that asks for a token closes the path, whatever its method.
    assert_eq!(shows(&index, "/sop/x", "POST"), Some(false));
    assert_eq!(shows(&index, "/sop/open", "POST"), Some(true));
    assert_eq!(shows(&index, "/sop/open", "GET"), None);
    assert_eq!(shows(&index, "/webhook", "DELETE"), Some(false));
    let put = Event { method: Some("PUT".into()), ..event(Source::Webhook, "/sop/x", "") };
    let found = index.matches(&put, &Payload::new(&put.data));
    assert_eq!(found, [Match { sop: 0, trigger: 1 }]);
}

#[test]
fn a_slash_cannot_make_two_devices_one() {
    let index = Index::build([
        listed("one", vec![peripheral("a/b", "c", "")]),
        listed("two", vec![peripheral("a", "b/c", "")]),
        listed("three", vec![peripheral("a", "b", "")]),
    ]);
    assert_eq!(names(&index, &event(Source::Peripheral, "a/b/c", "")), [""; 0]);
    assert_eq!(names(&index, &event(Source::Peripheral, "a/b", "")), ["three"]);
    assert_eq!(
        told(&index, &event(Source::Peripheral, "a/b/c", ""))[0],
        "one no [peripheral a/b/c] a board or a signal is empty or has a `/`"
    );
    assert_eq!(peripheral_subject("a", "b").as_deref(), Some("a/b"));
    assert_eq!(peripheral_subject("", "b"), None);
}

#[test]
fn the_index_lists_schedules_and_filters() {
    let mut index = house();
    let schedules: Vec<String> = index
        .schedules()
        .map(|it| format!("{} {} {}", it.sop.name, it.expression, it.timezone))
        .collect();
    assert_eq!(schedules, ["backup 0 0 2 * * * UTC", "backup 0 0 8 * * * UTC"]);
    let filters: Vec<&str> = index.topic_filters().into_iter().map(TopicFilter::as_str).collect();
    assert_eq!(filters, ["ops/deploy", "sensors/#", "sensors/alert"]);
    let buses = Index::build([
        listed("a", vec![bus(Some("shop"), Some("Note"), ""), bus(None, Some("Note"), "")]),
        listed("b", vec![bus(Some("shop"), Some("Note"), "$.x == 1"), Trigger::Manual]),
    ]);
    let asked: Vec<_> = buses.bus_events().into_iter().collect();
    assert_eq!(asked, [(None, Some("Note")), (Some("shop"), Some("Note"))]);
    assert_eq!(index.find(&SopName::parse("pump").unwrap()).unwrap().triggers.len(), 2);
    index = Index::build([listed("a", vec![Trigger::Manual]), listed("a", vec![])]);
    assert_eq!(index.sops().len(), 1);
    assert_eq!(index.sops()[0].triggers.len(), 1);
}

#[test]
fn a_snapshot_round_trips_sorted() {
    let snapshot = Snapshot::new(house().sops().iter().rev().cloned());
    let json = serde_json::to_string(&snapshot).unwrap();
    let back: Snapshot = serde_json::from_str(&json).unwrap();
    assert_eq!(back, snapshot);
    assert_eq!(back.format, SNAPSHOT_FORMAT);
    assert_eq!(Index::from(back).sops(), house().sops());
}

fn any_trigger() -> impl Strategy<Value = Trigger> {
    let condition =
        || prop::sample::select(vec!["", "$.n > 1", "> 1", "!exists($.n)", "$.n == \"x\""]);
    let level = || prop::sample::select(vec!["a", "b", "", "+", "$s"]);
    prop_oneof![
        (prop::collection::vec(level(), 1..4), any::<bool>(), condition()).prop_filter_map(
            "an empty filter",
            |(levels, rest, condition)| {
                let mut text = levels.join("/");
                if rest {
                    text.push_str("/#");
                }
                TopicFilter::parse(&text).ok()?;
                Some(mqtt(&text, condition))
            }
        ),
        Just(mqtt("#", "")),
        (prop::option::of("[ab/]"), "[ab]", any::<bool>(), condition()).prop_map(
            |(source, kind, any_kind, condition)| {
                let kind = (source.is_none() || !any_kind).then_some(kind.as_str());
                bus(source.as_deref(), kind, condition)
            }
        ),
        ("[ab]", prop::sample::select(vec!["", "POST", "PUT"]), condition()).prop_map(
            |(path, method, condition)| Trigger::Webhook(WebhookTrigger {
                path: format!("/sop/{path}"),
                method: (!method.is_empty()).then(|| method.to_owned()),
                auth: Auth::Bearer,
                condition: when(condition),
            })
        ),
        prop::sample::select(vec!["@daily", "0 8 * * *"]).prop_map(cron),
        ("[ab]", "(a|b|a/b|)", condition()).prop_map(|(b, s, c)| peripheral(&b, &s, c)),
        Just(Trigger::Manual),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let subject = prop_oneof![
        prop::collection::vec(prop::sample::select(vec!["a", "b", "", "$s", "+"]), 1..5)
            .prop_map(|levels| levels.join("/"))
            .prop_map(|topic| (Source::Mqtt, topic)),
        "[ab]".prop_map(|path| (Source::Webhook, format!("/sop/{path}"))),
        prop::sample::select(vec!["@daily", "0 8 * * *"])
            .prop_map(|e| (Source::Cron, e.to_owned())),
        "[ab]/(a|b|a/b|)".prop_map(|subject| (Source::Peripheral, subject)),
        "([ab]|%2F|)/(a|b|a/b|)".prop_map(|subject| (Source::Event, subject)),
        Just((Source::Manual, String::new())),
    ];
    let payload =
        prop::sample::select(vec!["", "{}", "2", "{\"n\":2}", "{\"n\":1}", "{\"n\":\"x\"}", "x"]);
    let target = prop::option::weighted(0.2, "s[0-9]");
    let method = prop::option::of(prop::sample::select(vec!["POST", "PUT"]));
    (subject, payload, target, method).prop_map(|((source, subject), payload, target, method)| {
        Event {
            target: target.map(|name| SopName::parse(&name).unwrap()),
            method: method.map(str::to_owned),
            ..event(source, &subject, payload)
        }
    })
}

proptest! {
    /// The index and the walk through every trigger give the same SOPs, by the same triggers.
    #[test]
    fn the_index_agrees_with_a_walk_through_all(
        triggers in prop::collection::vec(prop::collection::vec(any_trigger(), 0..4), 0..10),
        events in prop::collection::vec(any_event(), 1..20),
    ) {
        let index = Index::build(
            triggers.into_iter().enumerate().map(|(i, triggers)| listed(&format!("s{i}"), triggers)),
        );
        for event in events {
            let payload = Payload::new(&event.data);
            let found = index.matches(&event, &payload);
            let verdicts = index.explain(&event, &payload);
            let walked: Vec<Match> = verdicts
                .iter()
                .enumerate()
                .filter(|(_, it)| it.matched)
                .map(|(sop, it)| Match { sop, trigger: it.trigger_index.expect("it matched by one") })
                .collect();
            prop_assert_eq!(&found, &walked, "{:?}", event);

            let near = index.explain_candidates(&event, &payload);
            prop_assert_eq!(near.verdicts.len() + near.others, index.sops().len());
            prop_assert_eq!(near.verdicts.iter().filter(|it| it.matched).count(), found.len());
            for verdict in near.verdicts {
                prop_assert!(verdicts.contains(&verdict));
            }
        }
    }
}
