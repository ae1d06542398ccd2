//! Pairing and pushing: what all else stands on. And, at the very end, locking the door.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Feature, Method, SOON, Scenario, SopFiles, World, poll};
use serde_json::Value;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "health needs no token",
            needs: &[],
            run: |world| health(world).boxed(),
        },
        Scenario {
            name: "a pairing code becomes a token once, a wrong one never",
            needs: &[],
            run: |world| pair(world).boxed(),
        },
        Scenario {
            name: "definitions with an error change nothing",
            needs: &[Feature::Push],
            run: |world| push_wrong(world).boxed(),
        },
        Scenario {
            name: "the SOPs are pushed and listed",
            needs: &[Feature::Push],
            run: |world| push(world).boxed(),
        },
        Scenario {
            name: "the SOPs are active",
            needs: &[],
            run: |world| listed(world).boxed(),
        },
    ]
}

pub(crate) fn lock_out() -> Vec<Scenario> {
    vec![Scenario {
        name: "five wrong pairing codes lock the door",
        needs: &[],
        run: |world| lock(world).boxed(),
    }]
}

async fn health(world: Arc<World>) -> Result<()> {
    let health = world.anybody().get("/healthz").await?;
    ensure!(health["status"] == "ok" && health["version"].is_string(), "{health}");
    Ok(())
}

async fn pair(world: Arc<World>) -> Result<()> {
    let anybody = world.anybody();
    let redeem = |code: &str| {
        anybody.request(Method::POST, "/pair").header("x-pairing-code", code).send()
    };
    let code = world.deployment.pairing_code().await?;
    redeem("000-nonsense").await?.expect_problem(403, "wrong_code")?;
    let paired = redeem(&code).await?.expect(200)?;
    ensure!(paired["subject"].is_string(), "no subject in {paired}");
    redeem(&code).await?.expect_problem(403, "wrong_code")?;
    world.paired(paired["token"].as_str().context("a token")?);
    anybody.request(Method::GET, "/api/runs").send().await?.expect_problem(401, "unauthorized")?;
    world.api().get("/api/runs").await?;
    Ok(())
}

async fn push_wrong(world: Arc<World>) -> Result<()> {
    let mut sops = SopFiles::all_in("sops")?;
    let first = sops.first_mut().context("an SOP")?;
    first.toml = first.toml.replace("execution_mode = \"auto\"", "execution_mode = \"atuo\"");
    let sops: Vec<Value> = sops
        .iter()
        .map(|sop| serde_json::json!({ "directory": sop.directory, "toml": sop.toml, "markdown": sop.markdown }))
        .collect();
    let answer = world.api().post("/api/sops", &serde_json::json!({ "sops": sops })).await?;
    let problem = answer.expect_problem(422, "invalid_definitions")?;
    let help = problem["diagnostics"].to_string();
    ensure!(help.contains("atuo"), "the diagnostics do not name the mistake: {help}");
    let listed = world.api().get("/api/sops").await?;
    ensure!(listed["sops"] == serde_json::json!([]), "something was published: {listed}");
    Ok(())
}

async fn push(world: Arc<World>) -> Result<()> {
    let sops = crate::sops()?;
    let pushed = world.push(&sops).await?;
    let count = pushed["sops"].as_array().map_or(0, Vec::len);
    ensure!(count == sops.len(), "{count} of {} were published: {pushed}", sops.len());
    // The same again is the same.
    let again = world.push(&sops).await?;
    ensure!(again["sops"] == pushed["sops"], "{again} is not {pushed}");
    Ok(())
}

async fn listed(world: Arc<World>) -> Result<()> {
    let sops = crate::sops()?;
    // A function that was busy before the push looks at the catalog again after a few seconds.
    poll("all SOPs in the list", SOON, || async {
        let list = world.api().get("/api/sops").await?;
        let names: Vec<&str> = list["sops"]
            .as_array()
            .context("a list of SOPs")?
            .iter()
            .filter_map(|sop| sop["name"].as_str())
            .collect();
        Ok(sops.iter().all(|sop| names.contains(&sop.directory.as_str())).then_some(()))
    })
    .await?;
    let shown = world.api().get("/api/sops/deploy-pipeline").await?;
    ensure!(shown["sop"]["name"] == "deploy-pipeline", "{shown}");
    let missing = world.api().request(Method::GET, "/api/sops/nobody-wrote-this").send().await?;
    missing.expect_problem(404, "no_sop")?;
    Ok(())
}

async fn lock(world: Arc<World>) -> Result<()> {
    let made = world.api().request(Method::POST, "/api/pairing-codes").send().await?.expect(201)?;
    let right = made["code"].as_str().context("a code")?;
    let redeem = |code: String| {
        let request = world.anybody().request(Method::POST, "/pair");
        async move { request.header("x-pairing-code", &code).send().await }
    };
    for number in 0..5 {
        redeem(format!("wrong-{number}")).await?.expect_problem(403, "wrong_code")?;
    }
    let locked = redeem(right.to_owned()).await?;
    let retry_after = locked.retry_after;
    locked.expect_problem(429, "locked")?;
    ensure!(retry_after.is_some_and(|secs| secs > 0), "no Retry-After");
    // Who is paired stays paired.
    world.api().get("/api/runs").await?;
    Ok(())
}
