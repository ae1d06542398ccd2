//! Subcommands, one file each.

use anyhow::Result;

use crate::args::Command;
use crate::context::Context;
use crate::exit::Exit;

pub(crate) mod approve;
pub(crate) mod audit;
pub(crate) mod cancel;
pub(crate) mod complete;
pub(crate) mod deny;
pub(crate) mod dev;
pub(crate) mod emit;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fail;
pub(crate) mod inbox;
pub(crate) mod list;
pub(crate) mod matching;
pub(crate) mod new;
pub(crate) mod pair;
pub(crate) mod push;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod validate;

/// Runs one subcommand.
///
/// # Errors
/// When it could not be carried out; what it found wrong is an [`Exit`].
pub(crate) async fn run(command: Command, context: &mut Context) -> Result<Exit> {
    match command {
        Command::New(args) => new::run(&args, context),
        Command::Validate(args) => validate::run(&args, context),
        Command::List(args) => list::run(&args, context).await,
        Command::Show(args) => show::run(&args, context).await,
        Command::Matching(args) => matching::run(&args, context),
        Command::Test(args) => test::run(&args, context).await,
        Command::Push(args) => push::run(&args, context).await,
        Command::Run(args) => run::run(&args, context).await,
        Command::Emit(args) => emit::run(&args, context).await,
        Command::Runs(args) => runs::run(&args, context).await,
        Command::Status(args) => status::run(&args, context).await,
        Command::Inbox(args) => inbox::run(&args, context).await,
        Command::Approve(args) => approve::run(&args, context).await,
        Command::Deny(args) => deny::run(&args, context).await,
        Command::Complete(args) => complete::run(&args, context).await,
        Command::Fail(args) => fail::run(&args, context).await,
        Command::Cancel(args) => cancel::run(&args, context).await,
        Command::Events(args) => events::run(&args, context).await,
        Command::Audit(args) => audit::run(&args, context).await,
        Command::Dev(args) => dev::run(&args, context).await,
        Command::Pair(args) => pair::run(&args, context).await,
        Command::Explain(args) => explain::run(&args, context),
    }
}
