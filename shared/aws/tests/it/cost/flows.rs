//! What flows cost: an event, a start, a step, a run.

use std::collections::BTreeMap;

use sop_aws::{DynamoStore, SqsQueue};
use sop_core::Timestamp;
use sop_core::definition::SourceFiles;
use sop_core::engine::{Decision, Input};
use sop_core::event::{Data, Event, Source};
use sop_core::id::{EventId, InputId, RunId, SopName};
use sop_runtime::envelope::Body;
use sop_runtime::flow::{self, Call, Hook, Host, Notice, Perform, Published, Push};
use sop_runtime::port::{Consumer, QueueName};
use sop_testkit::ManualClock;
use sop_testkit::ids::{EPOCH, fresh_event, fresh_tenant};

use super::table::Bill;

type Aws = Host<DynamoStore, SqsQueue, ManualClock>;

/// A run of it waits for the event of its order.
const WAITS: &str = r#"## Steps

1. **Payment**
   - capability: wait.event
   - with: {"source": "mqtt", "topic": "paid", "correlate": {"event": "$.order", "key": "{{ event.order }}"}}

2. **Ship**
   - capability: noop
"#;

/// A built-in that gives what it gets.
struct Noop;

impl Perform for Noop {
    async fn perform(&self, call: &Call) -> Result<serde_json::Value, String> {
        Ok(call.with.clone())
    }

    async fn notify(&self, _: &Notice) -> Result<(), String> {
        Ok(())
    }
}

pub async fn flows(store: DynamoStore, queue: SqsQueue, bill: &mut Bill) {
    let mut host = Host::new(store, queue.waiting(1), ManualClock::at(EPOCH));
    host.tenant = fresh_tenant();
    publish(&host).await;
    // What is measured is a warm function: the snapshot and the definitions are remembered.
    drain(&host, QueueName::Events).await;
    drain(&host, QueueName::Effects).await;
    for sop in ["five", "limited", "gated", "waits"] {
        start(&host, sop).await;
        drain(&host, QueueName::Effects).await;
    }
    Box::pin(doors(&host, bill)).await;
    Box::pin(events(&host, bill)).await;
    Box::pin(whole_run(&host, bill)).await;
    Box::pin(awaited(&host, bill)).await;
    Box::pin(people(&host, bill)).await;
    bill.of("tick, nothing due", flow::tick(&host)).await;
}

async fn publish(host: &Aws) {
    let steps: String =
        (1..=5).map(|n| format!("{n}. **Step {n}**\n   - capability: noop\n\n")).collect();
    let sop = |name: &str, mode: &str, more: &str| SourceFiles {
        directory: format!("sops/{name}"),
        toml: format!(
            "[sop]\nname = \"{name}\"\ndescription = \"measured\"\nexecution_mode = \"{mode}\"\n{more}\n\
             [[triggers]]\ntype = \"webhook\"\npath = \"/sop/{name}\"\n\
             [[triggers]]\ntype = \"mqtt\"\ntopic = \"t/{name}\"\ncondition = \"$.severity >= 2\"\n"
        ),
        markdown: Some(format!("## Steps\n\n{steps}")),
    };
    let files = [
        sop("five", "auto", ""),
        sop("limited", "auto", "max_concurrent = 1000"),
        sop("gated", "step_by_step", ""),
        SourceFiles { markdown: Some(WAITS.to_owned()), ..sop("waits", "auto", "") },
    ];
    let published = flow::publish(host, files[..].into(), Push::Replace, "author").await.unwrap();
    assert!(matches!(published, Published::Active { .. }), "{published:?}");
}

fn event(host: &Aws, sop: &str, payload: &str) -> Event {
    Event {
        id: fresh_event(EPOCH),
        tenant: host.tenant.clone(),
        source: Source::Mqtt,
        subject: format!("t/{sop}"),
        time: EPOCH,
        data: Data::Text(payload.to_owned()),
        target: None,
        catalog: None,
        method: None,
        actor: None,
        trace: None,
        lineage: None,
    }
}

fn message(event: &Event) -> String {
    Body::Event { event: Box::new(event.clone()) }.into_message(0).body
}

fn run_of(host: &Aws, sop: &str, event: &EventId, at: Timestamp) -> RunId {
    RunId::derive(&host.tenant, &SopName::parse(sop).unwrap(), event, at)
}

async fn start(host: &Aws, sop: &str) -> RunId {
    let event = event(host, sop, "{\"severity\":3}");
    flow::dispatch(host, &message(&event)).await.unwrap();
    run_of(host, sop, &event.id, event.time)
}

/// Takes one message from a queue, as the event source mapping would.
async fn take(host: &Aws, queue: QueueName) -> String {
    for _ in 0..20 {
        if let Some(delivery) = host.queue.receive(queue, 1, 30_000).await.unwrap().pop() {
            host.queue.acknowledge(queue, &[delivery.receipt]).await.unwrap();
            return delivery.body;
        }
    }
    panic!("nothing came in at {queue:?}");
}

async fn drain(host: &Aws, queue: QueueName) {
    loop {
        let deliveries = host.queue.receive(queue, 10, 30_000).await.unwrap();
        if deliveries.is_empty() {
            return;
        }
        let receipts: Vec<String> = deliveries.into_iter().map(|it| it.receipt).collect();
        host.queue.acknowledge(queue, &receipts).await.unwrap();
    }
}

async fn doors(host: &Aws, bill: &mut Bill) {
    let (token, _) = flow::issue_token(host, "paired").await.unwrap();
    let hook = |key| Hook {
        method: "POST",
        raw_path: "/sop/five",
        bearer: Some(&token),
        key,
        trace: None,
        body: b"{\"message\":\"deploy-service-a\"}",
    };
    bill.of("webhook", flow::hook(host, hook(None))).await;
    bill.of("webhook with a key", flow::hook(host, hook(Some("k1")))).await;
    bill.of("webhook, the same key again", flow::hook(host, hook(Some("k1")))).await;
    let unknown = Hook { bearer: Some("sop_wrong"), ..hook(None) };
    bill.of("webhook, not authenticated", flow::hook(host, unknown)).await;
    let nowhere = Hook { raw_path: "/sop/nowhere", ..hook(None) };
    bill.of("webhook, no match", flow::hook(host, nowhere)).await;
    drain(host, QueueName::Events).await;
}

async fn events(host: &Aws, bill: &mut Bill) {
    let unmatched = message(&event(host, "five", "{\"severity\":1}"));
    bill.of("event that matches nothing", flow::dispatch(host, &unmatched)).await;
    let plain = message(&event(host, "five", "{\"severity\":3}"));
    bill.of("event that starts a run", flow::dispatch(host, &plain)).await;
    bill.of("the same event again", flow::dispatch(host, &plain)).await;
    let limited = message(&event(host, "limited", "{\"severity\":3}"));
    bill.of("event that starts a run of a limited SOP", flow::dispatch(host, &limited)).await;
    let gated = message(&event(host, "gated", "{\"severity\":3}"));
    bill.of("event that starts a run at a gate", flow::dispatch(host, &gated)).await;
    drain(host, QueueName::Effects).await;
}

/// A run of five built-in steps, from its event to its end.
async fn whole_run(host: &Aws, bill: &mut Bill) {
    let run = start(host, "five").await;
    for step in 1..=5 {
        host.clock.advance(200);
        let effect = take(host, QueueName::Effects).await;
        bill.of("effect carried out", flow::execute(host, (&Noop, &()), &effect)).await;
        let outcome = take(host, QueueName::Events).await;
        let what = if step < 5 { "step" } else { "last step" };
        bill.of(what, flow::dispatch(host, &outcome)).await;
    }
    let detail = flow::run_detail(host, &run).await.unwrap();
    assert_eq!(detail.view.status, sop_core::engine::Status::Completed);
    let sizes: BTreeMap<u64, usize> = flow::journal(host, &run)
        .await
        .unwrap()
        .iter()
        .map(|entry| (entry.seq, sop_aws::entry_bytes(entry)))
        .collect();
    assert!(sizes.values().all(|bytes| *bytes <= 1_024), "an entry is one write unit: {sizes:?}");
}

/// A run that waits for an event, and the event.
async fn awaited(host: &Aws, bill: &mut Bill) {
    let order = "{\"severity\":3,\"order\":\"o-17\"}";
    let starts = message(&event(host, "waits", order));
    bill.of("event that starts a run that waits for another", flow::dispatch(host, &starts)).await;
    let paid = Event { subject: "paid".to_owned(), ..event(host, "waits", order) };
    bill.of("event that a run waits for", flow::dispatch(host, &message(&paid))).await;
    let input = take(host, QueueName::Events).await;
    bill.of("step that waited for it", flow::dispatch(host, &input)).await;
    drain(host, QueueName::Effects).await;
}

async fn people(host: &Aws, bill: &mut Bill) {
    let run = start(host, "gated").await;
    let decide = |gate| Input::Decide { gate, decision: Decision::Approve { comment: None } };
    for (id, what) in [("p-1", "approve"), ("p-2", "approve, decided already")] {
        let id = InputId::parse(id).unwrap();
        let decided = flow::submit(host, &run, &id, "paired:1a2b3c4d", decide(1), None);
        bill.of(what, decided).await;
    }
    bill.of("status of a run", flow::run_detail(host, &run)).await;
    drain(host, QueueName::Effects).await;
    drain(host, QueueName::Events).await;
}
