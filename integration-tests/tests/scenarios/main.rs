//! The scenarios, on every deployment there is.
//!
//! `SOP_DEPLOYMENT` picks one (`emulator` or `dev`); an argument picks scenarios whose names contain it.

mod devices;
mod hooks;
mod queue;
mod refused;
mod rules;
mod setup;
mod time;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use integration_tests::{
    Deployment, Dev, OnEmulator, Scenario, SopFiles, Stage, Tally, World, run,
};

/// The SOPs of the repository, and those that exist for these tests.
fn sops() -> Result<Vec<SopFiles>> {
    let mut sops = SopFiles::all_in("sops")?;
    sops.extend(SopFiles::all_in("integration-tests/sops")?);
    Ok(sops)
}

fn stages() -> Vec<Stage> {
    let together: Vec<Scenario> = [hooks::scenarios(), devices::scenarios(), time::scenarios()]
        .into_iter()
        .flatten()
        .collect();
    vec![
        Stage::InOrder(setup::scenarios()),
        Stage::InOrder(refused::scenarios()),
        Stage::Together(together),
        Stage::InOrder(rules::scenarios()),
        Stage::InOrder(queue::scenarios()),
        Stage::InOrder(setup::lock_out()),
    ]
}

async fn on(deployment: Result<Box<dyn Deployment>>, name: &str, wanted: Option<&str>) -> Tally {
    let begun = Instant::now();
    let world = match deployment.and_then(World::new) {
        Ok(world) => Arc::new(world),
        Err(error) => {
            println!("{name}: no deployment: {error:#}");
            return Tally { failed: 1, ..Tally::default() };
        }
    };
    println!("{name}: deployed");
    let tally = run(&world, stages(), wanted).await;
    let secs = begun.elapsed().as_secs();
    let Tally { passed, failed, skipped } = tally;
    println!("{name}: {passed} passed, {failed} failed, {skipped} left out; {secs} s");
    if failed > 0 {
        println!("{name}, its last words:\n{}", world.deployment.diagnosis());
    }
    tally
}

async fn all(wanted: Option<&str>) -> Result<Tally> {
    let only = std::env::var("SOP_DEPLOYMENT").ok();
    let picked = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let mut total = Tally::default();
    let mut add = |tally: Tally| {
        total.passed += tally.passed;
        total.failed += tally.failed;
        total.skipped += tally.skipped;
    };
    if picked("emulator") {
        let begun = Instant::now();
        let deployment = OnEmulator::start().await;
        println!("emulator: started and deployed to in {:.1} s", begun.elapsed().as_secs_f64());
        let deployment = deployment.map(|host| Box::new(host) as Box<dyn Deployment>);
        add(on(deployment, "emulator", wanted).await);
    }
    if picked("dev") {
        let deployment = Dev::start(&sops()?).await;
        let deployment = deployment.map(|host| Box::new(host) as Box<dyn Deployment>);
        add(on(deployment, "sop dev", wanted).await);
    }
    Ok(total)
}

fn main() -> ExitCode {
    // Flags are those of the usual harness, which callers may pass to every test binary.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if std::env::args().any(|argument| argument == "--list") {
        println!("scenarios: test");
        return ExitCode::SUCCESS;
    }
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("a TLS provider is there already");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(all(wanted.as_deref())),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(tally) => {
            // In the words of the usual harness, so that they can be counted alike.
            let Tally { passed, failed, skipped } = tally;
            let word = if failed == 0 { "ok" } else { "FAILED" };
            println!("test result: {word}. {passed} passed; {failed} failed; {skipped} ignored");
            tally.exit_code()
        }
        Err(error) => {
            println!("integration-tests: {error:#}");
            ExitCode::FAILURE
        }
    }
}
