//! Runs scenarios and says of each how it went and how long it took.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::deployment::kind::{Feature, Kind};
use crate::world::World;

/// One scenario.
pub struct Scenario {
    /// What holds after it, in words.
    pub name: &'static str,
    /// What the deployment must have for it.
    pub needs: &'static [Feature],
    /// Carries it out.
    pub run: fn(Arc<World>) -> BoxFuture<'static, Result<()>>,
}

impl Scenario {
    /// Why it is left out on a host of this kind, if so.
    pub fn left_out(&self, kind: Kind) -> Option<&'static str> {
        self.needs.iter().find_map(|need| kind.lacks(*need))
    }
}

/// Scenarios that belong together.
pub enum Stage {
    /// One after the other: each may rely on the ones before, and on nobody writing meanwhile.
    InOrder(Vec<Scenario>),
    /// All at once.
    Together(Vec<Scenario>),
}

/// How many went how.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    /// Scenarios that hold.
    pub passed: usize,
    /// Scenarios that do not.
    pub failed: usize,
    /// Scenarios that the deployment has no part in.
    pub skipped: usize,
}

impl Tally {
    /// What the process ends with.
    pub fn exit_code(self) -> ExitCode {
        if self.failed == 0 && self.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// The same with one more that passed or failed.
    #[must_use]
    pub fn and(mut self, result: &Result<()>) -> Self {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => {
                self.failed += 1;
                println!("FAILED: {error:#}");
            }
        }
        self
    }

    fn add(&mut self, host: &str, name: &str, begun: Instant, result: &Result<()>) {
        let secs = begun.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("scenario {host:10}  ok     {secs:>6.1} s  {name}");
            }
            Err(error) => {
                self.failed += 1;
                println!("scenario {host:10}  FAILED {secs:>6.1} s  {name}");
                for line in format!("{error:#}").lines() {
                    println!("    {line}");
                }
            }
        }
    }
}

/// Runs `stages` in order. `wanted` picks scenarios whose names contain it; setting up is never left out.
pub async fn run(world: &Arc<World>, stages: Vec<Stage>, wanted: Option<&str>) -> Tally {
    let mut tally = Tally::default();
    let host = world.deployment.kind().name();
    for (number, stage) in stages.into_iter().enumerate() {
        let (together, scenarios) = match stage {
            Stage::InOrder(scenarios) => (false, scenarios),
            Stage::Together(scenarios) => (true, scenarios),
        };
        let mut running = FuturesUnordered::new();
        for scenario in scenarios {
            if let Some(reason) = scenario.left_out(world.deployment.kind()) {
                tally.skipped += 1;
                println!("skipped  {host:10}  {}: {reason}", scenario.name);
                continue;
            }
            if number > 0 && wanted.is_some_and(|wanted| !scenario.name.contains(wanted)) {
                continue;
            }
            running.push(one(scenario, Arc::clone(world)));
            if !together && let Some((name, begun, result)) = running.next().await {
                tally.add(host, name, begun, &result);
            }
        }
        while let Some((name, begun, result)) = running.next().await {
            tally.add(host, name, begun, &result);
        }
        if number == 0 && tally.failed > 0 {
            println!("  setting up failed: the rest is left out");
            break;
        }
    }
    tally
}

/// A task of its own: a panic is that scenario's failure only.
async fn one(scenario: Scenario, world: Arc<World>) -> (&'static str, Instant, Result<()>) {
    let begun = Instant::now();
    let result = match tokio::spawn((scenario.run)(world)).await {
        Ok(result) => result,
        Err(error) => Err(anyhow::anyhow!("the scenario panicked: {error}")),
    };
    (scenario.name, begun, result)
}
