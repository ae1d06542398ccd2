//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::command::{
    amend, approve, archive, audit, backtest, cancel, capabilities, complete, cron, deny, dev,
    diff, dlq, doctor, emit, events, explain, fail, fmt, inbox, list, matching, new, pair, pause,
    plan, publish, push, rerun, resume, retry, revise, rollback, routine, run, runs, show, status,
    test, trace, validate, versions,
};

/// Where a host on this machine listens.
pub(crate) const DEFAULT_URL: &str = "http://127.0.0.1:3000";

/// Runs standard operating procedures: two readable files in git, started by events, on a ledger.
#[derive(Debug, Parser)]
#[command(name = "sop", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Global {
    /// How to print: for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Base URL of the host
    #[arg(long, global = true, env = "SOP_URL", default_value = DEFAULT_URL)]
    pub(crate) url: String,
    /// Bearer token; otherwise the one that `sop pair` saved for the URL
    #[arg(long, global = true, env = "SOP_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// As the `SOP.toml` that it would be; only of `sop show`.
    #[value(hide = true)]
    Toml,
    /// As the `SOP.md` that it would be; only of `sop show`.
    #[value(hide = true)]
    Md,
}

/// Where the definitions are.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct SopsDir {
    /// Directory that holds one folder an SOP
    #[arg(long = "sops", value_name = "DIR", env = "SOP_DIR", default_value = "./sops")]
    pub(crate) dir: PathBuf,
}

/// The front door of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Door {
    /// An HTTP request
    Webhook,
    /// An MQTT message
    Mqtt,
    /// A schedule's fire time
    Cron,
    /// A device uplink
    Peripheral,
    /// An event of a bus, such as EventBridge's
    Event,
    /// A start by name
    Manual,
}

/// An event, as described on the command line.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct EventArgs {
    /// The front door that the event comes in at
    #[arg(long, value_enum)]
    pub(crate) source: Door,
    /// Path of a webhook, such as /sop/deploy
    #[arg(long)]
    pub(crate) path: Option<String>,
    /// Topic of an MQTT message
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// Cron expression that fires
    #[arg(long)]
    pub(crate) expression: Option<String>,
    /// Board of a device uplink
    #[arg(long)]
    pub(crate) board: Option<String>,
    /// Signal of a device uplink
    #[arg(long)]
    pub(crate) signal: Option<String>,
    /// Source of an event of a bus; that of the payload when left out
    #[arg(long)]
    pub(crate) event_source: Option<String>,
    /// Detail type of an event of a bus; that of the payload when left out
    #[arg(long)]
    pub(crate) detail_type: Option<String>,
    /// Payload: text, @FILE, or - for standard input
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub(crate) payload: Option<String>,
}

/// One subcommand.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the two files of a new SOP
    New(new::Args),
    /// Check definitions and say precisely what is wrong
    Validate(validate::Args),
    /// Lay out definitions in the one way
    Fmt(fmt::Args),
    /// List SOPs
    List(list::Args),
    /// Show one definition; `--format toml` and `md` print the files that say it
    Show(show::Args),
    /// Tell which SOPs an event would start, and why the others not; needs no server
    #[command(name = "match")]
    Matching(matching::Args),
    /// Play the stories of local SOPs and tell which do not hold; needs no server
    Test(test::Args),
    /// Tell the steps, gates and effects that an event would lead to; needs no server
    Plan(plan::Args),
    /// Tell what local definitions would have done with recorded events; sends nothing
    Backtest(backtest::Args),
    /// Tell what differs between two definitions
    Diff(diff::Args),
    /// List the built-ins that a step can name, and what each takes
    Capabilities(capabilities::Args),
    /// Make local definitions the active ones, or keep them as drafts
    Push(push::Args),
    /// List what was ever pushed of an SOP
    Versions(versions::Args),
    /// Make a pushed version the active one
    Publish(publish::Args),
    /// Make an earlier version the active one again
    Rollback(rollback::Args),
    /// Let nothing start an SOP any more; its runs go on
    Archive(archive::Args),
    /// Start a run by hand
    Run(run::Args),
    /// Send an event as if it had come in at a front door
    Emit(emit::Args),
    /// List runs, newest first
    Runs(runs::Args),
    /// Show where a run stands and what to do next
    Status(status::Args),
    /// List the runs that wait for a person, longest waiting first
    Inbox(inbox::Args),
    /// Say yes at a run's open gate
    Approve(approve::Args),
    /// Say no at a run's open gate
    Deny(deny::Args),
    /// Say yes at a run's open gate, with one field changed
    Amend(amend::Args),
    /// Send what a run's open gate shows back to be made again
    Revise(revise::Args),
    /// Report a step as done
    Complete(complete::Args),
    /// Report a step as failed
    Fail(fail::Args),
    /// Stop a run for good
    Cancel(cancel::Args),
    /// Stop a run for a while: what is under way ends, nothing begins
    Pause(pause::Args),
    /// Let a paused run go on
    Resume(resume::Args),
    /// Have the step that a run failed at done again
    Retry(retry::Args),
    /// Take a run that is over up again from one of its steps, as a new run
    Rerun(rerun::Args),
    /// List events with each SOP's verdict and its reason; show one, or send it again
    Events(events::Args),
    /// Messages that could not be carried out: list, show, redrive, discard
    Dlq(dlq::Args),
    /// Switch an SOP's schedules on or off, or list when they fire
    Routine(routine::Args),
    /// Tell when a schedule fires next; needs no server
    Cron(cron::Args),
    /// Prove or print a run's ledger
    Audit(audit::Args),
    /// Show where the time of a run went, through every function
    Trace(trace::Args),
    /// Look whether the host is well, and say how to mend what is not
    Doctor(doctor::Args),
    /// Pair this machine with a host, or ask for a code for another
    Pair(pair::Args),
    /// Run everything on this machine: webhooks, MQTT, schedules and the store
    Dev(dev::Args),
    /// Explain a diagnostic code
    Explain(explain::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
