//! Pausing, resuming, retrying and taking up again; several steps at once.

use serde_json::{Value, json};
use sop_core::engine::Input;
use sop_core::id::RunId;
use sop_runtime::flow;

use crate::request::{Ask, ask};
use crate::world::World;

const TOML: &str = "execution_mode = \"auto\"\n[[triggers]]\ntype = \"manual\"\n";

fn order(world: &World, run: &str, order: &str) -> Ask {
    ask(&format!("POST /api/runs/{run}/{order}")).bearer(&world.token)
}

fn rerun(world: &World, run: &str, from: &str) -> Ask {
    order(world, run, "rerun").body(format!("{{\"from\":{from}}}"))
}

/// A run whose second step has failed.
async fn failed(world: &World) -> String {
    let run = world.at_person().await;
    let line = format!("POST /api/runs/{run}/steps/2/fail");
    ask(&line).bearer(&world.token).body(r#"{"reason":"no power"}"#).taken(world, 200).await;
    run
}

async fn completed(world: &World) -> String {
    let run = world.at_second_gate().await;
    world.decide(&run, &json!({ "revision": 2, "decision": "approve" })).await;
    run
}

#[tokio::test]
async fn a_paused_run_takes_no_decision_until_it_is_resumed() {
    let world = World::new().await;
    let run = world.at_gate().await;
    order(&world, &run, "resume").refused(&world, 409, "not_paused", &[]).await;
    let paused = order(&world, &run, "pause").key("p").taken(&world, 200).await;
    assert_eq!(paused["run"]["status"], "paused");
    let before = world.memory.fingerprint();
    order(&world, &run, "pause").key("p").taken(&world, 200).await;
    assert_eq!(world.memory.fingerprint(), before);
    order(&world, &run, "pause").refused(&world, 409, "paused", &[]).await;
    for say in [
        json!({ "revision": 1, "decision": "approve" }),
        json!({ "revision": 1, "decision": "deny", "reason": "no" }),
        json!({ "revision": 1, "decision": "amend", "value": 1 }),
        json!({ "revision": 1, "decision": "revise", "guidance": "x" }),
    ] {
        let line = format!("POST /api/gates/{run}/decision");
        let request = ask(&line).bearer(&world.token).body(say.to_string());
        request.refused(&world, 409, "paused", &[]).await;
    }
    order(&world, &run, "retry").refused(&world, 409, "not_failed", &[]).await;
    let inbox = ask("GET /api/inbox").bearer(&world.token).taken(&world, 200).await;
    assert_eq!(inbox["runs"], json!([]), "nobody is asked");
    let resumed = order(&world, &run, "resume").taken(&world, 200).await;
    assert_eq!(resumed["run"]["gate"], 1);
    world.decide(&run, &json!({ "revision": 1, "decision": "approve" })).await;
    let over = world.finished().await;
    for what in ["pause", "resume"] {
        order(&world, &over, what).refused(&world, 409, "already_finished", &[]).await;
    }
}

#[tokio::test]
async fn only_a_failed_run_is_retried() {
    let world = World::new().await;
    for run in [world.at_gate().await, completed(&world).await, world.finished().await] {
        order(&world, &run, "retry").refused(&world, 409, "not_failed", &[]).await;
    }
    let run = failed(&world).await;
    let retried = order(&world, &run, "retry").key("r").taken(&world, 200).await;
    assert_eq!(retried["run"]["awaits"][0]["step"], 2, "{retried}");
    assert_eq!(retried["run"]["awaits"][0]["attempt"], 2);
    let before = world.memory.fingerprint();
    assert_eq!(order(&world, &run, "retry").key("r").taken(&world, 200).await, retried);
    assert_eq!(world.memory.fingerprint(), before);
    order(&world, &run, "retry").refused(&world, 409, "not_failed", &[]).await;
}

#[tokio::test]
async fn a_run_that_is_over_is_taken_up_again_from_one_of_its_steps() {
    let world = World::new().await;
    let (open, run) = (world.at_person().await, completed(&world).await);
    rerun(&world, &open, "2").refused(&world, 409, "not_rerun", &[]).await;
    for from in ["0", "4", "999", "4294967295"] {
        rerun(&world, &run, from).refused(&world, 409, "not_rerun", &[]).await;
    }
    for body in ["", "{}", "[]", r#"{"from":"2"}"#, r#"{"from":-1}"#, r#"{"from":1.5}"#] {
        order(&world, &run, "rerun").body(body).refused(&world, 400, "bad_body", &[]).await;
    }
    let first = rerun(&world, &run, "2").key("k").taken(&world, 202).await;
    let again = rerun(&world, &run, "2").key("k").taken(&world, 202).await;
    assert_eq!(first["run_id"], again["run_id"]);
    assert_ne!(first["run_id"], run.as_str());
    let shown = world.run(first["run_id"].as_str().unwrap()).await;
    assert_eq!(shown["origin"], run.as_str());
    let states: Vec<&Value> =
        shown["steps"].as_array().unwrap().iter().map(|s| &s["state"]).collect();
    assert_eq!(states, ["done", "waiting", "todo"]);
    // Without a key each request is its own.
    let other = rerun(&world, &run, "2").taken(&world, 202).await;
    assert_ne!(other["run_id"], first["run_id"]);
    let other = rerun(&world, &failed(&world).await, "1").taken(&world, 202).await;
    assert_eq!(world.run(other["run_id"].as_str().unwrap()).await["gate"], 1);
}

/// What is told that it did not start is not started by the copy of its request.
#[tokio::test]
async fn a_rerun_that_is_turned_away_leaves_nothing() {
    let world = World::new().await;
    let toml = format!("cooldown_secs = 60\n{TOML}");
    world.publish("resting", &toml, "## Steps\n\n1. **Do** — it.\n", "").await;
    let run = world.start("resting", &world.token, "").await;
    let line = format!("POST /api/runs/{run}/steps/1/complete");
    ask(&line).bearer(&world.token).taken(&world, 200).await;
    rerun(&world, &run, "1").refused(&world, 409, "not_started", &[]).await;
}

#[tokio::test]
async fn steps_under_way_at_once_are_each_reported() {
    let world = World::new().await;
    let steps = "## Steps\n\n1. **Left** — side.\n2. **Right** — side.\n\
                 3. **Join** — both.\n   - depends_on: 1, 2\n";
    world.publish("both", TOML, steps, "").await;
    let run = world.start("both", &world.token, "").await;
    let shown = world.run(&run).await;
    let awaits = shown["awaits"].as_array().unwrap();
    let waiting: Vec<(&Value, &Value)> = awaits.iter().map(|it| (&it["step"], &it["on"])).collect();
    let (one, two, person) = (json!(1), json!(2), json!("person"));
    assert_eq!(waiting, [(&one, &person), (&two, &person)]);
    let complete = |step: u32| {
        ask(&format!("POST /api/runs/{run}/steps/{step}/complete")).bearer(&world.token)
    };
    complete(3).refused(&world, 409, "not_awaited", &[]).await;
    complete(2).taken(&world, 200).await;
    complete(2).refused(&world, 409, "not_awaited", &[]).await;
    let joined = complete(1).taken(&world, 200).await;
    assert_eq!(joined["run"]["awaits"][0]["step"], 3);
}

/// A step that may not be done twice and was not heard of again is settled by a person.
#[tokio::test]
async fn an_unknown_outcome_is_told_by_a_person() {
    let world = World::new().await;
    let steps = "## Steps\n\n1. **Pay** — once.\n   - capability: noop\n   \
                 - delivery: at_most_once\n   - timeout: 10s\n";
    world.publish("pay", TOML, steps, "").await;
    let run = world.start("pay", &world.token, "").await;
    assert_eq!(world.run(&run).await["awaits"][0]["on"], "performer");
    let complete = ask(&format!("POST /api/runs/{run}/steps/1/complete")).bearer(&world.token);
    complete.clone().refused(&world, 409, "not_awaited", &[]).await;
    world.clock.advance(11_000);
    let id = RunId::parse(&run).unwrap();
    let wake = Input::Wake.system_id(0);
    flow::advance(&world.host, &id, &wake, "clock", &Input::Wake).await.unwrap();
    assert_eq!(world.run(&run).await["awaits"][0]["on"], "unknown");
    let inbox = ask("GET /api/inbox").bearer(&world.token).taken(&world, 200).await;
    assert_eq!(inbox["runs"][0]["run"], run.as_str());
    let done = complete.body(r#"{"output":{"paid":true}}"#).taken(&world, 200).await;
    assert_eq!(done["run"]["status"], "completed");
}
