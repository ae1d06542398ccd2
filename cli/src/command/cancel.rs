//! `sop cancel`: stops a run.

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::{person, resolve};

/// Arguments of `sop cancel`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Why; it stands on the ledger
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let run = resolve::run_id(&client, &args.run).await?;
    let body = json!({ "reason": args.reason });
    let path = ["api", "runs", run.as_str(), "cancel"];
    person::say(context, &client, &path, body.to_string()).await
}
