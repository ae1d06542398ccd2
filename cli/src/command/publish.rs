//! `sop publish`: makes a pushed version the active one.

use anyhow::Result;
use sop_core::SopName;

use crate::context::Context;
use crate::exit::Exit;
use crate::versions;

/// Arguments of `sop publish`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the SOP
    name: SopName,
    /// The version, or the beginning of its digest; the one pushed last when left out
    #[arg(long)]
    digest: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let digest = match &args.digest {
        Some(given) => Some(versions::digest(&client, &args.name, given).await?),
        None => None,
    };
    versions::activate(context, &client, &args.name, digest).await
}
