//! What steps do: wait for events, wait for a slot, show a secret to whom it is for.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Feature, PROBE_SECRET, SOON, Scenario, World, poll};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::hooks::accepted;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a run waits for the event that answers it, and forgets the wait",
            needs: &[],
            run: |world| waits(world).boxed(),
        },
        Scenario {
            name: "a run that is cancelled while it waits forgets the wait",
            needs: &[],
            run: |world| cancelled(world).boxed(),
        },
        Scenario {
            name: "runs that share one slot all get their turn",
            needs: &[],
            run: |world| slot(world).boxed(),
        },
        Scenario {
            name: "a step has its secret and shows it to nobody else",
            needs: &[Feature::Loopback],
            run: |world| secret(world).boxed(),
        },
        Scenario {
            name: "what a step publishes on a topic starts the procedure that listens there",
            needs: &[Feature::Mqtt],
            run: |world| announced(world).boxed(),
        },
        Scenario {
            name: "the end of a run starts the procedure that asks for it",
            needs: &[],
            run: |world| follows(world).boxed(),
        },
        Scenario {
            name: "what a step publishes to SNS reaches who subscribes",
            needs: &[Feature::Aws],
            run: |world| told(world).boxed(),
        },
    ]
}

/// A number that no other try of the scenario has.
fn order(world: &World, name: &str) -> String {
    format!("{name}-{}", world.number())
}

/// Starts a run of `sop` through `path`.
async fn start(world: &World, path: &str, sop: &str, payload: &Value) -> Result<String> {
    let answer = world.anybody().post(path, payload).await?;
    let event = accepted(answer, path, sop)?;
    world.run_of(sop, &event).await
}

async fn answer(world: &World, order: &str) -> Result<()> {
    world.hook("/sop/answer", &json!({ "order": order })).send().await?.expect(202)?;
    Ok(())
}

fn waiting(seen: &Value) -> bool {
    seen["steps"][0]["state"] == "waiting"
}

/// Waits until the store has, or no longer has, a wait of `run`; only AWS's can be looked into.
async fn noted(world: &World, run: &str, noted: bool) -> Result<()> {
    let Some(aws) = world.deployment.aws() else { return Ok(()) };
    poll(&format!("the wait of {run} to be noted: {noted}"), SOON, || async {
        let there = aws.keys(&["WAIT#"]).await?.iter().any(|key| key.contains(run));
        Ok((there == noted).then_some(()))
    })
    .await
}

async fn waits(world: Arc<World>) -> Result<()> {
    let (mine, other) = (order(&world, "mine"), order(&world, "other"));
    let run = start(&world, "/sop/wait", "wait-hook", &json!({ "order": mine })).await?;
    world.run_when(&run, "waiting", waiting).await?;
    noted(&world, &run, true).await?;
    answer(&world, &other).await?;
    answer(&world, &mine).await?;
    let done = world.completed(&run).await?;
    ensure!(done["steps"][1]["state"] == "done", "{done}");
    world.verify(&run).await?;
    noted(&world, &run, false).await
}

async fn cancelled(world: Arc<World>) -> Result<()> {
    let mine = order(&world, "cancelled");
    let run = start(&world, "/sop/wait", "wait-hook", &json!({ "order": mine })).await?;
    world.run_when(&run, "waiting", waiting).await?;
    noted(&world, &run, true).await?;
    let reason = json!({ "reason": "nobody will answer" });
    world.api().post(&format!("/api/runs/{run}/cancel"), &reason).await?.expect(200)?;
    noted(&world, &run, false).await
}

/// Runs that want the one slot at the same time.
const AT_ONCE: u64 = 6;

async fn slot(world: Arc<World>) -> Result<()> {
    let path = "/sop/single";
    let mut events = Vec::new();
    for number in 0..AT_ONCE {
        let answer = world.anybody().post(path, &json!({ "number": number })).await?;
        events.push(accepted(answer, path, "one-at-a-time")?);
    }
    for event in &events {
        let run = world.run_of("one-at-a-time", event).await?;
        world.completed(&run).await?;
        world.verify(&run).await?;
    }
    Ok(())
}

/// Answers one request with 200 and returns its head.
async fn heard(listener: TcpListener) -> Result<String> {
    let (stream, _) = listener.accept().await?;
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(stream.read_line(&mut head).await? > 0, "it broke off: {head}");
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(answer).await?;
    stream.flush().await?;
    Ok(head)
}

async fn secret(world: Arc<World>) -> Result<()> {
    if let Some(aws) = world.deployment.aws() {
        aws.put_secret("sopwith/probe", PROBE_SECRET).await?;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let heard = tokio::spawn(heard(listener));
    let run = start(&world, "/sop/secret", "secret-hook", &json!({ "port": port })).await?;
    let done = world.completed(&run).await?;
    let head = heard.await.context("the server")??;
    ensure!(head.contains(PROBE_SECRET), "the secret did not come: {head}");
    let journal = world.api().get(&format!("/api/runs/{run}/journal")).await?;
    for told in [done.to_string(), journal.to_string()] {
        ensure!(!told.contains(PROBE_SECRET), "the secret is told");
    }
    Ok(())
}

async fn announced(world: Arc<World>) -> Result<()> {
    let mark = order(&world, "announced");
    let run = start(&world, "/sop/announce", "announce", &json!({ "mark": mark })).await?;
    world.completed(&run).await?;
    let line = world
        .logged("what was published", SOON, |line| {
            line["source"] == "mqtt" && line["subject"] == format!("announced/{mark}")
        })
        .await?;
    let run = line["detail"]["verdicts"][0]["run"].as_str().context("a run")?;
    world.completed(run).await?;
    Ok(())
}

async fn follows(world: Arc<World>) -> Result<()> {
    let payload = json!({ "number": order(&world, "followed") });
    let first = start(&world, "/sop/followed", "followed", &payload).await?;
    world.completed(&first).await?;
    let named = format!("\"run\":\"{first}\"");
    let is_its_end = |line: &Value| {
        line["source"] == "event"
            && line["subject"] == "sopwith/Run Completed"
            && line["detail"]["payload"].as_str().is_some_and(|payload| payload.contains(&named))
    };
    let line = world.logged("the end in the log", SOON, is_its_end).await?;
    let verdicts = line["detail"]["verdicts"].as_array().context("verdicts")?;
    let run = verdicts.iter().find_map(|verdict| verdict["run"].as_str());
    let run = run.with_context(|| format!("no run in {line}"))?;
    let seen = world.completed(run).await?;
    ensure!(seen["sop"] == "follower", "{seen}");
    ensure!(seen["follows"] == first.as_str(), "{seen}");
    world.verify(run).await?;
    Ok(())
}

async fn told(world: Arc<World>) -> Result<()> {
    let aws = world.deployment.aws().context("the services")?;
    let topic = aws.heard_topic("sopwith-told").await?;
    let mark = order(&world, "told");
    let payload = json!({ "topic": topic.arn, "mark": mark });
    let run = start(&world, "/sop/tell", "tell", &payload).await?;
    world.completed(&run).await?;
    poll("the message", SOON, || async {
        let heard = aws.heard(&topic).await?;
        Ok(heard.iter().any(|message| message.contains(&mark)).then_some(()))
    })
    .await
}
