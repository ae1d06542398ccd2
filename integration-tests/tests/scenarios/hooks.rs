//! Webhooks and people: from the request to the verified journal.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Answer, Method, Scenario, World};
use serde_json::{Value, json};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a webhook runs through its gate to a journal that verifies",
            needs: &[],
            run: |world| through_the_gate(world).boxed(),
        },
        Scenario {
            name: "a webhook that asks for no token needs none",
            needs: &[],
            run: |world| without_token(world).boxed(),
        },
        Scenario {
            name: "a key that comes twice starts one run",
            needs: &[],
            run: |world| twice(world).boxed(),
        },
        Scenario {
            name: "a request without a message fails before anybody is asked",
            needs: &[],
            run: |world| invalid(world).boxed(),
        },
        Scenario {
            name: "a gate takes one decision, and only for its revision",
            needs: &[],
            run: |world| decisions(world).boxed(),
        },
        Scenario {
            name: "built-in steps run by themselves",
            needs: &[],
            run: |world| built_in(world).boxed(),
        },
        Scenario {
            name: "a person starts a runbook and cancels it",
            needs: &[],
            run: |world| by_hand(world).boxed(),
        },
    ]
}

/// The event of an accepted webhook.
pub(crate) fn accepted(answer: Answer, path: &str, sop: &str) -> Result<String> {
    let body = answer.expect(202)?;
    ensure!(body["status"] == "accepted", "{body}");
    ensure!(body["source"] == "sop_webhook" && body["path"] == path, "{body}");
    ensure!(body["matched_sops"] == json!([sop]), "{body}");
    Ok(body["event_id"].as_str().context("an event id")?.to_owned())
}

async fn deploy(world: &World, message: &str) -> Result<String> {
    let answer = world.hook("/sop/deploy", &json!({ "message": message })).send().await?;
    let event = accepted(answer, "/sop/deploy", "deploy-pipeline")?;
    world.run_of("deploy-pipeline", &event).await
}

fn step_states(run: &Value) -> Vec<&str> {
    let steps = run["steps"].as_array().map_or(&[][..], Vec::as_slice);
    steps.iter().filter_map(|step| step["state"].as_str()).collect()
}

async fn through_the_gate(world: Arc<World>) -> Result<()> {
    let run = deploy(&world, "deploy-service-a").await?;
    let seen = world.at_gate(&run).await?;
    ensure!(seen["status"] == "waiting" && seen["source"] == "webhook", "{seen}");
    ensure!(step_states(&seen) == ["done", "waiting", "todo", "todo"], "{seen}");
    let inbox = world.api().get("/api/inbox?limit=100").await?;
    let waits =
        inbox["runs"].as_array().is_some_and(|runs| runs.iter().any(|head| head["run"] == *run));
    ensure!(waits, "the run is not in the inbox: {inbox}");

    world.approve(&seen).await?;
    let done = world.completed(&run).await?;
    ensure!(step_states(&done) == ["done"; 4], "{done}");
    let verified = world.verify(&run).await?;
    ensure!(verified.run.identity.id.as_str() == run, "the journal is of another run");

    if let Some(aws) = world.deployment.aws() {
        let items = aws.run_items(&run).await?;
        let entries: Vec<&String> = items.iter().filter(|key| key.starts_with("J#")).collect();
        ensure!(items.iter().any(|key| key == "HEAD"), "no head among {items:?}");
        ensure!(
            entries.len() as u64 == verified.entries,
            "{} entries in {items:?}",
            verified.entries
        );
        for (seq, key) in entries.iter().enumerate() {
            ensure!(**key == format!("J#{seq:010}"), "a gap in {items:?}");
        }
    }
    Ok(())
}

async fn without_token(world: Arc<World>) -> Result<()> {
    let answer = world.anybody().post("/sop/open", &json!({ "from": "anybody" })).await?;
    let event = accepted(answer, "/sop/open", "open-hook")?;
    let run = world.run_of("open-hook", &event).await?;
    world.completed(&run).await?;
    let empty = world.anybody().request(Method::POST, "/sop/open").send().await?;
    let event = accepted(empty, "/sop/open", "open-hook")?;
    let run = world.run_of("open-hook", &event).await?;
    world.completed(&run).await?;
    world.verify(&run).await?;
    Ok(())
}

async fn twice(world: Arc<World>) -> Result<()> {
    let body = json!({ "message": "once only" });
    let send = |key: &'static str, body: Value| {
        let request = world.hook("/sop/deploy", &body).header("x-idempotency-key", key);
        async move { request.send().await }
    };
    let event =
        accepted(send("release-17", body.clone()).await?, "/sop/deploy", "deploy-pipeline")?;
    let duplicate = send("release-17", body.clone()).await?.expect(200)?;
    ensure!(duplicate["status"] == "duplicate" && duplicate["event_id"] == *event, "{duplicate}");
    ensure!(duplicate["matched_sops"] == json!(["deploy-pipeline"]), "{duplicate}");
    let other = json!({ "message": "something else" });
    send("release-17", other).await?.expect_problem(422, "key_reused")?;
    let run = world.run_of("deploy-pipeline", &event).await?;
    world.at_gate(&run).await?;
    // A webhook that comes later has its run: so had the duplicate, were it to have one.
    deploy(&world, "after the duplicate").await?;
    let runs = world.runs("deploy-pipeline").await?;
    let count = runs.iter().filter(|run| run["event"] == *event).count();
    ensure!(count == 1, "{count} runs for event {event}");
    Ok(())
}

async fn invalid(world: Arc<World>) -> Result<()> {
    let answer = world.hook("/sop/deploy", &json!({ "note": "no message" })).send().await?;
    let event = accepted(answer, "/sop/deploy", "deploy-pipeline")?;
    let run = world.run_of("deploy-pipeline", &event).await?;
    let seen = world.run_when(&run, "failed", |seen| seen["status"] == "failed").await?;
    ensure!(seen["reason"].as_str().is_some_and(|reason| reason.contains("message")), "{seen}");
    world.verify(&run).await?;
    Ok(())
}

async fn decisions(world: Arc<World>) -> Result<()> {
    let run = deploy(&world, "to be refused").await?;
    let seen = world.at_gate(&run).await?;
    let path = format!("/api/gates/{run}/decision");
    let revision = seen["gate"].as_u64().context("a revision")?;
    let decide = |body: Value| {
        let (api, path) = (world.api(), path.clone());
        async move { api.post(&path, &body).await }
    };
    let stale = json!({ "revision": revision + 7, "decision": "approve" });
    let answer = decide(stale).await?;
    ensure!(
        answer.status == 409,
        "another revision was answered {}: {}",
        answer.status,
        answer.body
    );
    let silent = json!({ "revision": revision, "decision": "deny" });
    decide(silent).await?.expect(400)?;
    let denial = json!({ "revision": revision, "decision": "deny", "reason": "there is a freeze" });
    decide(denial).await?.expect(200)?;
    let over = world.api().get(&format!("/api/runs/{run}")).await?;
    ensure!(matches!(over["status"].as_str(), Some("failed" | "cancelled")), "{over}");
    ensure!(over["reason"].as_str().is_some_and(|reason| reason.contains("freeze")), "{over}");
    let late = json!({ "revision": revision, "decision": "approve" });
    let answer = decide(late).await?;
    ensure!(
        answer.status == 409,
        "a second decision was answered {}: {}",
        answer.status,
        answer.body
    );
    world.verify(&run).await?;
    Ok(())
}

async fn built_in(world: Arc<World>) -> Result<()> {
    let started =
        world.api().post("/api/sops/nightly-backup-check/run", &json!({})).await?.expect(202)?;
    let run = started["run_id"].as_str().context("a run")?;
    let done = world.completed(run).await?;
    ensure!(step_states(&done) == ["done"; 4] && done["source"] == "manual", "{done}");
    world.verify(run).await?;
    Ok(())
}

async fn by_hand(world: Arc<World>) -> Result<()> {
    let start = || {
        let path = "/api/sops/incident-runbook/run";
        let request = world.api().request(Method::POST, path).header("idempotency-key", "inc-1");
        async move { request.json(&json!({ "title": "disks are full" })).send().await }
    };
    let started = start().await?.expect(202)?;
    let run = started["run_id"].as_str().context("a run")?.to_owned();
    let again = start().await?;
    ensure!(again.body["run_id"] == *run, "one request, two runs: {}", again.body);
    world.at_gate(&run).await?;
    let reason = json!({ "reason": "false alarm" });
    let path = format!("/api/runs/{run}/cancel");
    world.api().post(&path, &reason).await?.expect(200)?;
    let over = world.run_when(&run, "cancelled", |seen| seen["status"] == "cancelled").await?;
    ensure!(over["reason"] == "false alarm", "{over}");
    world.verify(&run).await?;
    Ok(())
}
