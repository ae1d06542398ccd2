//! `sop pause`: stops a run for a while.

use anyhow::Result;

use crate::context::Context;
use crate::exit::Exit;
use crate::person;

/// Arguments of `sop pause`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    person::order(context, &args.run, "pause").await
}
