//! A person's request with a key is one request, however often it is sent and whatever came in between.

use serde_json::{Value, json};
use sop_runtime::flow::{self, Push};
use sop_runtime::port::{Consumer, QueueName};

use crate::request::{Ask, ask};
use crate::world::{World, files};

fn decide(world: &World, run: &str, body: &Value) -> Ask {
    ask(&format!("POST /api/gates/{run}/decision")).bearer(&world.token).body(body.to_string())
}

#[tokio::test]
async fn a_decision_sent_twice_is_one() {
    let world = World::new().await;
    let run = world.at_gate().await;
    let approve = decide(&world, &run, &json!({ "revision": 1, "decision": "approve" })).key("k");
    let first = approve.taken(&world, 200).await;
    let before = world.memory.fingerprint();
    assert_eq!(approve.taken(&world, 200).await, first);
    assert_eq!(world.memory.fingerprint().changed_since(&before), Vec::<&str>::new());
    // The run moves on, and ends: the request stays carried out.
    let complete = ask(&format!("POST /api/runs/{run}/steps/2/complete")).bearer(&world.token);
    let complete = complete.key("k").body(r#"{"output":{"a":1}}"#);
    complete.taken(&world, 200).await;
    approve.taken(&world, 200).await;
    decide(&world, &run, &json!({ "revision": 2, "decision": "approve" })).taken(&world, 200).await;
    let before = world.memory.fingerprint();
    for sent in [&approve, &complete] {
        assert_eq!(sent.taken(&world, 200).await["run"]["status"], "completed");
    }
    assert_eq!(world.memory.fingerprint(), before);
}

/// The same key does not make another request the one before: that would be answered 200 and not be done.
#[tokio::test]
async fn a_key_says_nothing_of_other_requests() {
    let world = World::new().await;
    let run = world.at_gate().await;
    let approve = json!({ "revision": 1, "decision": "approve" });
    let deny = json!({ "revision": 1, "decision": "deny", "reason": "no" });
    decide(&world, &run, &approve).key("k").taken(&world, 200).await;
    decide(&world, &run, &deny).key("k").refused(&world, 409, "gate_not_open", &[]).await;
    let other = world.another_token().await;
    let request = ask(&format!("POST /api/gates/{run}/decision")).bearer(&other).key("k");
    request.body(approve.to_string()).refused(&world, 409, "gate_not_open", &[]).await;
    // Without a key each request is its own.
    decide(&world, &run, &approve).refused(&world, 409, "gate_not_open", &[]).await;
    let cancel = ask(&format!("POST /api/runs/{run}/cancel")).bearer(&world.token).key("k");
    let cancelled = cancel.body(r#"{"reason":"stop"}"#).taken(&world, 200).await;
    assert_eq!(cancelled["run"]["status"], "cancelled");
}

#[tokio::test]
async fn a_start_sent_twice_is_one_run() {
    let world = World::new().await;
    let start = |token: &str, body: &str| {
        ask("POST /api/sops/deploy/run").bearer(token).key("k").body(body)
    };
    let first = start(&world.token, "{\"a\":1}").taken(&world, 202).await;
    world.clock.advance(60_000);
    let again = start(&world.token, "{\"a\":1}").taken(&world, 202).await;
    assert_eq!(again["run_id"], first["run_id"]);
    start(&world.token, "{\"a\":2}").refused(&world, 422, "key_reused", &[]).await;
    start(&world.token, "").refused(&world, 422, "key_reused", &[]).await;
    let other = world.another_token().await;
    let theirs = start(&other, "{\"a\":2}").taken(&world, 202).await;
    assert_ne!(theirs["run_id"], first["run_id"]);
    let runs = ask("GET /api/runs").bearer(&world.token).taken(&world, 200).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
}

const RESTING: &str = "[sop]\nname = \"resting\"\ndescription = \"r\"\nversion = \"1.0.0\"\n\
    cooldown_secs = 3\n[[triggers]]\ntype = \"manual\"\n";

/// Who is told that nothing was started can rely on it: the copy of the request does not start it later.
#[tokio::test]
async fn a_start_that_is_turned_away_stays_away() {
    let world = World::new().await;
    let resting = [files("resting", RESTING)];
    flow::publish(&world.host, resting[..].into(), Push::Publish, "test").await.unwrap();
    let start = ask("POST /api/sops/resting/run").bearer(&world.token);
    let run =
        start.clone().key("k").taken(&world, 202).await["run_id"].as_str().unwrap().to_owned();
    for gate in 1..=2 {
        decide(&world, &run, &json!({ "revision": gate, "decision": "approve" }))
            .send(&world)
            .await;
        let complete = format!("POST /api/runs/{run}/steps/2/complete");
        ask(&complete).bearer(&world.token).send(&world).await;
    }
    let shown = ask(&format!("GET /api/runs/{run}")).bearer(&world.token).taken(&world, 200).await;
    assert_eq!(shown["status"], "completed");
    start.clone().refused(&world, 409, "not_started", &["log"]).await;
    // The start that did happen is told so again.
    assert_eq!(start.key("k").taken(&world, 202).await["run_id"], run.as_str());
    world.clock.advance(60_000);
    for delivery in world.memory.receive(QueueName::Events, 99, 1_000).await.unwrap() {
        flow::dispatch(&world.host, &delivery.body).await.unwrap();
    }
    let runs = ask("GET /api/runs").bearer(&world.token).taken(&world, 200).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
}
