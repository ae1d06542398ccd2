//! `sop run`: starts a run by hand.

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use sop_core::{RunId, SopName};

use crate::client::{Ask, read};
use crate::command::status::watch;
use crate::context::Context;
use crate::exit::Exit;
use crate::input;
use crate::render::printable;

/// Arguments of `sop run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the SOP
    name: SopName,
    /// What the run is given: JSON, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    payload: Option<String>,
    /// Follow the run until it is over
    #[arg(long)]
    watch: bool,
    /// Idempotency key: the same key starts the same run only once
    #[arg(long)]
    key: Option<String>,
}

/// What is answered when a run was started.
#[derive(Debug, Deserialize)]
pub(crate) struct Started {
    pub(crate) run_id: String,
    #[serde(default)]
    reason: String,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let payload = input::json(args.payload.as_deref())?.map(|payload| payload.get().to_owned());
    let key = match &args.key {
        Some(key) => key.clone(),
        None => input::fresh_key()?,
    };
    let client = context.client()?;
    let path = ["api", "sops", args.name.as_str(), "run"];
    let answer: Value = client.send(Ask::post(&path).text(payload).once(key)).await?;
    let started: Started = read(&answer)?;
    if args.watch {
        if !context.is_json() {
            eprintln!("started run {}", printable(&started.run_id));
        }
        return watch(context, &client, &RunId::parse(&started.run_id)?).await;
    }
    if context.is_json() {
        context.screen.json(&answer)?;
    } else {
        context.screen.line(printable(&started.run_id))?;
        eprintln!("{} started: {}", args.name, printable(&started.reason));
        eprintln!("next: `sop status {}{}`", printable(&started.run_id), context.suffix());
    }
    Ok(Exit::Ok)
}
