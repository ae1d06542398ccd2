//! Subcommands, one file each.

use anyhow::{Result, bail};

use crate::args::{Command, Format};
use crate::context::Context;
use crate::exit::Exit;

pub(crate) mod amend;
pub(crate) mod approve;
pub(crate) mod archive;
pub(crate) mod audit;
pub(crate) mod backtest;
pub(crate) mod cancel;
pub(crate) mod capabilities;
pub(crate) mod complete;
pub(crate) mod cron;
pub(crate) mod deny;
pub(crate) mod dev;
pub(crate) mod diff;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod emit;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fail;
pub(crate) mod fmt;
pub(crate) mod inbox;
pub(crate) mod list;
pub(crate) mod matching;
pub(crate) mod new;
pub(crate) mod pair;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod publish;
pub(crate) mod push;
pub(crate) mod rerun;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod revise;
pub(crate) mod rollback;
pub(crate) mod routine;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod trace;
pub(crate) mod validate;
pub(crate) mod versions;

/// Runs one subcommand.
///
/// # Errors
/// When it could not be carried out; what it found wrong is an [`Exit`].
pub(crate) async fn run(command: Command, context: &mut Context) -> Result<Exit> {
    let is_show = matches!(command, Command::Show(_));
    if matches!(context.format, Format::Toml | Format::Md) && !is_show {
        bail!("`--format toml` and `md` are for `sop show`; other commands print `text` or `json`");
    }
    match command {
        Command::New(args) => new::run(&args, context),
        Command::Validate(args) => validate::run(&args, context),
        Command::Fmt(args) => fmt::run(&args, context),
        Command::List(args) => list::run(&args, context).await,
        Command::Show(args) => show::run(&args, context).await,
        Command::Matching(args) => matching::run(&args, context),
        Command::Test(args) => test::run(&args, context).await,
        Command::Plan(args) => plan::run(&args, context),
        Command::Backtest(args) => backtest::run(&args, context).await,
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
        Command::Doctor(args) => doctor::run(&args, context).await,
        Command::Trace(args) => trace::run(&args, context).await,
        Command::Amend(args) => amend::run(&args, context).await,
        Command::Archive(args) => archive::run(&args, context).await,
        Command::Capabilities(args) => capabilities::run(&args, context),
        Command::Cron(args) => cron::run(&args, context),
        Command::Dlq(args) => dlq::run(&args, context).await,
        Command::Routine(args) => routine::run(&args, context).await,
        Command::Diff(args) => diff::run(&args, context).await,
        Command::Pause(args) => pause::run(&args, context).await,
        Command::Publish(args) => publish::run(&args, context).await,
        Command::Rerun(args) => rerun::run(&args, context).await,
        Command::Resume(args) => resume::run(&args, context).await,
        Command::Retry(args) => retry::run(&args, context).await,
        Command::Revise(args) => revise::run(&args, context).await,
        Command::Rollback(args) => rollback::run(&args, context).await,
        Command::Versions(args) => versions::run(&args, context).await,
        Command::Dev(args) => dev::run(&args, context).await,
        Command::Pair(args) => pair::run(&args, context).await,
        Command::Explain(args) => explain::run(&args, context),
    }
}
