//! `sop status`: where a run stands, and what to type next.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use sop_core::RunId;

use crate::client::{Client, ClientError};
use crate::context::Context;
use crate::exit::Exit;
use crate::gate;
use crate::progress;
use crate::resolve;
use crate::wire::Run;

/// Between two looks at a run that is watched: at first, and when nothing has moved for long.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(3);

/// Looks in a row that may fail before watching ends.
const FAILURES_MAX: u32 = 10;

/// Arguments of `sop status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, at least 6 characters of its beginning, or `last`
    run: String,
    /// Follow the run until it is over
    #[arg(long)]
    watch: bool,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let id = resolve::run_id(&client, &args.run).await?;
    if args.watch {
        return watch(context, &client, &id).await;
    }
    let (value, run) = resolve::fetch(&client, &id).await?;
    show(context, &value, &run)?;
    if !context.is_json() {
        for gate in run.awaits.iter().filter_map(|awaited| awaited.gate) {
            // It may have been decided since the run was looked at: then there is nothing to show.
            if let Ok(shown) = gate::fetch(&client, &id, gate).await {
                context.screen.line("")?;
                for line in gate::lines(&shown) {
                    context.screen.line(line)?;
                }
            }
        }
    }
    Ok(Exit::Ok)
}

fn show(context: &mut Context, value: &Value, run: &Run) -> Result<()> {
    if context.is_json() {
        context.screen.json(value)?;
    } else {
        progress::print(context, run)?;
    }
    Ok(context.screen.flush()?)
}

/// Shows the run each time it has moved, until it is over; in JSON only its end.
///
/// Gives [`Exit::Found`] when it did not complete.
///
/// # Errors
/// When the first look fails, or too many in a row.
pub(crate) async fn watch(context: &mut Context, client: &Client, id: &RunId) -> Result<Exit> {
    let mut shown: Option<Run> = None;
    let mut pause = PAUSE_MIN;
    let mut failures = 0;
    loop {
        match resolve::fetch(client, id).await {
            Ok((value, run)) => {
                failures = 0;
                if shown.as_ref() != Some(&run) {
                    pause = PAUSE_MIN;
                    if run.is_finished() || !context.is_json() {
                        show(context, &value, &run)?;
                    }
                }
                if run.is_finished() {
                    return Ok(if run.status == "completed" { Exit::Ok } else { Exit::Found });
                }
                shown = Some(run);
            }
            Err(error) if shown.is_some() && failures < FAILURES_MAX && may_pass(&error) => {
                failures += 1;
                eprintln!("note: {error}; trying again");
            }
            Err(error) => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSE_MAX);
    }
}

/// Whether looking again may succeed.
fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Unreachable { .. }) => true,
        Some(ClientError::Refused(problem)) => problem.status == 429 || problem.status >= 500,
        Some(
            ClientError::BadUrl { .. }
            | ClientError::BadToken
            | ClientError::Setup(_)
            | ClientError::Foreign { .. },
        )
        | None => false,
    }
}
