//! Topic rules and rules of a bus, as an emulator of AWS offers them.

use aws_sdk_iot::Client;
use aws_sdk_iot::types::{Action, SqsAction, TopicRulePayload};
use sop_aws::{BusRules, BusTarget, IotRules, SdkConfig, TopicTargets};
use sop_core::event_rule::{self, EventRule};
use sop_core::topic::TopicFilter;
use sop_core::topic_rule::{TopicRule, plan};
use sop_runtime::port::Rules;
use sop_testkit::ids::fresh;

use crate::world;

fn targets() -> TopicTargets {
    TopicTargets {
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:sopwith-mqtt".into(),
        dead_queue_url: "http://127.0.0.1/000000000000/dead".into(),
        dead_role_arn: "arn:aws:iam::000000000000:role/dead".into(),
    }
}

fn rules(prefix: &str, filters: &[&str]) -> Vec<TopicRule> {
    let filters: Vec<TopicFilter> =
        filters.iter().map(|text| TopicFilter::parse(text).unwrap()).collect();
    plan(prefix, &filters, 20)
}

/// A prefix that rules can have and no other test has.
fn prefix() -> String {
    fresh("it").replace('-', "_")
}

async fn found(rules: &IotRules) -> Vec<(TopicRule, bool)> {
    let mut found: Vec<_> =
        rules.list().await.unwrap().into_iter().map(|it| (it.rule, it.is_intact)).collect();
    found.sort();
    found
}

async fn foreign(config: &SdkConfig, name: &str) {
    let to = SqsAction::builder().queue_url("http://q").role_arn("arn:aws:iam::1:role/r");
    let payload = TopicRulePayload::builder()
        .sql("SELECT * FROM 'theirs'")
        .description("not ours")
        .actions(Action::builder().sqs(to.build().unwrap()).build())
        .build()
        .unwrap();
    let made = Client::new(config).create_topic_rule().rule_name(name);
    made.topic_rule_payload(payload).send().await.unwrap();
}

/// Statements that rules are planned with are ones that the service takes; twice is once.
#[tokio::test]
async fn rules_are_made_read_back_and_deleted() {
    let (config, prefix) = (world::config(), prefix());
    let ours = IotRules::new(&config, &prefix, targets());
    let wanted = rules(&prefix, &["sensors/alert", "ops/+/deploy", "plant/#", "it's/ü"]);
    for rule in wanted.iter().chain(&wanted) {
        ours.put(rule).await.unwrap();
    }
    let expected: Vec<_> = wanted.iter().map(|rule| (rule.clone(), true)).collect();
    assert_eq!(found(&ours).await, expected);
    for rule in &wanted {
        ours.delete(&rule.name).await.unwrap();
        ours.delete(&rule.name).await.unwrap();
    }
    assert_eq!(found(&ours).await, []);
}

/// A rule that was switched off, or sends elsewhere, is told and put right.
#[tokio::test]
async fn a_rule_that_was_changed_is_not_intact() {
    let (config, prefix) = (world::config(), prefix());
    let ours = IotRules::new(&config, &prefix, targets());
    let wanted = rules(&prefix, &["sensors/alert"]);
    ours.put(&wanted[0]).await.unwrap();
    let client = Client::new(&config);
    client.disable_topic_rule().rule_name(&wanted[0].name).send().await.unwrap();
    assert_eq!(found(&ours).await, [(wanted[0].clone(), false)]);
    ours.put(&wanted[0]).await.unwrap();
    assert_eq!(found(&ours).await, [(wanted[0].clone(), true)]);

    let elsewhere = TopicTargets { function_arn: targets().function_arn + "-2", ..targets() };
    let moved = IotRules::new(&config, &prefix, elsewhere);
    assert_eq!(found(&moved).await, [(wanted[0].clone(), false)]);
}

/// What others made is neither seen nor changed, even when it has a name of ours.
#[tokio::test]
async fn rules_of_others_are_left_alone() {
    let (config, prefix) = (world::config(), prefix());
    let ours = IotRules::new(&config, &prefix, targets());
    let [wanted] = &rules(&prefix, &["sensors/alert"])[..] else { panic!("one rule") };
    for name in [format!("{prefix}_other"), wanted.name.clone()] {
        foreign(&config, &name).await;
    }
    assert_eq!(found(&ours).await, []);
    let error = ours.put(wanted).await.unwrap_err();
    assert!(!error.retryable, "{error:?}");
    let kept = Client::new(&config).get_topic_rule().rule_name(&wanted.name).send().await.unwrap();
    assert_eq!(kept.rule.unwrap().sql.as_deref(), Some("SELECT * FROM 'theirs'"));
}

fn bus(config: &SdkConfig, prefix: &str) -> BusRules {
    let target = BusTarget {
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:sopwith-eventbridge".into(),
        dead_queue_arn: "arn:aws:sqs:us-east-1:000000000000:dead".into(),
    };
    BusRules::new(config, "default", prefix, target)
}

fn bus_rules(prefix: &str, asked: &[event_rule::Asked<'_>]) -> Vec<EventRule> {
    event_rule::plan(prefix, asked.iter().copied(), 20)
}

async fn on_the_bus(rules: &BusRules) -> Vec<(EventRule, bool)> {
    let mut found: Vec<_> =
        rules.list().await.unwrap().into_iter().map(|it| (it.rule, it.is_intact)).collect();
    found.sort_by(|one, other| one.0.name.cmp(&other.0.name));
    found
}

/// Patterns that rules are planned with are ones that the bus takes; twice is once, and what is asked of a
/// source changes its rule.
#[tokio::test]
async fn rules_of_a_bus_are_made_changed_read_back_and_deleted() {
    let (config, prefix) = (world::config(), prefix());
    let ours = bus(&config, &prefix);
    let long = "ü\u{1}".repeat(500);
    let sources =
        [(Some("aws.s3"), None), (Some("it's \"ü\""), Some("a / b")), (None, Some("Note"))];
    let wanted = bus_rules(&prefix, &[&sources[..], &[(Some(&*long), Some(&*long))]].concat());
    assert_eq!(wanted.len(), 4);
    for rule in wanted.iter().chain(&wanted) {
        ours.put(rule).await.unwrap();
    }
    let expected: Vec<_> = wanted.iter().map(|rule| (rule.clone(), true)).collect();
    assert_eq!(on_the_bus(&ours).await, expected);
    let [narrow] = &bus_rules(&prefix, &[(Some("aws.s3"), Some("Object Created"))])[..] else {
        panic!("one rule")
    };
    ours.put(narrow).await.unwrap();
    let found = on_the_bus(&ours).await;
    assert_eq!(found.len(), 4);
    assert!(found.contains(&(narrow.clone(), true)), "{found:?}");
    for rule in &wanted {
        ours.delete(&rule.name).await.unwrap();
        ours.delete(&rule.name).await.unwrap();
    }
    assert_eq!(on_the_bus(&ours).await, []);
    let everything = bus_rules(&prefix, &[(None, None)]);
    ours.put(&everything[0]).await.unwrap();
    ours.delete(&everything[0].name).await.unwrap();
}

/// A rule of the bus that was switched off, lost its target or leads elsewhere is told and put right.
#[tokio::test]
async fn a_rule_of_a_bus_that_was_changed_is_not_intact() {
    let (config, prefix) = (world::config(), prefix());
    let ours = bus(&config, &prefix);
    let wanted = bus_rules(&prefix, &[(Some("shop"), None)]);
    let (wanted, name) = (wanted[0].clone(), wanted[0].name.clone());
    let client = aws_sdk_eventbridge::Client::new(&config);
    ours.put(&wanted).await.unwrap();
    client.disable_rule().name(&name).send().await.unwrap();
    assert_eq!(on_the_bus(&ours).await, [(wanted.clone(), false)]);
    ours.put(&wanted).await.unwrap();
    client.remove_targets().rule(&name).ids("sopwith").send().await.unwrap();
    assert_eq!(on_the_bus(&ours).await, [(wanted.clone(), false)]);
    ours.put(&wanted).await.unwrap();
    assert_eq!(on_the_bus(&ours).await, [(wanted.clone(), true)]);

    let elsewhere = BusTarget {
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:other".into(),
        dead_queue_arn: "arn:aws:sqs:us-east-1:000000000000:dead".into(),
    };
    let moved = BusRules::new(&config, "default", &prefix, elsewhere);
    assert_eq!(on_the_bus(&moved).await, [(wanted.clone(), false)]);
    ours.delete(&name).await.unwrap();
}

/// What others made on the bus is neither seen nor changed, even when it has a name of ours.
#[tokio::test]
async fn rules_of_a_bus_that_are_others_are_left_alone() {
    let (config, prefix) = (world::config(), prefix());
    let ours = bus(&config, &prefix);
    let [wanted] = &bus_rules(&prefix, &[(Some("shop"), None)])[..] else { panic!("one rule") };
    let client = aws_sdk_eventbridge::Client::new(&config);
    let theirs = r#"{"source":["theirs"]}"#;
    let made = client.put_rule().name(&wanted.name).event_pattern(theirs);
    made.description("not ours").send().await.unwrap();
    assert_eq!(on_the_bus(&ours).await, []);
    let error = ours.put(wanted).await.unwrap_err();
    assert!(!error.retryable, "{error:?}");
    let kept = client.describe_rule().name(&wanted.name).send().await.unwrap();
    assert_eq!(kept.event_pattern(), Some(theirs));
}
