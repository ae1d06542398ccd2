//! `sop runs`: the runs, newest first.

use anyhow::Result;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::resolve::heads;
use crate::wire::Head;

/// Arguments of `sop runs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only those of this status
    #[arg(long, value_parser = ["queued", "running", "waiting", "paused", "completed", "failed", "cancelled"])]
    status: Option<String>,
    /// Only those of this SOP
    #[arg(long)]
    sop: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let is_wanted = |head: &Head| {
        args.status.as_ref().is_none_or(|status| head.status == *status)
            && args.sop.as_ref().is_none_or(|sop| head.sop == *sop)
    };
    let found = heads(&client, &["api", "runs"], args.limit, is_wanted).await?;
    if context.is_json() {
        let runs: Vec<Value> = found.into_iter().map(|(value, _)| value).collect();
        context.screen.json(&json!({ "runs": runs }))?;
        return Ok(Exit::Ok);
    }
    if found.is_empty() {
        eprintln!("no such runs; `sop run NAME{}` starts one", context.suffix());
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = found
        .into_iter()
        .map(|(_, head)| {
            let step = if head.step == 0 { "-".to_owned() } else { head.step.to_string() };
            let reason = head.reason.unwrap_or_default();
            vec![head.run, head.sop, head.status, step, head.source, head.started_at, reason]
        })
        .collect();
    let header = ["RUN", "SOP", "STATUS", "STEP", "SOURCE", "STARTED", "REASON"];
    context.screen.table(&header, &rows)?;
    Ok(Exit::Ok)
}
