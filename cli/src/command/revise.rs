//! `sop revise`: has what a run's open gate shows made again.

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::{person, resolve};

/// Arguments of `sop revise`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// What is to be changed; who makes it again is told
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    guidance: String,
    /// Revision of the gate; the open one when left out
    #[arg(long)]
    gate: Option<u32>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let (_, run) = resolve::run(&client, &args.run).await?;
    let revision = person::gate(&run, args.gate)?;
    let body = json!({ "revision": revision, "decision": "revise", "guidance": args.guidance });
    let path = ["api", "gates", &run.run, "decision"];
    person::say(context, &client, &path, body.to_string()).await
}
