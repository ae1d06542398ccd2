//! `sop retry`: has the step that a run failed at done again.

use anyhow::Result;

use crate::context::Context;
use crate::exit::Exit;
use crate::person;

/// Arguments of `sop retry`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    person::order(context, &args.run, "retry").await
}
