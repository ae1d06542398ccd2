//! `sop cron next`: when a schedule fires; needs no server.

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};
use sop_core::Timestamp;
use sop_core::cron::{CronExpr, TimeZone};
use sop_core::definition::{Definition, Trigger};

use crate::args::SopsDir;
use crate::context::Context;
use crate::exit::Exit;
use crate::input::now;
use crate::render::Style;
use crate::workspace::Workspace;

/// Times that are told at most.
const TIMES_MAX: usize = 1_000;

/// Arguments of `sop cron`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell when a schedule fires next
    Next {
        /// An expression such as '0 8 * * MON-FRI', or the name of a local SOP; all local ones when left out
        what: Option<String>,
        /// IANA time zone of an expression, such as Europe/Berlin; UTC when left out
        #[arg(long)]
        timezone: Option<String>,
        /// How many times
        #[arg(short, long, default_value_t = 5)]
        number: usize,
        /// From when on, as an RFC 3339 time; now when left out
        #[arg(long)]
        from: Option<String>,
        #[command(flatten)]
        sops: SopsDir,
    },
}

struct Schedule {
    sop: Option<String>,
    expression: CronExpr,
    zone: TimeZone,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let Action::Next { what, timezone, number, from, sops } = &args.action;
    let from = match from {
        Some(text) => Timestamp::parse_rfc3339(text)
            .with_context(|| format!("`{text}` is no time such as `2026-03-01T08:00:00Z`"))?,
        None => now(),
    };
    let zone = timezone.as_deref().map(zone).transpose()?;
    let schedules = schedules(what.as_deref(), zone, sops)?;
    let number = (*number).clamp(1, TIMES_MAX);
    let told: Vec<(Schedule, Vec<Timestamp>)> = schedules
        .into_iter()
        .map(|schedule| {
            let times = times(&schedule, from, number);
            (schedule, times)
        })
        .collect();
    if context.is_json() {
        let schedules: Vec<Value> = told.iter().map(|(it, times)| entry(it, times)).collect();
        context.screen.json(&json!({ "schedules": schedules }))?;
        return Ok(Exit::Ok);
    }
    for (schedule, times) in &told {
        let sop = schedule.sop.as_ref().map(|sop| format!("{sop}  ")).unwrap_or_default();
        let head = format!("{sop}{}  {}", schedule.expression.as_str(), schedule.zone);
        let head = context.screen.paint(Style::Bold, &head);
        context.screen.line(head)?;
        for at in times {
            let local = schedule.zone.local(*at).unwrap_or_default();
            context.screen.line(format!("  {at}  {local}"))?;
        }
        if times.is_empty() {
            context.screen.line("  never again")?;
        }
    }
    Ok(Exit::Ok)
}

fn zone(name: &str) -> Result<TimeZone> {
    TimeZone::parse(name).map_err(|error| {
        let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
        anyhow::anyhow!("{error}{help}")
    })
}

fn times(schedule: &Schedule, from: Timestamp, number: usize) -> Vec<Timestamp> {
    let next = |at: &Timestamp| schedule.expression.next_after(&schedule.zone, *at);
    std::iter::successors(next(&from), next).take(number).collect()
}

fn entry(schedule: &Schedule, times: &[Timestamp]) -> Value {
    json!({
        "sop": schedule.sop,
        "expression": schedule.expression.as_str(),
        "timezone": schedule.zone.as_str(),
        "next": times.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// The schedules that `what` means: an expression has spaces or begins with `@`, a name does neither.
fn schedules(what: Option<&str>, zone: Option<TimeZone>, sops: &SopsDir) -> Result<Vec<Schedule>> {
    if let Some(text) = what.filter(|text| text.contains(' ') || text.starts_with('@')) {
        let expression = CronExpr::parse(text).map_err(|error| {
            let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
            anyhow::anyhow!("{error}{help}")
        })?;
        return Ok(vec![Schedule { sop: None, expression, zone: zone.unwrap_or_default() }]);
    }
    let names: Vec<String> = what.iter().map(|name| (*name).to_owned()).collect();
    let workspace = Workspace::read(&sops.dir)?.only(&names)?;
    let definitions = workspace.folders.iter().filter_map(|folder| folder.definition.as_ref());
    let mut found = Vec::new();
    for definition in definitions {
        of(definition, zone, &mut found)?;
    }
    if let (true, Some(name)) = (found.is_empty(), what) {
        bail!("`{name}` has no schedule, or has errors: `sop validate` shows them");
    }
    Ok(found)
}

fn of(definition: &Definition, zone: Option<TimeZone>, found: &mut Vec<Schedule>) -> Result<()> {
    for trigger in &definition.triggers {
        if let Trigger::Cron { expression, timezone } = trigger {
            let own = timezone.as_deref().unwrap_or(&definition.timezone);
            let zone = match zone {
                Some(zone) => zone,
                None => self::zone(own)?,
            };
            let (sop, expression) = (Some(definition.name.to_string()), expression.clone());
            found.push(Schedule { sop, expression, zone });
        }
    }
    Ok(())
}
