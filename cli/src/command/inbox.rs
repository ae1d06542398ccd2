//! `sop inbox`: the runs that wait for a person, longest waiting first.

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::{Ask, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::resolve::heads;
use crate::wire::{Awaited, Head, Turn};

/// Arguments of `sop inbox`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many at most
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let found = heads(&client, &["api", "inbox"], args.limit, |_| true).await?;
    let mut runs: Vec<(Value, Head, Vec<Awaited>)> = Vec::new();
    for (mut value, head) in found {
        // A list holds one step of a run; the run itself says all that wait.
        let path = ["api", "runs", &head.run];
        let run: Option<Value> = client.send(Ask::get(&path)).await.ok();
        let awaits = run.as_ref().map_or(Value::Null, |run| run["awaits"].clone());
        let waiting: Vec<Awaited> = read(&awaits).unwrap_or_default();
        if awaits.is_array() {
            value["awaits"] = awaits;
        }
        runs.push((value, head, waiting));
    }
    if context.is_json() {
        let runs: Vec<Value> = runs.into_iter().map(|(value, ..)| value).collect();
        context.screen.json(&json!({ "runs": runs }))?;
        return Ok(Exit::Ok);
    }
    if runs.is_empty() {
        eprintln!("nothing waits for a person");
        return Ok(Exit::Ok);
    }
    let suffix = context.suffix();
    let rows: Vec<Vec<String>> =
        runs.iter().flat_map(|(_, head, awaits)| rows(head, awaits, &suffix)).collect();
    context.screen.table(&["SOP", "WANTS", "SINCE", "NEXT"], &rows)?;
    Ok(Exit::Ok)
}

/// A line for each step of the run that waits for a person.
fn rows(head: &Head, awaits: &[Awaited], suffix: &str) -> Vec<Vec<String>> {
    let mut turns: Vec<(Turn, String)> = awaits
        .iter()
        .filter_map(|awaited| Some((awaited.turn()?, awaited.since.clone())))
        .collect();
    if turns.is_empty() {
        let turn = match head.gate {
            Some(gate) => Turn::Gate(gate, head.step),
            None => Turn::Step(head.step),
        };
        turns.push((turn, head.updated_at.clone()));
    }
    let several = turns.len() > 1;
    let row = |(turn, since)| {
        let (wants, verb, which) = match turn {
            Turn::Gate(gate, step) => (
                format!("approval of step {step} (gate {gate})"),
                "approve",
                format!("--gate {gate}"),
            ),
            Turn::Step(step) => {
                (format!("step {step} to be done"), "complete", format!("--step {step}"))
            }
        };
        let which = if several { format!(" {which}") } else { String::new() };
        vec![head.sop.clone(), wants, since, format!("sop {verb} {}{which}{suffix}", head.run)]
    };
    turns.into_iter().map(row).collect()
}
