//! `sop fail`: reports the step that waits for a person as failed.

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::{person, resolve};

/// Arguments of `sop fail`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Why; it stands on the ledger
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    /// Number of the step; the one that waits when left out
    #[arg(long)]
    step: Option<u32>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let (_, run) = resolve::run(&client, &args.run).await?;
    let step = person::step(&run, args.step)?.to_string();
    let body = json!({ "reason": args.reason });
    let path = ["api", "runs", &run.run, "steps", &step, "fail"];
    person::say(context, &client, &path, body.to_string()).await
}
