//! `sop routine`: the switch of an SOP's schedules.

use anyhow::Result;
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};
use sop_core::SopName;

use crate::client::{Ask, read};
use crate::context::Context;
use crate::exit::Exit;

/// Arguments of `sop routine`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the active SOPs that have schedules, and when each fires next
    List,
    /// Let an SOP's schedules fire, from now on
    On {
        /// Name of the SOP
        name: SopName,
    },
    /// Keep an SOP's schedules from firing; other triggers go on
    Off {
        /// Name of the SOP
        name: SopName,
    },
}

#[derive(Debug, Deserialize)]
struct Routine {
    sop: String,
    on: bool,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    by: Option<String>,
    schedules: Vec<Schedule>,
}

#[derive(Debug, Deserialize)]
struct Schedule {
    expression: String,
    timezone: String,
    #[serde(default)]
    next: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    match &args.action {
        Action::List => list(context).await,
        Action::On { name } => switch(name, true, context).await,
        Action::Off { name } => switch(name, false, context).await,
    }
}

async fn list(context: &mut Context) -> Result<Exit> {
    let answer: Value = context.client()?.send(Ask::get(&["api", "routines"])).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
        return Ok(Exit::Ok);
    }
    let routines: Vec<Routine> = read(&answer["routines"])?;
    if routines.is_empty() {
        eprintln!("no active SOP on {} has a schedule", context.url());
        return Ok(Exit::Ok);
    }
    let mut rows = Vec::new();
    for routine in &routines {
        for schedule in &routine.schedules {
            let next = match (routine.on, &schedule.next) {
                (true, Some(next)) => next.clone(),
                (true, None) => "never".to_owned(),
                (false, _) => {
                    let (since, by) = (routine.since.as_deref(), routine.by.as_deref());
                    format!("off since {} by {}", since.unwrap_or("?"), by.unwrap_or("?"))
                }
            };
            let (expression, zone) = (schedule.expression.clone(), schedule.timezone.clone());
            rows.push(vec![routine.sop.clone(), expression, zone, next]);
        }
    }
    context.screen.table(&["SOP", "SCHEDULE", "ZONE", "NEXT"], &rows)?;
    Ok(Exit::Ok)
}

async fn switch(name: &SopName, on: bool, context: &mut Context) -> Result<Exit> {
    let path = ["api", "sops", name.as_str(), "routine"];
    let ask = Ask::post(&path).json(&json!({ "on": on }));
    let answer: Value = context.client()?.send(ask).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
    } else if on {
        context.screen.line(format!("the schedules of `{name}` fire"))?;
    } else {
        context
            .screen
            .line(format!("the schedules of `{name}` do not fire until `sop routine on {name}`"))?;
    }
    Ok(Exit::Ok)
}
