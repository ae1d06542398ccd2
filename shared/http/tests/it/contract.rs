//! Every route of `docs/api.md` answers with the fields it documents and no others.

use serde_json::{Value, json};
use sop_core::journal::Sealed;
use sop_core::{definition::Definition, journal::verify};
use sop_runtime::flow;
use sop_runtime::port::{Consumer, QueueName};

use crate::request::ask;
use crate::world::World;

/// The names of a JSON object's members, sorted.
fn members(value: &Value) -> String {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}

const RUN: &str = "definition event run sop source started_at status steps subject version";
const HEAD: &str = "event gate reason run sop source started_at status step updated_at version";

#[tokio::test]
async fn doors_answer_as_documented() {
    let world = World::new().await;
    let health = ask("GET /healthz").taken(&world, 200).await;
    assert_eq!(members(&health), "status version");
    assert_eq!(health["status"], "ok");
    let code = flow::new_code(&world.host).await.unwrap();
    let paired = ask("POST /pair").header("x-pairing-code", code).taken(&world, 200).await;
    assert_eq!(members(&paired), "subject token");
    let made = ask("POST /api/pairing-codes").bearer(&world.token).taken(&world, 201).await;
    assert_eq!(members(&made), "code expires_in_secs role");
    assert_eq!(made["expires_in_secs"], 600);
    let hook = ask("POST /sop/deploy").bearer(&world.token).header("x-idempotency-key", "k");
    let accepted = hook.body("{}").taken(&world, 202).await;
    let event = accepted["event_id"].clone();
    let expected = json!({
        "status": "accepted", "matched_sops": ["deploy"], "source": "sop_webhook", "path": "/sop/deploy",
        "event_id": event,
    });
    assert_eq!(accepted, expected);
    let hook = ask("POST /sop/deploy").bearer(&world.token).header("x-idempotency-key", "k");
    let mut duplicate = expected;
    duplicate["status"] = json!("duplicate");
    assert_eq!(hook.body("{}").taken(&world, 200).await, duplicate);
    let nothing = ask("POST /sop/guarded").bearer(&world.token).body("{\"severity\":1}");
    let nothing = nothing.send(&world).await.body;
    assert_eq!(members(&nothing), "code detail near path status title type");
    assert_eq!(members(&nothing["near"][0]), "matched reason sop trigger");
    let emit = json!({ "source": "mqtt", "subject": "a", "payload": { "b": 1 } }).to_string();
    let emitted = ask("POST /api/events").bearer(&world.token).body(emit).taken(&world, 202).await;
    assert_eq!(members(&emitted), "event_id");
}

#[tokio::test]
async fn sops_and_runs_answer_as_documented() {
    let world = World::new().await;
    let get = |path: &str| ask(&format!("GET {path}")).bearer(&world.token);
    let sops = get("/api/sops").taken(&world, 200).await;
    assert_eq!(members(&sops), "sops version");
    assert_eq!(members(&sops["sops"][0]), "digest name triggers version");
    assert!(sops["sops"][0]["triggers"][0].is_string());
    let sop = get("/api/sops/deploy").taken(&world, 200).await;
    assert_eq!(members(&sop), "digest sop");
    assert_eq!(sop["sop"]["name"], "deploy");
    let started = ask("POST /api/sops/deploy/run").bearer(&world.token).taken(&world, 202).await;
    assert_eq!(members(&started), "parentSessionId reason run_id");
    let run = started["run_id"].as_str().unwrap();

    let shown = get(&format!("/api/runs/{run}")).taken(&world, 200).await;
    assert_eq!(shown["gate"], 1);
    let mut names: Vec<&str> =
        RUN.split(' ').chain(["awaits", "gate", "shown", "waiting_for"]).collect();
    names.sort_unstable();
    assert_eq!(members(&shown), names.join(" "));
    assert_eq!(members(&shown["steps"][0]), "number state title");
    let decided = world.decide(run, &json!({ "revision": 1, "decision": "approve" })).await;
    assert_eq!(members(&decided), "run");
    let now = get(&format!("/api/runs/{run}")).taken(&world, 200).await;
    assert_eq!(decided["run"], now);
    let cancel = ask(&format!("POST /api/runs/{run}/cancel")).bearer(&world.token);
    let over = cancel.body(r#"{"reason":"stop"}"#).taken(&world, 200).await;
    assert_eq!(over["run"]["reason"], "stop");

    world.at_gate().await;
    for path in ["/api/runs", "/api/inbox"] {
        let page = get(path).taken(&world, 200).await;
        assert_eq!(members(&page), "next_cursor runs");
        assert_eq!(members(&page["runs"][0]), HEAD);
    }
}

#[tokio::test]
async fn a_journal_proves_its_run() {
    let world = World::new().await;
    let run = world.at_second_gate().await;
    let line = format!("GET /api/runs/{run}/journal");
    let journal = ask(&line).bearer(&world.token).taken(&world, 200).await;
    assert_eq!(members(&journal), "definition entries run");
    assert_eq!(members(&journal["entries"][0]), "body hash input run seq");
    let sop: Definition = serde_json::from_str(journal["definition"].as_str().unwrap()).unwrap();
    let entries: Vec<Sealed> = serde_json::from_value(journal["entries"].clone()).unwrap();
    assert_eq!(verify(&entries, &sop).unwrap().entries, 3);
}

#[tokio::test]
async fn the_dispatch_log_answers_as_documented() {
    let world = World::new().await;
    ask("POST /sop/deploy").bearer(&world.token).body("{\"a\":1}").taken(&world, 202).await;
    for delivery in world.memory.receive(QueueName::Events, 9, 1_000).await.unwrap() {
        flow::dispatch(&world.host, &delivery.body).await.unwrap();
    }
    let page = ask("GET /api/events").bearer(&world.token).taken(&world, 200).await;
    assert_eq!(members(&page), "events next_cursor");
    let event = &page["events"][0];
    assert_eq!(members(event), "detail event outcome source subject time");
    assert_eq!(
        members(&event["detail"]),
        "actor method others payload payload_bytes trace verdicts"
    );
    assert_eq!(members(&event["detail"]["verdicts"][0]), "matched reason run sop trigger");
    assert_eq!(
        (&event["outcome"], &event["detail"]["payload_bytes"]),
        (&json!("matched"), &json!(7))
    );
}
