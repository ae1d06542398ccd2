//! `sop resume`: lets a paused run go on.

use anyhow::Result;

use crate::context::Context;
use crate::exit::Exit;
use crate::person;

/// Arguments of `sop resume`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    person::order(context, &args.run, "resume").await
}
