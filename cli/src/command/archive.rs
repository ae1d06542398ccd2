//! `sop archive`: lets nothing start an SOP any more.

use anyhow::Result;
use serde_json::Value;
use sop_core::SopName;

use crate::client::Ask;
use crate::context::Context;
use crate::exit::Exit;
use crate::input::fresh_key;

/// Arguments of `sop archive`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the SOP
    name: SopName,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let path = ["api", "sops", args.name.as_str(), "archive"];
    let answer: Value = client.send(Ask::post(&path).once(fresh_key()?)).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
    } else {
        eprintln!(
            "`{name}` is archived on {url}: nothing starts it, its runs go on; `sop rollback {name}` \
             makes it active again",
            name = args.name,
            url = context.url()
        );
    }
    Ok(Exit::Ok)
}
