//! `sop inbox`: the runs that wait for a person, longest waiting first.

use anyhow::Result;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::resolve::heads;

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
    if context.is_json() {
        let runs: Vec<Value> = found.into_iter().map(|(value, _)| value).collect();
        context.screen.json(&json!({ "runs": runs }))?;
        return Ok(Exit::Ok);
    }
    if found.is_empty() {
        eprintln!("nothing waits for a person");
        return Ok(Exit::Ok);
    }
    let suffix = context.suffix();
    let rows: Vec<Vec<String>> = found
        .into_iter()
        .map(|(_, head)| {
            let (wants, verb) = match head.gate {
                Some(gate) => (format!("approval of step {} (gate {gate})", head.step), "approve"),
                None => (format!("step {} to be done", head.step), "complete"),
            };
            let next = format!("sop {verb} {}{suffix}", head.run);
            vec![head.sop, wants, head.updated_at, next]
        })
        .collect();
    context.screen.table(&["SOP", "WANTS", "SINCE", "NEXT"], &rows)?;
    Ok(Exit::Ok)
}
