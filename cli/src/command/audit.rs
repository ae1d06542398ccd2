//! `sop audit`: proves a run from its ledger, on this machine, or prints the ledger.

pub(super) mod told;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sop_core::definition::Definition;
use sop_core::journal::{Broken, Sealed, Verified, verify};
use sop_core::{Digest, RunId};

use crate::client::{Ask, Client};
use crate::context::Context;
use crate::exit::Exit;
use crate::render::{Screen, Style, count, printable};
use crate::resolve;

/// Runs that `--all` looks at.
const RUNS_MAX: usize = 5_000;

/// Arguments of `sop audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

/// What to do with the ledger.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Prove that a run's entries are whole, unchanged, in order, and lead to the states they record
    Verify(Verify),
    /// Print a run's entries
    Show(Show),
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["run", "all"])))]
struct Verify {
    /// The run: its id, the beginning of it, or `last`
    run: Option<String>,
    /// Every run
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The run: its id, the beginning of it, or `last`
    run: String,
}

/// `GET /api/runs/{run}/journal`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ledger {
    run: String,
    pub(super) definition: String,
    pub(super) entries: Vec<Sealed>,
}

/// What a ledger was found to be, in JSON.
#[derive(Debug, Serialize)]
struct Report {
    run: String,
    verified: bool,
    entries: usize,
    head: Option<Digest>,
    definition: Option<Digest>,
    broken: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    match &args.what {
        What::Show(show) => {
            let run = resolve::run_id(&client, &show.run).await?;
            print_ledger(&ledger(&client, &run).await?, context)
        }
        What::Verify(Verify { run: Some(run), .. }) => {
            let run = resolve::run_id(&client, run).await?;
            let report = report(&run, &ledger(&client, &run).await?);
            if context.is_json() {
                context.screen.json(&report)?;
            } else {
                print_report(&report, &mut context.screen)?;
            }
            Ok(if report.verified { Exit::Ok } else { Exit::Found })
        }
        What::Verify(Verify { run: None, .. }) => verify_all(&client, context).await,
    }
}

async fn verify_all(client: &Client, context: &mut Context) -> Result<Exit> {
    let heads = resolve::heads(client, &["api", "runs"], RUNS_MAX, |_| true).await?;
    if heads.len() == RUNS_MAX {
        eprintln!("note: only the newest {RUNS_MAX} runs are looked at");
    }
    let mut reports = Vec::new();
    for (_, head) in &heads {
        let run = RunId::parse(&head.run)?;
        reports.push(report(&run, &ledger(client, &run).await?));
    }
    let broken = reports.iter().filter(|report| !report.verified).count();
    let verified = reports.len() - broken;
    if context.is_json() {
        let all = json!({ "verified": verified, "broken": broken, "runs": reports });
        context.screen.json(&all)?;
    } else {
        for report in reports.iter().filter(|report| !report.verified) {
            print_report(report, &mut context.screen)?;
        }
        let entries: usize = reports.iter().map(|report| report.entries).sum();
        let (runs, entries) = (count(verified, "run"), count(entries, "ledger line"));
        context.screen.line(format!("{runs} verified, {broken} broken, {entries}"))?;
    }
    Ok(if broken == 0 { Exit::Ok } else { Exit::Found })
}

/// The ledger of `run`, as the host gives it.
pub(super) async fn ledger(client: &Client, run: &RunId) -> Result<Ledger> {
    Ok(client.send(Ask::get(&["api", "runs", run.as_str(), "journal"])).await?)
}

/// Verifies `ledger` as that of `run`, which is what was asked for, whatever the answer says.
fn report(run: &RunId, ledger: &Ledger) -> Report {
    let checked = check(run, ledger);
    Report {
        run: run.to_string(),
        verified: checked.is_ok(),
        entries: ledger.entries.len(),
        head: ledger.entries.last().map(|entry| entry.hash),
        definition: checked.as_ref().ok().map(|verified| verified.run.identity.definition),
        broken: checked.err().map(|error| printable(&format!("{error:#}"))),
    }
}

fn check(run: &RunId, ledger: &Ledger) -> Result<Verified> {
    let Some(first) = ledger.entries.first() else { return Err(Broken::Empty.into()) };
    if let Some(foreign) = ledger.entries.iter().find(|entry| entry.run != *run) {
        return Err(Broken::Foreign { seq: foreign.seq }.into());
    }
    let named = first.open()?.after.identity.definition;
    if Digest::of(ledger.definition.as_bytes()) != named {
        return Err(Broken::Definition.into());
    }
    let definition: Definition = serde_json::from_str(&ledger.definition).map_err(|error| {
        anyhow!("the definition is the one named, but this build cannot read it: {error}")
    })?;
    if definition.digest() != named {
        return Err(anyhow!(
            "the definition is the one named, but another build wrote it: verify with that build"
        ));
    }
    Ok(verify(&ledger.entries, &definition)?)
}

fn print_report(report: &Report, screen: &mut Screen) -> Result<()> {
    screen.line(format!("run         {}", report.run))?;
    screen.line(format!("entries     {}", report.entries))?;
    if let Some(definition) = &report.definition {
        screen.line(format!("definition  {definition}"))?;
    }
    if let Some(head) = &report.head {
        screen.line(format!("head        {head}"))?;
    }
    let verdict = match &report.broken {
        None => screen.paint(Style::Green, "verified"),
        Some(broken) => screen.paint(Style::Red, &format!("broken: {broken}")),
    };
    screen.line(verdict)?;
    Ok(())
}

fn print_ledger(ledger: &Ledger, context: &mut Context) -> Result<Exit> {
    if context.is_json() {
        context.screen.json(ledger)?;
        return Ok(Exit::Ok);
    }
    for sealed in &ledger.entries {
        let (line, more) = match sealed.open() {
            Ok(entry) => {
                let queued = if entry.queued { "; queued for a slot" } else { "" };
                let (what, by) = (told::fact(&entry.fact), &entry.by);
                let line = format!("{:>3}  {}  {what}{queued}  (by {by})", entry.seq, entry.at);
                (line, told::more(&entry))
            }
            Err(error) => (format!("{:>3}  {error}", sealed.seq), Vec::new()),
        };
        context.screen.line(printable(&line))?;
        for line in more {
            context.screen.line(format!("     {}", printable(&line)))?;
        }
        let hash: String = sealed.hash.to_string().chars().take(16).collect();
        let hash = context.screen.paint(Style::Dim, &format!("     {hash}…"));
        context.screen.line(hash)?;
    }
    eprintln!(
        "this is what the ledger says; `sop audit verify {}` proves it",
        printable(&ledger.run)
    );
    Ok(Exit::Ok)
}
