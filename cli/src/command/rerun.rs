//! `sop rerun`: takes a run that is over up again from one of its steps, as a new run.

use anyhow::Result;
use serde_json::{Value, json};
use sop_core::RunId;

use crate::client::{Ask, read};
use crate::command::run::Started;
use crate::command::status::watch;
use crate::context::Context;
use crate::exit::Exit;
use crate::render::printable;
use crate::{input, resolve};

/// Arguments of `sop rerun`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// The step to begin at; what the steps before it gave is taken over
    #[arg(long, value_name = "N")]
    from: u32,
    /// Follow the new run until it is over
    #[arg(long)]
    watch: bool,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let run = resolve::run_id(&client, &args.run).await?;
    let body = json!({ "from": args.from });
    let path = ["api", "runs", run.as_str(), "rerun"];
    let answer: Value = client.send(Ask::post(&path).json(&body).once(input::fresh_key()?)).await?;
    let started: Started = read(&answer)?;
    if args.watch {
        return watch(context, &client, &RunId::parse(&started.run_id)?).await;
    }
    if context.is_json() {
        context.screen.json(&answer)?;
    } else {
        let id = printable(&started.run_id);
        context.screen.line(&id)?;
        eprintln!("run {run} is taken up again from step {}", args.from);
        eprintln!("next: `sop status {id}{}`", context.suffix());
    }
    Ok(Exit::Ok)
}
