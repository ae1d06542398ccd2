//! `sop trace`: where the time of a run went, from the door to the last step, through every function.

mod otlp;
mod tree;

use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::json;
use sop_core::RunId;
use sop_core::definition::Definition;
use sop_core::journal::Entry;
use sop_core::trace::{Trace, of_run};

use crate::client::Client;
use crate::command::audit::{self, told};
use crate::context::Context;
use crate::exit::Exit;
use crate::resolve;

/// Runs that started one another, at most.
/// Source: docs/semantics.md, sub-procedures.
const DEPTH_MAX: usize = 8;

/// Arguments of `sop trace`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    run: String,
    /// Print the spans as OpenTelemetry's OTLP in JSON, for a collector
    #[arg(long)]
    otlp: bool,
}

/// One span, in JSON.
#[derive(Debug, Clone, Serialize)]
struct Row {
    id: String,
    parent: Option<String>,
    service: String,
    name: String,
    /// Milliseconds since 1970.
    began: i64,
    /// Milliseconds since 1970; null while it goes on.
    ended: Option<i64>,
    failed: bool,
    marks: Vec<Mark>,
}

/// One entry of a ledger.
#[derive(Debug, Clone, Serialize)]
struct Mark {
    at: i64,
    service: &'static str,
    run: String,
    seq: u64,
    by: String,
    what: String,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let run = resolve::run_id(&client, &args.run).await?;
    let (trace, rows) = spans(&client, run).await?;
    if args.otlp {
        context.screen.json(&otlp::export(&trace, &rows))?;
    } else if context.is_json() {
        context.screen.json(&json!({ "trace": trace, "spans": rows }))?;
    } else {
        tree::print(&trace, &rows, &mut context.screen)?;
    }
    Ok(Exit::Ok)
}

/// The trace's id, and its spans with those of the runs that the run started beneath theirs.
async fn spans(client: &Client, run: RunId) -> Result<(String, Vec<Row>)> {
    let (id, mut rows) = of_one(client, &run).await?;
    let mut known = vec![run];
    for _ in 1..DEPTH_MAX {
        let children: Vec<(String, RunId)> = rows
            .iter()
            .filter(|row| row.service == "child")
            .filter_map(|row| {
                let child = RunId::parse(row.name.rsplit(' ').next()?).ok()?;
                (!known.contains(&child)).then(|| (row.id.clone(), child))
            })
            .collect();
        if children.is_empty() {
            break;
        }
        for (parent, child) in children {
            let (_, below) = of_one(client, &child).await?;
            // A child came in at no door: its run hangs below the step that started it.
            let door = below.first().map(|row| row.id.clone());
            rows.extend(below.into_iter().skip(1).map(|row| {
                let top = row.parent == door;
                Row { parent: if top { Some(parent.clone()) } else { row.parent }, ..row }
            }));
            known.push(child);
        }
    }
    Ok((id, rows))
}

async fn of_one(client: &Client, run: &RunId) -> Result<(String, Vec<Row>)> {
    let ledger = audit::ledger(client, run).await?;
    let entries: Vec<Entry> =
        ledger.entries.iter().map(|sealed| sealed.open()).collect::<Result<_, _>>()?;
    let sop: Definition = serde_json::from_str(&ledger.definition)?;
    let Some(Trace { id, spans }) = of_run(&sop, &entries) else {
        bail!("run `{run}` has no ledger");
    };
    let what = |seq: u64| {
        entries.iter().find(|entry| entry.seq == seq).map(|entry| told::fact(&entry.fact))
    };
    let rows = spans
        .into_iter()
        .map(|span| Row {
            id: span.id,
            parent: span.parent,
            service: span.service,
            name: span.name,
            began: span.began.as_millis(),
            ended: span.ended.map(|ended| ended.as_millis()),
            failed: span.failed,
            marks: span
                .marks
                .into_iter()
                .map(|mark| Mark {
                    at: mark.at.as_millis(),
                    service: mark.service,
                    run: run.to_string(),
                    seq: mark.seq,
                    by: mark.by,
                    what: what(mark.seq).unwrap_or_default(),
                })
                .collect(),
        })
        .collect();
    Ok((id, rows))
}
