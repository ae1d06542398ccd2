//! The language where it is deployed: a graph, a procedure in a procedure, a wait for an event, and the trace
//! of it all.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Feature, Scenario, World};
use serde_json::{Value, json};
use sop_core::definition::Definition;
use sop_core::journal::{Entry, Sealed};
use sop_core::trace;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "a graph joins, starts a procedure, waits for an event, and its trace shows each function",
        needs: &[Feature::Mqtt],
        run: |world| whole(world).boxed(),
    }]
}

async fn whole(world: Arc<World>) -> Result<()> {
    let answer = world.hook("/sop/whole", &json!({ "order": "A-17" })).send().await?.expect(202)?;
    let event = answer["event_id"].as_str().context("an event id")?;
    let run = world.run_of("whole", event).await?;
    let at_word = |seen: &Value| seen["steps"][3]["state"] == "waiting";
    world.run_when(&run, "waiting for the word", at_word).await?;
    // Another order's word is not this one's.
    let word = |order: &str| json!({ "order": order, "line": 3 }).to_string();
    let (other, own) = (word("A-18"), word("A-17"));
    world.publish(&[("line/3/ready", &other), ("line/3/ready", &own)]).await?;
    let seen = world.at_gate(&run).await?;
    let gate = world.api().get(&format!("/api/runs/{run}/gates/{}", seen["gate"])).await?;
    ensure!(gate.to_string().contains("Order A-17 is ready at line 3"), "{gate}");
    world.approve(&seen).await?;
    world.completed(&run).await?;
    world.verify(&run).await?;
    let parts = world.runs("part").await?;
    let part = parts.first().and_then(|part| part["run"].as_str()).context("the part's run")?;
    world.verify(part).await?;

    let answer = world.api().get(&format!("/api/runs/{run}/journal")).await?;
    let sop: Definition =
        serde_json::from_str(answer["definition"].as_str().context("a definition")?)?;
    let sealed: Vec<Sealed> = serde_json::from_value(answer["entries"].clone())?;
    let entries: Vec<Entry> = sealed.iter().map(Sealed::open).collect::<Result<_, _>>()?;
    let spans = trace::of_run(&sop, &entries).context("a trace")?.spans;
    let services: Vec<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    for service in ["webhook", "dispatcher", "executor", "child", "doors", "people"] {
        ensure!(services.contains(&service), "no span of `{service}` in {services:?}");
    }
    ensure!(spans.iter().all(|span| span.ended.is_some()), "a span goes on: {spans:?}");
    Ok(())
}
