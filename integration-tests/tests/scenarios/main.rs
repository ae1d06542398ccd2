//! The scenarios, on every deployment there is.
//!
//! `SOP_DEPLOYMENT` picks some (of `localstack,emulator,dev`); an argument picks scenarios whose names contain it.

mod broker;
mod devices;
mod front;
mod hooks;
mod iam;
mod language;
mod queue;
mod rates;
mod refused;
mod rules;
mod services;
mod setup;
mod steps;
mod table;
mod time;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use integration_tests::{
    Deployment, Dev, Kind, LocalStack, OnEmulator, OnLocalStack, Scenario, SopFiles, Stage, Tally,
    World, is_localstack, run,
};

/// The SOPs of the repository, and those that exist for these tests.
fn sops() -> Result<Vec<SopFiles>> {
    let mut sops = SopFiles::all_in("sops")?;
    sops.extend(SopFiles::all_in("integration-tests/sops")?);
    Ok(sops)
}

fn stages() -> Vec<Stage> {
    let together: Vec<Scenario> = [
        hooks::scenarios(),
        steps::scenarios(),
        front::scenarios(),
        devices::scenarios(),
        language::scenarios(),
        time::scenarios(),
    ]
    .into_iter()
    .flatten()
    .collect();
    vec![
        Stage::InOrder(setup::scenarios()),
        Stage::InOrder(refused::scenarios()),
        Stage::Together(together),
        Stage::InOrder(rules::scenarios()),
        Stage::InOrder(broker::scenarios()),
        Stage::InOrder(time::late()),
        Stage::InOrder(queue::scenarios()),
        Stage::InOrder(services::scenarios()),
        Stage::InOrder(rates::scenarios()),
        Stage::InOrder(setup::lock_out()),
    ]
}

async fn on(deployment: Result<Box<dyn Deployment>>, kind: Kind, wanted: Option<&str>) -> Tally {
    let (name, begun) = (kind.name(), Instant::now());
    let world = match deployment.and_then(World::new) {
        Ok(world) => Arc::new(world),
        Err(error) => {
            println!("{name}: no deployment: {error:#}");
            return Tally { failed: 1, ..Tally::default() };
        }
    };
    let tally = run(&world, stages(), wanted).await;
    let secs = begun.elapsed().as_secs();
    let Tally { passed, failed, skipped } = tally;
    println!("{name}: {passed} passed, {failed} failed, {skipped} left out; {secs} s");
    if failed > 0 {
        println!("{name}, its last words:\n{}", world.deployment.diagnosis().await);
    }
    tally
}

/// The host of this kind; nothing where this machine cannot have it, which is said.
async fn host(kind: Kind, endpoint: Option<&str>) -> Option<Result<Box<dyn Deployment>>> {
    let begun = Instant::now();
    let boxed = match kind {
        Kind::LocalStack => match OnLocalStack::start(endpoint).await {
            Ok(LocalStack::Up(host)) => {
                for line in host.excerpt() {
                    println!("{}: {line}", kind.name());
                }
                Ok(host as Box<dyn Deployment>)
            }
            Ok(LocalStack::Cannot(reason)) => {
                println!("skipped  {:10}  all its scenarios: {reason}", kind.name());
                return None;
            }
            Err(error) => Err(error),
        },
        Kind::Emulator => {
            OnEmulator::start().await.map(|host| Box::new(host) as Box<dyn Deployment>)
        }
        Kind::Dev => match sops() {
            Ok(sops) => Dev::start(&sops).await.map(|host| Box::new(host) as Box<dyn Deployment>),
            Err(error) => Err(error),
        },
    };
    println!("{}: started and deployed to in {:.1} s", kind.name(), begun.elapsed().as_secs_f64());
    Some(boxed)
}

/// The kinds of host that are asked for: those of `SOP_DEPLOYMENT`, else all.
fn kinds() -> Result<Vec<Kind>> {
    let Ok(words) = std::env::var("SOP_DEPLOYMENT") else { return Ok(Kind::ALL.to_vec()) };
    let kind = |word: &str| {
        let found = Kind::ALL.into_iter().find(|kind| kind.word() == word);
        found.with_context(|| format!("SOP_DEPLOYMENT has `{word}`: localstack, emulator or dev"))
    };
    words.split(',').map(kind).collect()
}

async fn all(wanted: Option<&str>) -> Result<Tally> {
    let mut kinds = kinds()?;
    // An emulator that is up already takes the place of the one that it is.
    let given = std::env::var("SOP_AWS_ENDPOINT").ok();
    if let Some(endpoint) = &given {
        let localstack = is_localstack(endpoint).await?;
        let other = if localstack { Kind::Emulator } else { Kind::LocalStack };
        println!("skipped  {:10}  all its scenarios: SOP_AWS_ENDPOINT is the other", other.name());
        kinds.retain(|kind| *kind != other);
    }
    let in_ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    let mut total = Tally::default();
    for kind in kinds {
        let tally = match host(kind, given.as_deref()).await {
            Some(deployment) => on(deployment, kind, wanted).await,
            // What is promised to be tested there is tested there.
            None if in_ci => Tally { failed: 1, ..Tally::default() },
            None => Tally { skipped: 1, ..Tally::default() },
        };
        total.passed += tally.passed;
        total.failed += tally.failed;
        total.skipped += tally.skipped;
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
    let table = table::check();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) if std::env::args().any(|argument| argument == "--iam") => {
            runtime.block_on(iam::all(wanted.as_deref()))
        }
        Ok(runtime) => runtime.block_on(all(wanted.as_deref())).map(|tally| tally.and(&table)),
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
