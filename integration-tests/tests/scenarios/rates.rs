//! How often one client may call. Runs alone: whoever else called would have the machine's time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{FutureExt, StreamExt, stream};
use integration_tests::{RATE_LIMIT, Scenario, World, poll};
use serde_json::json;
use sop_runtime::port::{Clock, SystemClock};

/// Requests beyond the quota.
const BEYOND: u32 = 30;

/// Requests on their way at the same time.
const AT_ONCE: usize = 8;

/// How long all of them may take where one request after the other is answered.
const ALL_RUN: Duration = Duration::from_secs(180);

/// Milliseconds of a window.
const MINUTE_MS: i64 = 60_000;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "of a client's requests in a minute exactly its quota passes, and each of those runs",
        needs: &[],
        run: |world| quota(world).boxed(),
    }]
}

/// What became of a minute's requests.
struct Minute {
    events: BTreeSet<String>,
    refused: u32,
}

async fn quota(world: Arc<World>) -> Result<()> {
    for _ in 0..3 {
        // A window is a minute of the clock: not one that is about to end.
        let into = SystemClock.now().as_millis().rem_euclid(MINUTE_MS);
        if into > MINUTE_MS / 2 {
            tokio::time::sleep(Duration::from_millis((MINUTE_MS - into).unsigned_abs())).await;
        }
        let window = || SystemClock.now().as_millis().div_euclid(MINUTE_MS);
        let begun = window();
        let minute = call(&world).await?;
        if window() != begun {
            println!("the minute ended meanwhile; the next one is taken");
            continue;
        }
        ensure!(minute.events.len() == RATE_LIMIT as usize, "{} passed", minute.events.len());
        ensure!(minute.refused == BEYOND, "{} were refused", minute.refused);
        return each_runs(&world, &minute.events).await;
    }
    bail!("{} requests take longer than half a minute here", RATE_LIMIT + BEYOND)
}

async fn call(world: &World) -> Result<Minute> {
    let caller = world.another_caller().await?;
    let record = json!({ "intent": "record" });
    let (caller, record) = (&caller, &record);
    let mut answers = stream::iter(0..RATE_LIMIT + BEYOND)
        .map(|_| caller.post("/webhook", record))
        .buffer_unordered(AT_ONCE);
    let mut minute = Minute { events: BTreeSet::new(), refused: 0 };
    while let Some(answer) = answers.next().await {
        let answer = answer?;
        if answer.status == 202 {
            let event = answer.body["event_id"].as_str().context("an event id")?;
            minute.events.insert(event.to_owned());
            continue;
        }
        let left = MINUTE_MS - SystemClock.now().as_millis().rem_euclid(MINUTE_MS);
        let wait = answer.retry_after.context("no Retry-After")?;
        answer.expect_problem(429, "too_many")?;
        // It was told a moment ago, in whole seconds.
        let due = left.unsigned_abs() / 1_000;
        ensure!((due..=due + 3).contains(&wait), "`Retry-After: {wait}` where {due} s are left");
        minute.refused += 1;
    }
    Ok(minute)
}

async fn each_runs(world: &World, events: &BTreeSet<String>) -> Result<()> {
    let api = world.api();
    poll("a completed run of each", ALL_RUN, || async {
        let (mut done, mut cursor) = (0, String::new());
        while done < events.len() {
            let page = api.get(&format!("/api/runs?limit=100{cursor}")).await?;
            let runs = page["runs"].as_array().context("a list of runs")?.iter();
            let is_ours = |event: &str| events.contains(event);
            done += runs
                .filter(|run| run["event"].as_str().is_some_and(is_ours))
                .filter(|run| run["status"] == "completed")
                .count();
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        ensure!(done <= events.len(), "{done} runs of {} events", events.len());
        Ok((done == events.len()).then_some(()))
    })
    .await
}
