//! Takes each statement of each role away in turn: what `iam.yaml` says breaks has to break, and to work again after.
//!
//! Runs on MiniStack, which asks each caller for permission: `make iam`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use integration_tests::{OnEmulator, Roles, Scenario, Stage, Statement, Tally, World, run};
use serde_yaml_ng::Value;

/// How long a scenario has, without its statement, to show that it holds all the same.
const BROKEN: Duration = Duration::from_secs(30);

/// How long for one that waits for the clock.
const BROKEN_CLOCK: Duration = Duration::from_secs(100);

/// How long it has to hold once the statement is back: what failed meanwhile comes first.
const MENDED: Duration = Duration::from_secs(240);

/// Tries all statements, or those whose `Role/Sid` contains `wanted`.
pub(crate) async fn all(wanted: Option<&str>) -> Result<Tally> {
    let host = OnEmulator::start().await?;
    let roles = host.roles();
    let world = Arc::new(World::new(Box::new(host))?);
    let setup = crate::stages().into_iter().take(1).collect();
    let mut tally = run(&world, setup, None).await;
    if tally.failed > 0 {
        bail!("setting up failed");
    }
    let rows: Vec<Value> = serde_yaml_ng::from_str(include_str!("../../iam.yaml"))?;
    for row in &rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let id = format!("{}/{}", text("role"), text("sid"));
        if wanted.is_some_and(|wanted| !id.contains(wanted)) {
            continue;
        }
        let Some(name) = row["scenario"].as_str() else {
            println!("iam  left out  {id}: {}", text("unenforced"));
            tally.skipped += 1;
            continue;
        };
        let begun = Instant::now();
        let result = statement(&roles, &world, text("role"), text("sid"), name).await;
        let secs = begun.elapsed().as_secs();
        match &result {
            Ok(how) => println!("iam  ok        {id}: `{name}` breaks: {how} ({secs} s)"),
            Err(error) => println!("iam  FAILED    {id}: {error:#} ({secs} s)"),
        }
        tally = tally.and(&result.map(drop));
    }
    Ok(tally)
}

/// How the scenario `name` breaks without the statement.
async fn statement(
    roles: &Roles,
    world: &Arc<World>,
    role: &str,
    sid: &str,
    name: &str,
) -> Result<String> {
    let scenario = find(name)?;
    let patience = if name.contains("tick starts") { BROKEN_CLOCK } else { BROKEN };
    let taken: Statement = roles.take_away(role, sid).await?;
    let without = tokio::time::timeout(patience, (scenario.run)(Arc::clone(world))).await;
    roles.put_back(&taken).await?;
    let how = match without {
        Ok(Ok(())) => bail!("`{name}` holds without it"),
        Ok(Err(error)) => format!("{error:#}").lines().next().unwrap_or_default().to_owned(),
        Err(_) => format!("it is not done in {} s", patience.as_secs()),
    };
    let again = tokio::time::timeout(MENDED, mended(&scenario, world)).await;
    again.with_context(|| format!("`{name}` does not hold with it again"))??;
    Ok(how.chars().take(160).collect())
}

/// Runs it until it holds: messages that failed meanwhile may be in its way.
async fn mended(scenario: &Scenario, world: &Arc<World>) -> Result<()> {
    while let Err(error) = (scenario.run)(Arc::clone(world)).await {
        println!("iam  again     `{}`: {error:#}", scenario.name);
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    Ok(())
}

fn find(name: &str) -> Result<Scenario> {
    let all = crate::stages().into_iter().flat_map(|stage| match stage {
        Stage::InOrder(scenarios) | Stage::Together(scenarios) => scenarios,
    });
    let mut found = all.filter(|scenario| scenario.name == name);
    found.next().with_context(|| format!("there is no scenario `{name}`"))
}
