//! Publishing.

use sop_core::definition::SourceFiles;
use sop_core::event::{Data, Source};
use sop_core::id::Tenant;
use sop_runtime::flow::{self, Answer, Door, FlowError, Hook, Published, Push, dispatch};
use sop_runtime::port::{Catalog, QueueName};
use sop_testkit::scenario::{NOOP, texts, toml, webhook};

use crate::house::{House, Memo, files};

async fn publish(host: &Memo, files: &[SourceFiles], push: Push) -> Result<Published, FlowError> {
    flow::publish(host, files.into(), push, "author").await
}

/// Two that publish at once are both published.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_lost_when_two_publish() {
    for _ in 0..20 {
        let house = House::new();
        let tasks: Vec<_> = ["a", "b", "c", "d"]
            .map(|name| {
                let host = house.other();
                let files = [files(texts(&toml(name, "", &webhook("/sop/x")), &[NOOP]))];
                tokio::spawn(async move { publish(&host, &files, Push::Publish).await.unwrap() })
            })
            .into();
        let mut versions = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Published::Active { version, .. } => versions.push(version),
                Published::Drafted { .. } => panic!("only drafted"),
                Published::Invalid { diagnostics } => panic!("{diagnostics:?}"),
            }
        }
        versions.sort_unstable();
        assert_eq!(versions, [1, 2, 3, 4]);
        let active = house.other().active().await.unwrap();
        let names: Vec<_> = active.index.sops().iter().map(|sop| sop.name.to_string()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }
}

/// What comes in after a push was answered is matched against it, whichever host it comes to and however lately that
/// has looked; so is a schedule's event, whose time is earlier than the push.
#[tokio::test]
async fn what_comes_after_a_push_is_matched_against_it() {
    let triggers = [
        "[[triggers]]\ntype = \"mqtt\"\ntopic = \"probe/+\"".to_owned(),
        "[[triggers]]\ntype = \"cron\"\nexpression = \"* * * * *\"".to_owned(),
        webhook("/sop/x"),
    ];
    for trigger in triggers {
        let house = House::new();
        house.clock.advance(30_000);
        let late = house.other();
        assert!(late.active().await.unwrap().index.sops().is_empty());
        house.clock.advance(1);
        house.publish("a", "", &trigger, &[NOOP]).await;
        let door = Door {
            source: Source::Mqtt,
            subject: "probe/1".into(),
            data: Data::Empty,
            transport_id: None,
            time: None,
            actor: None,
        };
        if trigger.contains("mqtt") {
            flow::accept(&late, door).await.unwrap();
        } else if trigger.contains("cron") {
            assert_eq!(flow::tick(&house.host).await.unwrap().fired, 1);
        } else {
            house.clock.advance(250);
            let hook = Hook {
                method: "POST",
                raw_path: "/sop/x",
                bearer: None,
                key: None,
                trace: None,
                body: b"",
            };
            let answer = flow::hook(&late, hook).await.unwrap();
            assert!(matches!(answer, Answer::Accepted(_)), "{answer:?}");
        }
        for message in house.received(QueueName::Events).await {
            dispatch(&late, &message).await.unwrap();
        }
        assert_eq!(house.runs().await.len(), 1, "{trigger}");
    }
}

/// A publish of what is active moves nothing; one with an error changes nothing, not even in part.
#[tokio::test]
async fn all_or_nothing() {
    let house = House::new();
    house.publish("a", "", &webhook("/sop/x"), &[NOOP]).await;
    house.publish("a", "", &webhook("/sop/x"), &[NOOP]).await;
    let head = house.memory.catalog_head(&Tenant::default()).await.unwrap().unwrap();
    assert_eq!(head.version, 1);
    let good = files(texts(&toml("b", "", &webhook("/sop/x")), &[NOOP]));
    let bad = files(texts(&toml("c", "", &webhook("/sop/x")), &[]));
    let twin = files(texts(&toml("b", "", &webhook("/sop/y")), &[NOOP]));
    for broken in [vec![good.clone(), bad], vec![good, twin]] {
        let published = publish(&house.host, &broken, Push::Replace).await.unwrap();
        assert!(matches!(published, Published::Invalid { .. }), "{published:?}");
        assert_eq!(house.memory.catalog_head(&Tenant::default()).await.unwrap(), Some(head));
    }
    let published = publish(&house.host, &[], Push::Replace).await.unwrap();
    assert!(matches!(published, Published::Active { version: 2, .. }), "{published:?}");
    assert!(house.other().active().await.unwrap().index.sops().is_empty());
}
