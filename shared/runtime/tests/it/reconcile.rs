//! Rules follow the active SOPs.

use sop_core::id::SopName;
use sop_runtime::flow::{self, Reconciled};
use sop_testkit::MemoryRules;
use sop_testkit::scenario::NOOP;

use crate::house::{House, Memo};

async fn reconciled(host: &Memo, rules: &MemoryRules) -> Reconciled {
    flow::reconcile(host, rules, "sopwith", 20).await.unwrap()
}

fn mqtt(filter: &str) -> String {
    format!("[[triggers]]\ntype = \"mqtt\"\ntopic = \"{filter}\"\n")
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
    assert!(flow::reconcile(&house.host, &rules, "sopwith", 20).await.is_err());
    assert!(rules.statements()[0].ends_with("FROM 'a/b'"));
    let moved = Reconciled { made: 1, deleted: 1, ..Reconciled::default() };
    assert_eq!(reconciled(&house.host, &rules).await, moved);
}
