//! Every operation costs exactly what `docs/store.md` says: requests by name, write, index and read units.

mod flows;
mod table;

use sop_aws::count::Meter;
use sop_aws::{DynamoStore, SqsQueue};
use sop_core::Timestamp;
use sop_core::engine::{Head, SlotChange};
use sop_core::event::Source;
use sop_core::id::{Digest, RunId, SopName, Tenant};
use sop_runtime::port::{
    Blobs, Catalog, Consumer, CronCursor, EventLog, Failure, Failures, Grant, Heads, Idempotency,
    Journal, LogLine, LogQuery, Message, Pairing, Queue, QueueName, RateLimits, Role, Routine,
    Routines, Token, Tokens, Version, Versions, Waiting, Waits,
};
use sop_testkit::ids::{
    EPOCH, fresh, fresh_event, fresh_head, fresh_run, fresh_tenant, no_change, sealed, sop,
};

use self::table::Bill;
use crate::world;

#[tokio::test(flavor = "multi_thread")]
async fn operations_cost_what_the_table_says() {
    let config = world::config();
    let meter = Meter::default();
    let store = DynamoStore::metered(&config, &world::table(&config).await, &meter);
    let queue = SqsQueue::metered(&config, world::queues(&config).await, &meter);
    let mut bill = Bill::new(meter);
    journal(&store, &mut bill).await;
    congested(&store, &mut bill).await;
    blobs(&store, &mut bill).await;
    limits(&store, &mut bill).await;
    heads(&store, &mut bill).await;
    places(&store, &mut bill).await;
    lists(&store, &mut bill).await;
    waits(&store, &mut bill).await;
    catalog(&store, &mut bill).await;
    versions(&store, &mut bill).await;
    log(&store, &mut bill).await;
    idempotency(&store, &mut bill).await;
    tokens(&store, &mut bill).await;
    cron(&store, &mut bill).await;
    queues(&queue, &mut bill).await;
    Box::pin(flows::flows(store, queue, &mut bill)).await;
    table::assert_documented(&bill);
}

fn new_run(tenant: &Tenant, sop: &SopName) -> RunId {
    fresh_run(tenant, sop, EPOCH)
}

async fn journal(store: &DynamoStore, bill: &mut Bill) {
    let (tenant, sop) = (fresh_tenant(), sop("deploy-pipeline"));
    let run = new_run(&tenant, &sop);
    for seq in 0..3 {
        let entry = sealed(&run, seq, "event");
        bill.of("append", store.append(&entry, None)).await;
    }
    bill.of("append, place taken", store.append(&sealed(&run, 2, "event"), None)).await;
    bill.of("latest", store.latest(&run)).await;
    bill.of("entry", store.entry(&run, 1)).await;
    bill.of("entries, of 3", store.entries(&run, 0, 100)).await;

    let start = SlotChange { active: 1, active_max: Some(1), ..no_change(&tenant, &sop) };
    let first = sealed(&new_run(&tenant, &sop), 0, "event");
    bill.of("append with slot", store.append(&first, Some(&start))).await;
    bill.of("append with slot, place taken", store.append(&first, Some(&start))).await;
    let second = sealed(&new_run(&tenant, &sop), 0, "event");
    bill.of("append with slot, full", store.append(&second, Some(&start))).await;
    let wait = SlotChange { waiting: 1, ..no_change(&tenant, &sop) };
    bill.of("append with slot, first to wait", store.append(&second, Some(&wait))).await;
    let third = sealed(&new_run(&tenant, &sop), 0, "event");
    bill.of("append with slot, next to wait", store.append(&third, Some(&wait))).await;
    let finish = SlotChange { active: -1, completed_at: Some(EPOCH), ..no_change(&tenant, &sop) };
    let last = sealed(&first.run, 1, "outcome");
    bill.of("append with slot, given back", store.append(&last, Some(&finish))).await;
    bill.of("counters", store.counters(&tenant, &sop)).await;
}

/// Counts that only some SOPs have, and the workspace's.
async fn limits(store: &DynamoStore, bill: &mut Bill) {
    let (tenant, sop) = (fresh_tenant(), sop("deploy-pipeline"));
    let first = new_run(&tenant, &sop);
    let begin = SlotChange {
        active: 1,
        open: 1,
        active_max: Some(1),
        open_max: Some(1),
        pending_max: Some(1),
        latest: Some(first.clone()),
        ..no_change(&tenant, &sop)
    };
    bill.of("append with slot", store.append(&sealed(&first, 0, "event"), Some(&begin))).await;
    let total_max = Some(1);
    let taking = SlotChange { active: 1, total_max, ..no_change(&tenant, &sop) };
    let giving = SlotChange { active: -1, ..taking.clone() };
    let run = new_run(&tenant, &sop);
    let entry = sealed(&run, 0, "event");
    bill.of("append with slot and total", store.append(&entry, Some(&taking))).await;
    bill.of("append with slot and total, place taken", store.append(&entry, Some(&taking))).await;
    let other = sealed(&new_run(&tenant, &sop), 0, "event");
    bill.of("append with slot and total, full", store.append(&other, Some(&taking))).await;
    let end = sealed(&run, 1, "outcome");
    bill.of("append with slot and total, given back", store.append(&end, Some(&giving))).await;
    bill.of("total", store.total(&tenant)).await;
}

async fn congested(store: &DynamoStore, bill: &mut Bill) {
    let (tenant, sop) = (fresh_tenant(), sop("pump"));
    bill.of("congested, none", store.congested(&tenant, 10)).await;
    for (waiting, what) in [(1, "congested, of 1"), (-1, "congested, of 1 that is no longer")] {
        let slot = SlotChange { waiting, ..no_change(&tenant, &sop) };
        let entry = sealed(&new_run(&tenant, &sop), 0, "event");
        store.append(&entry, Some(&slot)).await.unwrap();
        bill.of(what, store.congested(&tenant, 10)).await;
    }
}

async fn blobs(store: &DynamoStore, bill: &mut Bill) {
    // Each reading differs, so it packs as telemetry does: to about a quarter.
    let readings: Vec<String> = (0..1_200_u32)
        .map(|i| format!("{{\"at\":{},\"celsius\":{}}}", 1_772_352_000 + i * 60, (i * 7919) % 997))
        .collect();
    let text = format!("[{}]", readings.join(","));
    let digest = Digest::of(text.as_bytes());
    bill.of("blob, not there", store.blob(&Digest::of(fresh("blob").as_bytes()))).await;
    bill.of("put_blob, 38 KB of readings", store.put_blob(&digest, &text)).await;
    bill.of("put_blob, there already", store.put_blob(&digest, &text)).await;
    bill.of("blob, 38 KB of readings", store.blob(&digest)).await;
    let small = "{\"status\":\"ok\"}".repeat(400);
    let digest = Digest::of(small.as_bytes());
    bill.of("put_blob, packs below 1 KB", store.put_blob(&digest, &small)).await;
    bill.of("blob, packs below 4 KB", store.blob(&digest)).await;
}

async fn heads(store: &DynamoStore, bill: &mut Bill) {
    let tenant = fresh_tenant();
    let new = fresh_head(&tenant, &sop("deploy-pipeline"), EPOCH);
    let new = Head { due: Some(EPOCH), ..new };
    bill.of("project, new", store.project(&new)).await;
    let later = Some(EPOCH.plus_millis(60_000));
    let moved = Head { seq: 1, step: 2, due: later, ..new.clone() };
    bill.of("project, another deadline", store.project(&moved)).await;
    let same = Head { seq: 2, step: 3, ..moved.clone() };
    bill.of("project, the same place", store.project(&same)).await;
    bill.of("project, an older one", store.project(&moved)).await;
    let over = Head { seq: 3, due: None, ..moved };
    bill.of("project, finished", store.project(&over)).await;
    bill.of("head", store.head(&new.run)).await;
}

/// A head that is in several places, and moves between them.
async fn places(store: &DynamoStore, bill: &mut Bill) {
    let now = Some(EPOCH);
    let tenant = fresh_tenant();
    let new = fresh_head(&tenant, &sop("deploy-pipeline"), EPOCH);
    let places = [
        ("project, new and in three places", [now, now, now]),
        ("project, out of two of three places", [now, None, None]),
        ("project, from one place to another", [None, now, None]),
        ("project, into a second place", [now, now, None]),
    ];
    for (seq, (what, [due, inbox, queue])) in (0..).zip(places) {
        bill.of(what, store.project(&Head { seq, due, inbox, queue, ..new.clone() })).await;
    }
}

async fn waits(store: &DynamoStore, bill: &mut Bill) {
    let key = Digest::of(fresh("wait").as_bytes());
    let run = new_run(&fresh_tenant(), &sop("order"));
    let waiting = Waiting { run, step: 2 };
    let until = EPOCH.plus_millis(60_000);
    bill.of("waiting, none", store.waiting(&key, 10)).await;
    bill.of("subscribe", store.subscribe(&key, &waiting, until)).await;
    bill.of("subscribe, noted already", store.subscribe(&key, &waiting, until)).await;
    bill.of("waiting, of 1", store.waiting(&key, 10)).await;
    bill.of("unsubscribe", store.unsubscribe(&key, &waiting)).await;
    bill.of("unsubscribe, not noted", store.unsubscribe(&key, &waiting)).await;
}

async fn versions(store: &DynamoStore, bill: &mut Bill) {
    let tenant = fresh_tenant();
    for name in ["deploy-pipeline", "runbook"] {
        for version in ["1.0.0", "1.1.0", "2.0.0"] {
            let version = Version {
                sop: sop(name),
                digest: Digest::of(fresh("definition").as_bytes()),
                version: version.into(),
                pushed_at: EPOCH,
                pushed_by: "person:ann@example.com".into(),
                published_at: Some(EPOCH),
                published_by: Some("person:ben@example.com".into()),
            };
            bill.of("put_version", store.put_version(&tenant, &version)).await;
            bill.of("put_version, there already", store.put_version(&tenant, &version)).await;
        }
    }
    bill.of("versions, of an SOP with 3", store.versions(&tenant, Some(&sop("runbook")), 20)).await;
    bill.of("versions, 6 of all SOPs", store.versions(&tenant, None, 20)).await;
}

async fn lists(store: &DynamoStore, bill: &mut Bill) {
    let (tenant, sop) = (fresh_tenant(), sop("runbook"));
    let now = Some(EPOCH);
    for (due, inbox, queue) in [(now, None, None), (None, now, None), (None, None, now)] {
        let head = fresh_head(&tenant, &sop, EPOCH);
        store.project(&Head { due, inbox, queue, ..head }).await.unwrap();
    }
    bill.of("runs, of 3", store.runs(&tenant, None, 20)).await;
    bill.of("inbox, of 1", store.inbox(&tenant, None, 20)).await;
    bill.of("inbox, empty", store.inbox(&fresh_tenant(), None, 20)).await;
    bill.of("queued", store.queued(&tenant, &sop, 20)).await;
    bill.of("due", store.due(&tenant, EPOCH, 20)).await;
}

async fn catalog(store: &DynamoStore, bill: &mut Bill) {
    let tenant = fresh_tenant();
    let json = format!("{{\"sops\":\"{}\"}}", fresh("snapshot"));
    let digest = Digest::of(json.as_bytes());
    bill.of("put_snapshot, one chunk", store.put_snapshot(&digest, &json)).await;
    bill.of("publish", store.publish(&tenant, 0, &digest)).await;
    bill.of("publish, conflict", store.publish(&tenant, 7, &digest)).await;
    bill.of("catalog_head", store.catalog_head(&tenant)).await;
    bill.of("snapshot, one chunk", store.snapshot(&digest)).await;
    bill.of("put_definition", store.put_definition(&digest, &json)).await;
    bill.of("definition", store.definition(&digest)).await;
    // 600 KB of digits of no pattern: two chunks when packed.
    let mut big = String::new();
    while big.len() < 900 * 1024 {
        big.push_str(&Digest::of(big.len().to_string().as_bytes()).to_string());
    }
    let digest = Digest::of(big.as_bytes());
    bill.of("put_snapshot, two chunks", store.put_snapshot(&digest, &big)).await;
    bill.of("put_snapshot, two chunks there already", store.put_snapshot(&digest, &big)).await;
    bill.of("snapshot, two chunks", store.snapshot(&digest)).await;
}

async fn log(store: &DynamoStore, bill: &mut Bill) {
    let tenant = fresh_tenant();
    let line = LogLine {
        event: fresh_event(EPOCH),
        tenant: tenant.clone(),
        time: EPOCH,
        source: Source::Mqtt,
        subject: "sensors/alert".into(),
        outcome: "unmatched".into(),
        detail: format!("{{\"verdicts\":[{{\"sop\":\"x\",\"reason\":\"{}\"}}]}}", "r".repeat(400)),
        payload: None,
        expires_at: EPOCH.plus_millis(86_400_000),
    };
    bill.of("record", store.record(&line)).await;
    let with = LogLine { payload: Some("p".repeat(2_000)), ..line.clone() };
    bill.of("record, with a payload of 2,000 bytes", store.record(&with)).await;
    bill.of("payload, of 2,000 bytes", store.payload(&tenant, &line.event)).await;
    bill.of("tally", store.tally(&tenant, EPOCH, line.expires_at)).await;
    bill.of("tallied", store.tallied(&tenant, EPOCH)).await;
    let failure = Failure {
        message: fresh("letter"),
        error: "a port failed: could not append: throttled".into(),
        attempt: 5,
        at: EPOCH,
        expires_at: line.expires_at,
    };
    bill.of("put_failure", store.put_failure(&failure)).await;
    bill.of("failure", store.failure(&failure.message)).await;
    let routine = Routine { sop: sop("x"), on: false, since: EPOCH, by: "paired:1".into() };
    bill.of("routines, none", store.routines(&tenant)).await;
    bill.of("set_routine", store.set_routine(&tenant, &routine)).await;
    bill.of("routines, of 1", store.routines(&tenant)).await;
    let query = LogQuery {
        tenant,
        since: Timestamp::from_millis(0),
        until: Timestamp::from_millis(i64::MAX),
        after: None,
        limit: 50,
    };
    bill.of("list, of 1", store.list(&query)).await;
}

async fn idempotency(store: &DynamoStore, bill: &mut Bill) {
    let (tenant, key) = (fresh_tenant(), fresh("key"));
    let until = EPOCH.plus_millis(300_000);
    for what in ["claim, new", "claim, held"] {
        bill.of(what, store.claim(&tenant, &key, "{\"event\":\"e\"}", EPOCH, until)).await;
    }
}

async fn tokens(store: &DynamoStore, bill: &mut Bill) {
    let token = Token {
        role: Role::Operator,
        revoked_at: None,
        hash: Digest::of(fresh("token").as_bytes()),
        tenant: fresh_tenant(),
        subject: "paired:1a2b3c4d".into(),
        issued_at: EPOCH,
        expires_at: None,
    };
    bill.of("put_token", store.put_token(&token)).await;
    bill.of("token", store.token(&token.hash)).await;
    bill.of("token, not there", store.token(&Digest::of(fresh("token").as_bytes()))).await;
    let pairing = Pairing {
        code: None,
        expires_at: EPOCH,
        failures: 0,
        locked_until: EPOCH,
        grant: Grant::default(),
    };
    bill.of("set_pairing", store.set_pairing(&token.tenant, 0, &pairing)).await;
    bill.of("set_pairing, another version", store.set_pairing(&token.tenant, 0, &pairing)).await;
    bill.of("pairing", store.pairing(&token.tenant)).await;
    bill.of("tokens, of 1", store.tokens(&token.tenant, None, 50)).await;
    for what in ["take", "take, all taken"] {
        bill.of(what, store.take(&token.tenant, "hook/ip/192.0.2.1", EPOCH, 1, EPOCH)).await;
    }
}

async fn cron(store: &DynamoStore, bill: &mut Bill) {
    let tenant = fresh_tenant();
    bill.of("advance", store.advance(&tenant, EPOCH)).await;
    bill.of("advance, not forward", store.advance(&tenant, EPOCH)).await;
    bill.of("last_check", store.last_check(&tenant)).await;
}

async fn queues(queue: &SqsQueue, bill: &mut Bill) {
    let message = |bytes: usize| Message { body: "x".repeat(bytes), delay_secs: 0 };
    let name = QueueName::Events;
    bill.of("send, of 10", queue.send(name, &vec![message(200); 10])).await;
    bill.of("send, of 25", queue.send(name, &vec![message(200); 25])).await;
    bill.of("send, of 5 of 256 KiB", queue.send(name, &vec![message(256 * 1024); 5])).await;
    bill.of("send, of none", queue.send(name, &[])).await;
    let received = bill.of("receive", queue.receive(name, 10, 30_000)).await;
    let receipts: Vec<_> = received.iter().map(|delivery| delivery.receipt.clone()).collect();
    bill.of("acknowledge, up to 10", queue.acknowledge(name, &receipts)).await;
}
