//! `sop approve`: says yes at a run's open gate, after it has said what the yes is for.

use anyhow::Result;
use serde_json::json;
use sop_core::RunId;

use crate::context::Context;
use crate::exit::Exit;
use crate::{gate, person, resolve};

/// Arguments of `sop approve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Revision of the gate; the open one when left out
    #[arg(long)]
    gate: Option<u32>,
    /// What to put on the ledger beside the yes
    #[arg(long)]
    comment: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let (_, run) = resolve::run(&client, &args.run).await?;
    let revision = person::gate(&run, args.gate)?;
    if !context.is_json() {
        let shown = gate::fetch(&client, &RunId::parse(&run.run)?, revision).await?;
        for line in gate::lines(&shown) {
            eprintln!("{line}");
        }
    }
    let mut body = json!({ "revision": revision, "decision": "approve" });
    if let Some(comment) = &args.comment {
        body["comment"] = json!(comment);
    }
    let path = ["api", "gates", &run.run, "decision"];
    person::say(context, &client, &path, body.to_string()).await
}
