//! What people do to a run: look where it stands, say one thing, show where it stands then.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::client::{Ask, Client, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::input::fresh_key;
use crate::progress;
use crate::wire::{Run, Turn};

/// The gate to answer at: the one given, else the open one.
///
/// # Errors
/// When none is open.
pub(crate) fn gate(run: &Run, given: Option<u32>) -> Result<u32> {
    match (given, run.turn()) {
        (Some(gate), _) | (None, Turn::Gate(gate)) => Ok(gate),
        (None, Turn::Step(_) | Turn::None | Turn::Over) => {
            bail!("run `{}` has no open gate: {}", run.run, stands(run))
        }
    }
}

/// The step to report on: the one given, else the one that waits for a person.
///
/// # Errors
/// When none does.
pub(crate) fn step(run: &Run, given: Option<u32>) -> Result<u32> {
    match (given, run.turn()) {
        (Some(step), _) | (None, Turn::Step(step)) => Ok(step),
        (None, Turn::Gate(gate)) => bail!(
            "run `{}` waits for an approval (gate {gate}), not for work: `sop approve {}`",
            run.run,
            run.run
        ),
        (None, Turn::None | Turn::Over) => {
            bail!("run `{}` waits for nobody to do a step: {}", run.run, stands(run))
        }
    }
}

fn stands(run: &Run) -> String {
    match &run.waiting_for {
        Some(what) => format!("it is {} and waits for {what}", run.status),
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
