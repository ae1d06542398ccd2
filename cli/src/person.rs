//! What people do to a run: look where it stands, say one thing, show where it stands then.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::client::{Ask, Client, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::input::fresh_key;
use crate::progress;
use crate::render::printable;
use crate::resolve;
use crate::wire::{Run, Turn};

/// The gate to answer at: the one given, else the one that is open.
///
/// # Errors
/// When none is open, or several are.
pub(crate) fn gate(run: &Run, given: Option<u32>) -> Result<u32> {
    if let Some(gate) = given {
        return Ok(gate);
    }
    let turns = run.turns();
    let open: Vec<(u32, u32)> = turns.iter().filter_map(Turn::gate).collect();
    match (open.as_slice(), turns.first()) {
        ([(gate, _)], _) => Ok(*gate),
        ([], Some(Turn::Step(step))) => bail!(
            "run `{run}` waits for work on step {step}, not for an approval: `sop complete {run}`",
            run = run.run
        ),
        ([], _) => bail!("run `{}` has no open gate: {}", run.run, stands(run)),
        (several, _) => {
            let gates = several.iter().map(|(gate, step)| format!("{gate} (step {step})"));
            let gates: Vec<String> = gates.collect();
            bail!("run `{}` has several open gates, {}: say `--gate N`", run.run, gates.join(", "))
        }
    }
}

/// The step to report on: the one given, else the one that waits for a person.
///
/// # Errors
/// When none does, or several do.
pub(crate) fn step(run: &Run, given: Option<u32>) -> Result<u32> {
    if let Some(step) = given {
        return Ok(step);
    }
    let turns = run.turns();
    let waiting: Vec<u32> = turns.iter().filter_map(Turn::step).collect();
    match (waiting.as_slice(), turns.first()) {
        ([step], _) => Ok(*step),
        ([], Some(Turn::Gate(gate, _))) => bail!(
            "run `{run}` waits for an approval (gate {gate}), not for work: `sop approve {run}`",
            run = run.run
        ),
        ([], _) => bail!("run `{}` waits for nobody to do a step: {}", run.run, stands(run)),
        (several, _) => {
            let steps: Vec<String> = several.iter().map(u32::to_string).collect();
            bail!("run `{}` waits at steps {}: say `--step N`", run.run, steps.join(" and "))
        }
    }
}

impl Turn {
    fn gate(&self) -> Option<(u32, u32)> {
        match self {
            Self::Gate(gate, step) => Some((*gate, *step)),
            Self::Step(_) => None,
        }
    }

    fn step(&self) -> Option<u32> {
        match self {
            Self::Step(step) => Some(*step),
            Self::Gate(..) => None,
        }
    }
}

/// Gives one order to a run, without words.
pub(crate) async fn order(context: &mut Context, run: &str, order: &str) -> Result<Exit> {
    let client = context.client()?;
    let run = resolve::run_id(&client, run).await?;
    let path = ["api", "runs", run.as_str(), order];
    say(context, &client, &path, "{}".to_owned()).await
}

fn stands(run: &Run) -> String {
    match &run.waiting_for {
        Some(what) => format!("it is {} and waits for {}", run.status, printable(what)),
        None => format!("it is {}", run.status),
    }
}

/// Sends one thing a person says, once however often it is sent, and shows what came of it.
pub(crate) async fn say(
    context: &mut Context,
    client: &Client,
    path: &[&str],
    body: String,
) -> Result<Exit> {
    let ask = Ask::post(path).text(Some(body)).once(fresh_key()?);
    let answer: Value = client.send(ask).await?;
    // A host may answer with the run, or with an object that holds it and has room for more.
    let value = answer.get("run").filter(|run| run.is_object()).unwrap_or(&answer);
    if context.is_json() {
        context.screen.json(value)?;
    } else {
        let run: Run = read(value)?;
        progress::print(context, &run)?;
    }
    Ok(Exit::Ok)
}
