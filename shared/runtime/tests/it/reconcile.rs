//! Rules follow the active SOPs.

use sop_core::event_rule::EventRule;
use sop_core::id::SopName;
use sop_runtime::flow::{self, Reconciled, RuleSettings};
use sop_testkit::MemoryRules;
use sop_testkit::scenario::NOOP;

use crate::house::{House, Memo};

fn settings() -> RuleSettings {
    RuleSettings { prefix: "sopwith".to_owned(), max: 20 }
}

async fn reconciled(host: &Memo, rules: &MemoryRules) -> Reconciled {
    flow::reconcile_topics(host, rules, &settings()).await.unwrap()
}

async fn on_the_bus(host: &Memo, rules: &MemoryRules<EventRule>) -> Reconciled {
    flow::reconcile_events(host, rules, &settings()).await.unwrap()
}

fn mqtt(filter: &str) -> String {
    format!("[[triggers]]\ntype = \"mqtt\"\ntopic = \"{filter}\"\n")
}

fn event(source: &str, kind: &str) -> String {
    format!("[[triggers]]\ntype = \"event\"\nsource = \"{source}\"\ndetail_type = \"{kind}\"\n")
}

/// Publish makes rules, archive takes them away, and a second look changes nothing.
#[tokio::test]
async fn rules_are_what_the_active_sops_ask_for() {
    let (house, rules) = (House::new(), MemoryRules::default());
    assert_eq!(reconciled(&house.host, &rules).await, Reconciled::default());
    house.publish("one", "", &mqtt("a/b"), &[NOOP]).await;
    house.publish("two", "", &mqtt("c/+"), &[NOOP]).await;
    let made = Reconciled { made: 2, ..Reconciled::default() };
    assert_eq!(reconciled(&house.host, &rules).await, made);
    let kept = Reconciled { kept: 2, ..Reconciled::default() };
    assert_eq!(reconciled(&house.other(), &rules).await, kept);
    assert!(rules.statements().iter().any(|sql| sql.ends_with("FROM 'a/b'")));

    house.publish("one", "", &mqtt("a/x"), &[NOOP]).await;
    let moved = Reconciled { made: 1, deleted: 1, kept: 1, ..Reconciled::default() };
    assert_eq!(reconciled(&house.host, &rules).await, moved);
    for name in ["one", "two"] {
        let name = SopName::parse(name).unwrap();
        flow::archive(&house.host, &name, "author").await.unwrap();
    }
    let gone = Reconciled { deleted: 2, ..Reconciled::default() };
    assert_eq!(reconciled(&house.host, &rules).await, gone);
    assert_eq!(rules.names(), [""; 0]);
}

/// What somebody switched off is put right.
#[tokio::test]
async fn a_rule_that_was_tampered_with_is_replaced() {
    let (house, rules) = (House::new(), MemoryRules::default());
    house.publish("one", "", &mqtt("a/b"), &[NOOP]).await;
    reconciled(&house.host, &rules).await;
    rules.spoil(&rules.names()[0]);
    let replaced = Reconciled { replaced: 1, ..Reconciled::default() };
    assert_eq!(reconciled(&house.host, &rules).await, replaced);
}

/// While a rule cannot be made, no stale one goes; the next look makes it good.
#[tokio::test]
async fn a_failure_leaves_the_stale_rules_until_the_next_time() {
    let (house, rules) = (House::new(), MemoryRules::default());
    house.publish("one", "", &mqtt("a/b"), &[NOOP]).await;
    reconciled(&house.host, &rules).await;
    house.publish("one", "", &mqtt("a/+"), &[NOOP]).await;
    rules.fail(1);
    assert!(flow::reconcile_topics(&house.host, &rules, &settings()).await.is_err());
    assert!(rules.statements()[0].ends_with("FROM 'a/b'"));
    let moved = Reconciled { made: 1, deleted: 1, ..Reconciled::default() };
    assert_eq!(reconciled(&house.host, &rules).await, moved);
}

/// Sources of a bus get their rules, what is asked of one changes its rule where it is, and a rule that nothing
/// asks for goes once there is nothing to make.
#[tokio::test]
async fn rules_of_the_bus_are_what_the_active_sops_ask_for() {
    let (house, rules) = (House::new(), MemoryRules::default());
    assert_eq!(on_the_bus(&house.host, &rules).await, Reconciled::default());
    house.publish("one", "", &event("shop", "Note"), &[NOOP]).await;
    house.publish("two", "", &mqtt("a/b"), &[NOOP]).await;
    let made = Reconciled { made: 1, ..Reconciled::default() };
    assert_eq!(on_the_bus(&house.host, &rules).await, made);
    let names = rules.names();
    assert_eq!(rules.patterns(), [r#"{"detail-type":["Note"],"source":["shop"]}"#]);

    house.publish("two", "", &event("shop", "Order"), &[NOOP]).await;
    let replaced = Reconciled { replaced: 1, ..Reconciled::default() };
    assert_eq!(on_the_bus(&house.host, &rules).await, replaced);
    assert_eq!(rules.names(), names, "in its place");

    for name in ["one", "two"] {
        house.publish(name, "", &event("till", "Closed"), &[NOOP]).await;
    }
    let moved = Reconciled { made: 1, left: 1, ..Reconciled::default() };
    assert_eq!(on_the_bus(&house.host, &rules).await, moved);
    let gone = Reconciled { deleted: 1, kept: 1, ..Reconciled::default() };
    assert_eq!(on_the_bus(&house.other(), &rules).await, gone);
    for name in ["one", "two"] {
        flow::archive(&house.host, &SopName::parse(name).unwrap(), "author").await.unwrap();
    }
    let gone = Reconciled { deleted: 1, ..Reconciled::default() };
    assert_eq!(on_the_bus(&house.host, &rules).await, gone);
    assert_eq!(rules.names(), [""; 0]);
}

/// A rule of the bus that was switched off is put right, and one that fails leaves the others as they are.
#[tokio::test]
async fn a_failure_on_the_bus_is_made_good_by_the_next_look() {
    let (house, rules) = (House::new(), MemoryRules::default());
    house.publish("one", "", &event("shop", "Note"), &[NOOP]).await;
    rules.fail(1);
    assert!(flow::reconcile_events(&house.host, &rules, &settings()).await.is_err());
    let made = Reconciled { made: 1, ..Reconciled::default() };
    assert_eq!(on_the_bus(&house.host, &rules).await, made);
    rules.spoil(&rules.names()[0]);
    let replaced = Reconciled { replaced: 1, ..Reconciled::default() };
    assert_eq!(on_the_bus(&house.host, &rules).await, replaced);
}

/// A look tells what is right, missing, changed and asked for no more, and changes nothing.
#[tokio::test]
async fn a_look_at_the_rules_changes_nothing() {
    let (house, rules) = (House::new(), MemoryRules::default());
    for (name, source) in [("one", "shop"), ("two", "till"), ("three", "bank")] {
        house.publish(name, "", &event(source, "Note"), &[NOOP]).await;
    }
    let look = async |rules: &MemoryRules<EventRule>| {
        let active = house.host.active().await.unwrap();
        flow::rule_health(rules, &settings().events(&active.index)).await.unwrap()
    };
    let health = look(&rules).await;
    assert_eq!((health.right, health.missing.len()), (0, 3));
    assert!(
        health.missing.iter().any(|it| it.starts_with("sopwith-events-") && it.contains("shop"))
    );
    assert_eq!(rules.names(), [""; 0]);
    on_the_bus(&house.host, &rules).await;
    rules.spoil(&rules.names()[0]);
    flow::archive(&house.host, &SopName::parse("two").unwrap(), "author").await.unwrap();
    let health = look(&rules).await;
    let (wrong, stale) = (health.wrong.len(), health.stale);
    assert_eq!((health.right + wrong + stale, health.missing.len()), (3, 0), "{health:?}");
    assert_eq!(stale, 1);
}
