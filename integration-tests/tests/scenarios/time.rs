//! The tick of each minute.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Feature, SOON, Scenario, SopFiles, World, poll};
use serde_json::{Value, json};
use sop_core::time::Timestamp;
use sop_runtime::port::{Clock, SystemClock};

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
        Scenario {
            name: "a schedule that is switched off does not fire, and the log says who did that",
            needs: &[Feature::Clock],
            run: |world| off(world).boxed(),
        },
    ]
}

/// Those that change how late it seems to be, and so run alone.
pub(crate) fn late() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "after an hour without a tick the doctor says so, and each expression fires once, for its latest time",
            needs: &[Feature::Aws, Feature::Push],
            run: |world| an_hour(world).boxed(),
        },
        Scenario {
            name: "an expression that is none is refused with what is wrong about it",
            needs: &[Feature::Push],
            run: |world| no_expression(world).boxed(),
        },
    ]
}

async fn off(world: Arc<World>) -> Result<()> {
    let switch = |on: bool| {
        let api = world.api();
        async move { api.post("/api/sops/off-minute/routine", &json!({ "on": on })).await?.expect(200) }
    };
    let switched = switch(false).await?;
    let at = |value: &Value| value.as_str().and_then(Timestamp::parse_rfc3339).context("a time");
    let since = at(&switched["since"])?;
    let listed = world.sop(&["routine", "list"]).await?;
    let routines = listed["routines"].as_array().context("routines")?;
    ensure!(
        routines.iter().any(|routine| routine["sop"] == "off-minute" && routine["on"] == false),
        "{listed}"
    );
    let is_off = |line: &Value| {
        let verdict = &line["detail"]["verdicts"][0];
        verdict["sop"] == "off-minute"
            && verdict["reason"].as_str().is_some_and(|reason| reason.contains("switched off at"))
    };
    let line = world.logged("a line that says it is off", TICKS, is_off).await?;
    ensure!(line["outcome"] == "unmatched", "{line}");
    // What was due before the switch may still have been on its way.
    let page = world.api().get("/api/events?limit=100").await?;
    for line in page["events"].as_array().context("a list of events")? {
        let started =
            |verdict: &Value| verdict["sop"] == "off-minute" && verdict["matched"] == true;
        let verdicts = line["detail"]["verdicts"].as_array().map_or(&[][..], Vec::as_slice);
        if verdicts.iter().any(started) {
            ensure!(at(&line["time"])? <= since, "it fired all the same: {line}");
        }
    }
    switch(true).await?;
    Ok(())
}

/// An SOP with one schedule in each of the three forms, all at the minutes `minutes`.
fn in_three_forms(minutes: &str) -> SopFiles {
    let expressions = [
        format!("{minutes} * * * *"),
        format!("0 {minutes} * * * *"),
        format!("0 {minutes} * * * * *"),
    ];
    let triggers = expressions.iter().map(|expression| {
        format!("\n[[triggers]]\ntype = \"cron\"\nexpression = \"{expression}\"\n")
    });
    let sop = "[sop]\nname = \"late-probe\"\ndescription = \"d\"\nexecution_mode = \"auto\"\n";
    SopFiles {
        directory: "late-probe".into(),
        toml: sop.to_owned() + &triggers.collect::<String>(),
        markdown: "## Steps\n\n1. **Note**\n   - capability: noop\n".into(),
    }
}

/// How the doctor finds the tick.
async fn the_doctors_tick(world: &World) -> Result<Value> {
    let report = world.sop(&["doctor"]).await?;
    let findings = report["findings"].as_array().context("findings")?.iter();
    let mut ticks = findings.filter(|finding| finding["part"] == "tick");
    ticks.next().cloned().with_context(|| format!("nothing about the tick in {report}"))
}

async fn an_hour(world: Arc<World>) -> Result<()> {
    const MINUTE_MS: i64 = 60_000;
    let aws = world.deployment.aws().context("the services")?;
    let now = SystemClock.now();
    let minute = |ago: i64| now.plus_millis(-ago * MINUTE_MS).as_millis().div_euclid(MINUTE_MS);
    // Twice in the hour, and not again before this is over.
    let (first, last) = (minute(50), minute(20));
    let sop = in_three_forms(&format!("{},{}", first.rem_euclid(60), last.rem_euclid(60)));
    world.push(&[sop]).await?;

    // There is a cursor to be set back, however early this is.
    world.deployment.invoke("cron", &json!({ "operation": "tick" })).await?;
    // Should the minute's own tick come between the two, once more.
    let told = poll("the doctor to find it", SOON, || async {
        aws.set_cursor(now.plus_millis(-60 * MINUTE_MS)).await?;
        let tick = the_doctors_tick(&world).await?;
        Ok((tick["state"] == "fail").then_some(tick))
    })
    .await?;
    let found = told["found"].as_str().unwrap_or_default();
    ensure!(found.contains("last looked at 3"), "{told}");
    ensure!(told["mend"].to_string().contains("tick-missing"), "{told}");

    for _ in 0..2 {
        world.deployment.invoke("cron", &json!({ "operation": "tick" })).await?;
    }
    let runs = poll("three runs", SOON, || async {
        let runs = world.runs("late-probe").await?;
        Ok((runs.len() >= 3).then_some(runs))
    })
    .await?;
    let mut expressions = BTreeSet::new();
    for run in &runs {
        // Older than a hundred others by now, so asked for by its id.
        let event = format!("/api/events/{}", run["event"].as_str().context("an event")?);
        let line = poll("its event", SOON, || async { Ok(world.api().get(&event).await.ok()) });
        let line = line.await?;
        let at = line["time"].as_str().and_then(Timestamp::parse_rfc3339).context("a time")?;
        ensure!(at.as_millis() == last * MINUTE_MS, "it is not the latest time: {line}");
        expressions.insert(line["subject"].to_string());
        world.completed(run["run"].as_str().context("a run")?).await?;
    }
    ensure!(runs.len() == 3 && expressions.len() == 3, "{runs:?}");
    ensure!(the_doctors_tick(&world).await?["state"] == "ok", "it is not well again");
    world.api().post("/api/sops/late-probe/archive", &json!({})).await?.expect(200)?;
    Ok(())
}

async fn no_expression(world: Arc<World>) -> Result<()> {
    let mut sop = in_three_forms("61");
    sop.directory = "late-probe".into();
    let sops = json!([{ "directory": sop.directory, "toml": sop.toml, "markdown": sop.markdown }]);
    let answer = world.api().post("/api/sops", &json!({ "sops": sops })).await?;
    let problem = answer.expect_problem(422, "invalid_definitions")?;
    let diagnostics = problem["diagnostics"].to_string();
    ensure!(diagnostics.contains("SOP0208") && diagnostics.contains("61"), "{problem}");
    Ok(())
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
    let line = world.logged("the tick in the log", SOON, |line| line["event"] == event).await?;
    ensure!(line["source"] == "cron" && line["outcome"] == "matched", "{line}");
    // At the beginning of a minute, by the schedule's own time.
    let time = line["time"].as_str().context("a time")?;
    ensure!(time.contains(":00Z") || time.contains(":00.000Z"), "fired at {time}");
    world.verify(&run).await?;
    Ok(())
}
