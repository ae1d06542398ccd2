//! What is not authentic, not well formed or too large changes nothing and gets a clear answer.
//!
//! Runs alone, so that what was written before and after can be compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Answer, Feature, Method, Scenario, World};
use serde_json::{Value, json};

/// What starting a run or remembering a key would write.
const WRITTEN: [&str; 5] = ["RUN#", "IDEM#", "BLOB#", "ADM#", "CAT#"];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "refused requests get their problem and write nothing",
        needs: &[],
        run: |world| refused(world).boxed(),
    }]
}

/// Whether the clock started it.
fn is_clocks(run: &Value) -> bool {
    ["every-minute", "off-minute"].iter().any(|sop| run["sop"] == **sop)
}

/// Runs and keys that are there; runs of the clock's SOPs come and go as they like.
async fn written(world: &World) -> Result<BTreeSet<String>> {
    let page = world.api().get("/api/runs?limit=100").await?;
    let mut all: BTreeSet<String> = page["runs"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter(|run| !is_clocks(run))
        .map(|run| run["run"].to_string())
        .collect();
    let ours: BTreeSet<String> = page["runs"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter(|run| is_clocks(run))
        .filter_map(|run| Some(format!("RUN#{} /", run["run"].as_str()?)))
        .collect();
    if let Some(aws) = world.deployment.aws() {
        let keys = aws.keys(&WRITTEN).await?;
        all.extend(keys.into_iter().filter(|key| !ours.iter().any(|run| key.starts_with(run))));
    }
    Ok(all)
}

async fn refused(world: Arc<World>) -> Result<()> {
    let before = written(&world).await?;
    let api = world.api();
    let body = json!({ "message": "deploy-service-a" });
    let hook = |path: &str| api.request(Method::POST, path);

    let anonymous = world.anybody().post("/sop/deploy", &body).await?;
    anonymous.expect_problem(401, "unauthorized")?;
    let wrong = world.anybody().with_token("sop_not-a-token").post("/sop/deploy", &body).await?;
    wrong.expect_problem(401, "unauthorized")?;

    let problem = hook("/sop/deploy").text("{\"message\":").send().await?;
    problem.expect_problem(400, "not_json")?;
    if world.has(Feature::RawPaths) {
        let problem = hook("/sop/%ff").json(&body).send().await?;
        problem.expect_problem(400, "bad_path")?;
    }
    let long = "k".repeat(256);
    let problem = hook("/sop/deploy").header("x-idempotency-key", &long).json(&body).send().await?;
    problem.expect_problem(400, "bad_key")?;

    let large = json!({ "message": "x".repeat(300 * 1024) });
    let problem = hook("/sop/deploy").json(&large).send().await?;
    problem.expect_problem(413, "too_large")?;

    let problem = api.request(Method::PUT, "/sop/deploy").json(&body).send().await?;
    problem.expect_problem(405, "method_not_allowed")?;
    let problem = hook("/webhook").json(&body).send().await?;
    problem.expect_problem(501, "no_agent")?;
    unmatched(&world, hook("/sop/deploy/now").json(&body).send().await?).await?;

    let problem = api.request(Method::GET, "/api/runs/not-a-run").send().await?;
    ensure!(problem.status == 404 || problem.status == 400, "{}", problem.body);

    let after = written(&world).await?;
    let new: Vec<&String> = after.difference(&before).collect();
    ensure!(new.is_empty(), "something was written: {new:?}");
    Ok(())
}

/// The one refusal that is an event: nobody wants it, and the log says so.
async fn unmatched(world: &World, answer: Answer) -> Result<()> {
    let problem = answer.expect_problem(404, "no_match")?;
    ensure!(problem["near"].is_array(), "no `near` in {problem}");
    let line = world
        .logged("the unmatched webhook in the log", integration_tests::SOON, |line| {
            line["source"] == "webhook" && line["subject"] == "/sop/deploy/now"
        })
        .await?;
    ensure!(line["outcome"] == "unmatched", "{line}");
    Ok(())
}
