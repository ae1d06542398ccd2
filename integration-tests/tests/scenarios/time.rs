//! The tick of each minute.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Feature, Scenario, World, poll};
use serde_json::{Value, json};

/// The first tick may only set the clock; the next is a minute later, and emulators are seconds late.
const TICKS: Duration = Duration::from_secs(150);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "the tick starts what is due this minute",
            needs: &[Feature::Clock],
            run: |world| tick(world).boxed(),
        },
        Scenario {
            name: "who may call the tick is told what it did",
            needs: &[Feature::Aws],
            run: |world| called(world).boxed(),
        },
    ]
}

async fn called(world: Arc<World>) -> Result<()> {
    let did = world.deployment.invoke("cron", &json!({ "operation": "tick" })).await?;
    ensure!(did["fired"].is_u64() && did["woken"].is_u64(), "{did}");
    Ok(())
}

async fn tick(world: Arc<World>) -> Result<()> {
    let before = world.runs("every-minute").await?;
    let is_new = |run: &&Value| before.iter().all(|old| old["run"] != run["run"]);
    let run = poll("a run that the clock started", TICKS, || async {
        let runs = world.runs("every-minute").await?;
        Ok(runs.iter().find(is_new).and_then(|run| run["run"].as_str()).map(str::to_owned))
    })
    .await?;
    let done = world.completed(&run).await?;
    ensure!(done["source"] == "cron", "{done}");
    let event = done["event"].as_str().context("an event")?;
    let line = world
        .logged("the tick in the log", integration_tests::SOON, |line| line["event"] == event)
        .await?;
    ensure!(line["source"] == "cron" && line["outcome"] == "matched", "{line}");
    // At the beginning of a minute, by the schedule's own time.
    let time = line["time"].as_str().context("a time")?;
    ensure!(time.contains(":00Z") || time.contains(":00.000Z"), "fired at {time}");
    world.verify(&run).await?;
    Ok(())
}
