//! `sop complete`: reports the step that waits for a person as done.

use anyhow::Result;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::context::Context;
use crate::exit::Exit;
use crate::{input, person, resolve};

/// Arguments of `sop complete`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Number of the step; the one that waits when left out
    #[arg(long)]
    step: Option<u32>,
    /// What the step gave: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    output: Option<String>,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a RawValue>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let output = input::json(args.output.as_deref())?;
    let client = context.client()?;
    let (_, run) = resolve::run(&client, &args.run).await?;
    let step = person::step(&run, args.step)?.to_string();
    let body = serde_json::to_string(&Body { output: output.as_deref() })?;
    let path = ["api", "runs", &run.run, "steps", &step, "complete"];
    person::say(context, &client, &path, body).await
}
