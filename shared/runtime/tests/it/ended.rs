//! What the ends of runs start: once, whoever dies, and not for ever.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sop_core::engine::{Input, Phase, Run, Status, Verdict};
use sop_core::event::ended::{Gave, event};
use sop_core::event::{Data, Event, Source};
use sop_core::id::RunId;
use sop_core::limits::{DEPTH_MAX, INLINE_BYTES_MAX};
use sop_runtime::envelope::{Body, Envelope};
use sop_runtime::flow::{self, Detail, EventFilter, dispatch};
use sop_runtime::port::{LogQuery, QueueName};
use sop_testkit::ids::{EPOCH, input, sop};
use sop_testkit::scenario::{GATE, NOOP, WAIT, texts, toml, webhook};
use sop_testkit::{Failing, Fuse, ManualClock, Memory, Mischief, Moment, World};

use crate::house::House;

const MANUAL: &str = "**By hand** — somebody does it.";
const KINDS: [&str; 3] = ["Run Completed", "Run Failed", "Run Cancelled"];

/// A trigger that takes ends of the kind `kind` of runs of `of`; of all SOPs when it is empty.
fn on(kind: &str, of: &str) -> String {
    let condition = match of {
        "" => String::new(),
        of => format!("condition = '$.detail.sop == \"{of}\"'\n"),
    };
    format!(
        "[[triggers]]\ntype = \"event\"\nsource = \"sopwith\"\ndetail_type = \"{kind}\"\n{condition}"
    )
}

fn yes() -> Verdict {
    Verdict::Completed { output: None }
}

/// The runs of `name`, oldest first.
async fn runs_of(house: &House, name: &str) -> Vec<Run> {
    let mut found = Vec::new();
    for id in house.runs().await {
        let run = house.run(&id).await;
        if run.identity.sop.as_str() == name {
            found.push(run);
        }
    }
    found.reverse();
    found
}

/// The messages that the events queue has now; they are gone from it.
async fn sent(house: &House) -> Vec<Event> {
    let bodies = house.received(QueueName::Events).await;
    let events = bodies.iter().filter_map(|body| match Envelope::parse(body).unwrap() {
        Body::Event { event } => Some(*event),
        _ => None,
    });
    events.collect()
}

async fn move_by(house: &House, run: &RunId, id: &str, by: Input) {
    flow::submit(&house.host, run, &input(id), "ann", by, None).await.unwrap();
}

/// The end of a run starts what takes its kind of end and its SOP, once each, and nothing else.
#[tokio::test]
async fn an_end_starts_what_takes_it() {
    let house = House::new();
    house.publish("first", "", &webhook("/sop/first"), &[MANUAL]).await;
    house.publish("other", "", &webhook("/sop/other"), &[MANUAL]).await;
    for kind in KINDS {
        let name = kind.replace(' ', "-");
        house.publish(&name, "", &on(kind, "first"), &[MANUAL]).await;
    }
    let ends: [(Input, Status); 3] = [
        (Input::Report { step: 1, verdict: yes() }, Status::Completed),
        (
            Input::Report { step: 1, verdict: Verdict::Failed { reason: "broken".into() } },
            Status::Failed,
        ),
        (Input::Cancel { reason: "not needed".into() }, Status::Cancelled),
    ];
    for (n, (how, status)) in ends.into_iter().enumerate() {
        let cause = house.event("/sop/first").await;
        house.event("/sop/other").await;
        house.run_out().await;
        let of_other = runs_of(&house, "other").await.pop().unwrap();
        move_by(&house, &of_other.identity.id, &format!("o{n}"), how.clone()).await;
        let ended = runs_of(&house, "first").await.pop().unwrap().identity.id;
        move_by(&house, &ended, &format!("f{n}"), how).await;
        house.run_out().await;
        house.clock.advance(6_000);
        house.run_out().await;
        for (m, kind) in KINDS.into_iter().enumerate() {
            let started = runs_of(&house, &kind.replace(' ', "-")).await;
            assert_eq!(started.len(), usize::from(m <= n), "{kind} after {status}");
        }
        let follower = runs_of(&house, &KINDS[n].replace(' ', "-")).await.pop().unwrap();
        let identity = &follower.identity;
        assert_eq!(identity.source, Source::Event);
        assert_eq!(identity.subject, format!("sopwith/{}", KINDS[n]));
        assert_eq!(identity.follows.as_ref().unwrap().run, ended);
        assert_eq!(identity.depth(), 1);
        let line = flow::recorded(&house.host, &identity.event).await.unwrap().unwrap();
        let told: Value = serde_json::from_str(line.data.unwrap().text().unwrap()).unwrap();
        let run = house.run(&ended).await;
        let Phase::Finished { at, .. } = &run.phase else { panic!("{run:?}") };
        assert_eq!(told["version"], "0");
        assert_eq!(told["id"], identity.event.as_str());
        assert_eq!(told["source"], "sopwith");
        assert_eq!(told["detail-type"], KINDS[n]);
        assert_eq!(told["time"], at.to_string());
        assert_eq!(told["resources"], json!([]));
        let mut detail = json!({
            "sop": "first", "run": ended, "version": "1", "status": status, "event": cause,
        });
        match status {
            Status::Failed => detail["reason"] = json!("step 1 failed: broken"),
            Status::Cancelled => detail["reason"] = json!("not needed"),
            // A step that gives nothing hands on what it got, and this run was given nothing.
            _ => {}
        }
        assert_eq!(told["detail"], detail);
    }
}

/// The event of an end that nobody wants is not sent, and one that comes twice starts one run.
#[tokio::test]
async fn an_end_that_nobody_takes_is_not_sent() {
    let house = House::new();
    house.publish("first", "", &webhook("/sop/first"), &[NOOP]).await;
    house.publish("later", "", &on("Run Failed", ""), &[NOOP]).await;
    house.event("/sop/first").await;
    house.dispatch().await;
    house.execute().await;
    house.dispatch().await;
    assert_eq!(sent(&house).await, [], "nobody takes a completed run");
    house.publish("later", "", &on("Run Completed", "first"), &[NOOP]).await;
    house.event("/sop/first").await;
    house.dispatch().await;
    house.execute().await;
    house.dispatch().await;
    let events = sent(&house).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let message = Body::Event { event: Box::new(events[0].clone()) }.into_message(0).body;
    for _ in 0..2 {
        dispatch(&house.host, &message).await.unwrap();
    }
    assert_eq!(runs_of(&house, "later").await.len(), 1);
}

/// What a run gave is told with its end when it is at most 4 KiB, else that it was left out.
#[tokio::test]
async fn an_end_tells_a_small_output() {
    let gives = |bytes: usize| {
        format!("**Give** — it.\n   - capability: noop\n   - with: {{\"bytes\": {bytes}}}")
    };
    let beside = |bytes: usize| format!("{}\n   - depends_on: 1", gives(bytes));
    let graph = |bytes: usize| vec![NOOP.to_owned(), beside(bytes), beside(10)];
    let text = |bytes: usize| "x".repeat(bytes - 2);
    let cases = [
        (vec![NOOP.to_owned()], Some(json!({"done": 1, "attempt": 1}))),
        (vec![gives(INLINE_BYTES_MAX)], Some(json!(text(INLINE_BYTES_MAX)))),
        (vec![gives(INLINE_BYTES_MAX + 1)], None),
        (graph(20), Some(json!({"2": text(20), "3": text(10)}))),
        (graph(INLINE_BYTES_MAX), None),
        (graph(INLINE_BYTES_MAX + 1), None),
    ];
    for (steps, output) in cases {
        let house = House::new();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        house.publish("first", "", &webhook("/sop/first"), &steps).await;
        house.publish("later", "", &on("Run Completed", "first"), &[MANUAL]).await;
        house.event("/sop/first").await;
        house.run_out().await;
        let later = runs_of(&house, "later").await;
        assert_eq!(later.len(), 1);
        let line = flow::recorded(&house.host, &later[0].identity.event).await.unwrap().unwrap();
        let told: Value = serde_json::from_str(line.data.unwrap().text().unwrap()).unwrap();
        let detail = &told["detail"];
        assert_eq!(detail.get("output"), output.as_ref());
        assert_eq!(detail.get("output_omitted"), output.is_none().then_some(&json!(true)));
    }
}

/// Each end of a run that is retried is an end of its own; one whose process died before it told of it is told
/// by the retry.
#[tokio::test]
async fn each_end_of_a_retried_run_is_told() {
    for dies in [false, true] {
        let house = House::new();
        house.publish("first", "", &webhook("/sop/first"), &[MANUAL]).await;
        house.publish("later", "", &on("Run Failed", ""), &[NOOP]).await;
        house.event("/sop/first").await;
        house.run_out().await;
        let run = house.only_run().await;
        let fails = || Input::Report { step: 1, verdict: Verdict::Failed { reason: "no".into() } };
        if dies {
            // Newest entry, definition, append: then nothing more.
            let fuse = Fuse::dead_from(4, Moment::Before);
            let dying = flow::Host::new(
                Failing::new(house.memory.clone(), &fuse),
                Failing::new(house.memory.clone(), &fuse),
                house.clock.clone(),
            );
            flow::advance(&dying, &run, &input("f1"), "ann", &fails()).await.unwrap_err();
            assert!(house.run(&run).await.is_finished());
        } else {
            flow::advance(&house.host, &run, &input("f1"), "ann", &fails()).await.unwrap();
        }
        flow::advance(&house.host, &run, &input("r"), "ann", &Input::Retry).await.unwrap();
        // In the same millisecond.
        flow::advance(&house.host, &run, &input("f2"), "ann", &fails()).await.unwrap();
        house.run_out().await;
        let later = runs_of(&house, "later").await;
        let causes: BTreeSet<_> = later.iter().map(|run| &run.identity.event).collect();
        assert_eq!((later.len(), causes.len()), (2, 2), "dies: {dies}");
    }
}

/// An SOP that is started by its own end stops at the depth that children have, and the log says why.
#[tokio::test]
async fn runs_that_start_themselves_stop() {
    let house = House::new();
    let itself = format!("{}{}", webhook("/sop/again"), on("Run Completed", "again"));
    house.publish("again", "", &itself, &[NOOP]).await;
    house.event("/sop/again").await;
    house.run_out().await;
    let runs = runs_of(&house, "again").await;
    let depths: BTreeSet<u32> = runs.iter().map(|run| run.identity.depth()).collect();
    assert_eq!(depths, (0..DEPTH_MAX).collect());
    assert_eq!(runs.len(), DEPTH_MAX as usize);
    let deepest = runs.iter().find(|run| run.identity.depth() == DEPTH_MAX - 1).unwrap();
    let reasons = reasons(&house, "again").await;
    let last = format!(
        "not started: runs may start each other 8 deep, and run {} is the deepest",
        deepest.identity.id
    );
    assert_eq!(reasons.iter().filter(|reason| **reason == last).count(), 1, "{reasons:?}");
}

/// Children and runs that follow others count together: a child stands below its parent, and what follows it
/// below the child.
#[tokio::test]
async fn children_and_followers_are_counted_together() {
    let house = House::new();
    let start = "**Start** — it.\n   - capability: sop.start\n   - with: {\"sop\": \"child\"}";
    let triggers = format!("{}{}", webhook("/sop/top"), on("Run Completed", "child"));
    house.publish("child", "", "[[triggers]]\ntype = \"manual\"\n", &[NOOP]).await;
    house.publish("top", "", &triggers, &[start]).await;
    house.event("/sop/top").await;
    house.run_out().await;
    let depths = async |name: &str| -> Vec<u32> {
        let mut depths: Vec<u32> =
            runs_of(&house, name).await.iter().map(|run| run.identity.depth()).collect();
        depths.sort_unstable();
        depths
    };
    assert_eq!(depths("top").await, [0, 2, 4, 6]);
    assert_eq!(depths("child").await, [1, 3, 5, 7]);
}

/// The reasons that the log gives for `name`.
async fn reasons(house: &House, name: &str) -> Vec<String> {
    let query = LogQuery {
        tenant: house.host.tenant.clone(),
        since: EPOCH,
        until: EPOCH.plus_millis(3_600_000),
        after: None,
        limit: 100,
    };
    let filter = EventFilter { sop: Some(sop(name)), ..EventFilter::default() };
    let page = flow::events(&house.host, &query, &filter).await.unwrap();
    let details = page.lines.iter().map(|line| serde_json::from_str(&line.detail).unwrap());
    details
        .flat_map(|detail: Detail| detail.verdicts.into_iter().map(|verdict| verdict.reason))
        .collect()
}

/// Whoever started a run counts as who started what follows its end.
#[tokio::test]
async fn who_started_a_run_started_what_follows() {
    let house = House::new();
    house.publish("first", "", "[[triggers]]\ntype = \"manual\"\n", &[NOOP]).await;
    house.publish("later", "", &on("Run Completed", "first"), &[NOOP]).await;
    house.publish("last", "", &on("Run Completed", "later"), &[MANUAL]).await;
    flow::run_by_hand(&house.host, &sop("first"), "ann", Data::Empty, None).await.unwrap();
    house.run_out().await;
    let last = runs_of(&house, "last").await.pop().unwrap();
    assert_eq!(last.identity.actor.as_deref(), Some("ann"));
    let first = runs_of(&house, "first").await.pop().unwrap();
    assert_eq!(last.identity.trace, first.identity.trace, "one trace leads through all");
}

/// A run waits for the end of another, and is brought that one's end alone.
#[tokio::test]
async fn a_run_waits_for_the_end_of_another() {
    let house = House::new();
    let waits = "**Wait** — until it is over.\n   - capability: wait.event\n   - with: \
                 {\"source\": \"event\", \"event_source\": \"sopwith\", \"detail_type\": \"Run Completed\", \
                 \"correlate\": {\"event\": \"$.detail.run\", \"key\": \"{{ event.run }}\"}}";
    house.publish("first", "", &webhook("/sop/first"), &[MANUAL]).await;
    house.publish("waits", "", &webhook("/sop/waits"), &[waits]).await;
    for _ in 0..2 {
        house.event("/sop/first").await;
    }
    house.run_out().await;
    let [one, two] = &runs_of(&house, "first").await[..] else { panic!("two") };
    let body = json!({ "run": one.identity.id }).to_string();
    house.post("/sop/waits", None, body.as_bytes()).await;
    house.run_out().await;
    for (n, ended) in [two, one].into_iter().enumerate() {
        let done = Input::Report { step: 1, verdict: yes() };
        move_by(&house, &ended.identity.id, &format!("d{n}"), done).await;
        house.run_out().await;
        let waiting = runs_of(&house, "waits").await.pop().unwrap();
        assert_eq!(waiting.has_completed(), n == 1, "{waiting:?}");
    }
}

/// Whoever dies between the append of an end and what follows from it, and however often messages come, the end
/// starts each SOP that takes it exactly once.
#[tokio::test]
async fn an_end_starts_once_through_every_crash() {
    let calls = chain(Fuse::whole(), Mischief::default()).await;
    assert!(calls > 50, "{calls}");
    for call in 1..=calls {
        for moment in [Moment::Before, Moment::After] {
            for mischief in [Mischief::default(), Mischief::all(call)] {
                eprintln!("dies at {call} {moment:?} {mischief:?}");
                chain(Fuse::dead_from(call, moment), mischief).await;
            }
        }
    }
}

/// One SOP whose run is ended by a built-in, one by a person and one by a timer, and what takes their ends; how many
/// port calls it took.
async fn chain(fuse: Fuse, mischief: Mischief) -> u64 {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    let mut world = World::new(memory.clone(), memory, clock, &fuse, mischief);
    let ends = [("built-in", NOOP), ("person", GATE), ("timer", WAIT)];
    let mut sops: Vec<(String, String)> = Vec::new();
    for (name, step) in ends {
        sops.push(texts(&toml(name, "", &webhook(&format!("/sop/{name}"))), &[step]));
        let after = format!("after-{name}");
        sops.push(texts(&toml(&after, "", &on("Run Completed", name)), &[NOOP]));
    }
    world.publish(&sops).await;
    let mut expected = BTreeSet::new();
    for (name, _) in ends {
        expected.insert((sop(name), world.call(&format!("/sop/{name}"), name, "").await));
    }
    world.settle().await;
    for head in world.heads().await {
        if ends.iter().any(|(name, _)| head.sop == sop(name)) {
            let entries = flow::journal(world.plain(), &head.run).await.unwrap();
            let last = entries.last().unwrap().open().unwrap();
            let told = event(&last.after, last.seq, Gave::Nothing).unwrap();
            expected.insert((sop(&format!("after-{}", head.sop)), told.id));
        }
    }
    assert_eq!(expected.len(), 6);
    world.check(&expected).await;
    let calls = world.calls();
    world.close().await;
    calls
}
