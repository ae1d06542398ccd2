//! `sop events`: the dispatch log, each event with the verdict of each SOP and its reason.

use anyhow::Result;
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};
use sop_core::SopName;

use crate::args::Door;
use crate::client::{Ask, Client, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::input::{self, now, since};
use crate::render::{Screen, Style, count, printable, printable_block};
use crate::wire::{Event, Verdict};

/// Events that one page holds at most, and pages that are looked through.
const PAGE_EVENTS_MAX: usize = 100;
const PAGES_MAX: usize = 50;

/// Characters of a payload that its line shows.
const PAYLOAD_CHARS: usize = 100;

/// Arguments of `sop events`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// How far back: 15m, 1h, 7d, or an RFC 3339 time; a day when left out
    #[arg(long)]
    since: Option<String>,
    /// Only events of this front door
    #[arg(long, value_enum)]
    source: Option<Door>,
    /// Only events that started nothing
    #[arg(long, conflicts_with = "matched")]
    unmatched: bool,
    /// Only events that started something
    #[arg(long)]
    matched: bool,
    /// Only events that this SOP has a verdict on
    #[arg(long)]
    sop: Option<SopName>,
    /// Tell why one event started what it did, and nothing else
    #[arg(long, value_name = "ID", conflicts_with_all = ["since", "source", "unmatched", "matched", "sop"])]
    why: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show one event with its whole payload and the verdict of each SOP
    Show {
        /// Id of the event
        id: String,
    },
    /// Send a recorded event again, as a new one
    Replay {
        /// Id of the event
        id: String,
        /// Only to this SOP
        #[arg(long)]
        sop: Option<SopName>,
    },
}

#[derive(Debug, Deserialize)]
struct Page {
    events: Vec<Value>,
    #[serde(default)]
    next_cursor: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    match (&args.action, &args.why) {
        (Some(Action::Show { id }), _) => show(id, true, context).await,
        (Some(Action::Replay { id, sop }), _) => replay(id, sop.as_ref(), context).await,
        (None, Some(id)) => show(id, false, context).await,
        (None, None) => list(args, context).await,
    }
}

async fn show(id: &str, whole: bool, context: &mut Context) -> Result<Exit> {
    let value: Value = context.client()?.send(Ask::get(&["api", "events", id])).await?;
    if context.is_json() {
        context.screen.json(&value)?;
        return Ok(Exit::Ok);
    }
    let event: Event = read(&value)?;
    print(&event, &mut context.screen)?;
    let Some(detail) = event.detail.filter(|_| whole) else { return Ok(Exit::Ok) };
    let told = [
        ("from", &detail.actor),
        ("replay of", &detail.replay_of),
        ("trace", &detail.trace),
        ("base 64", &detail.payload_base64),
    ];
    for (label, said) in told {
        if let Some(said) = said {
            context.screen.line(format!("  {label}: {}", printable(said)))?;
        }
    }
    if let Some(payload) = &detail.payload {
        let pretty = serde_json::from_str::<Value>(payload)
            .and_then(|payload| serde_json::to_string_pretty(&payload))
            .unwrap_or_else(|_| payload.clone());
        context.screen.line(printable_block(&pretty))?;
    }
    Ok(Exit::Ok)
}

async fn replay(id: &str, sop: Option<&SopName>, context: &mut Context) -> Result<Exit> {
    let path = ["api", "events", id, "replay"];
    let body = match sop {
        Some(sop) => json!({ "sop": sop }),
        None => json!({}),
    };
    let answer: Value = context.client()?.send(Ask::post(&path).json(&body)).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
    } else {
        let again = printable(answer["event_id"].as_str().unwrap_or_default());
        context.screen.line(format!("sent again as event {again}"))?;
        eprintln!("next: `sop events --why {again}{}` tells what came of it", context.suffix());
    }
    Ok(Exit::Ok)
}

async fn list(args: &Args, context: &mut Context) -> Result<Exit> {
    let since = args.since.as_deref().map(|text| since(text, now())).transpose()?;
    let since = since.map(|at| at.to_string());
    let client = context.client()?;
    let events = collect(args, since.as_deref(), &client).await?;
    if context.is_json() {
        let events: Vec<Value> = events.into_iter().map(|(value, _)| value).collect();
        context.screen.json(&json!({ "events": events }))?;
        return Ok(Exit::Ok);
    }
    if events.is_empty() {
        eprintln!("no such events; `sop events --since 7d{}` looks further back", context.suffix());
    }
    for (_, event) in &events {
        print(event, &mut context.screen)?;
    }
    Ok(Exit::Ok)
}

async fn collect(args: &Args, since: Option<&str>, client: &Client) -> Result<Vec<(Value, Event)>> {
    let mut kept = Vec::new();
    let mut cursor: Option<String> = None;
    let outcome = match (args.matched, args.unmatched) {
        (true, _) => Some("matched"),
        (false, true) => Some("unmatched"),
        (false, false) => None,
    };
    let source = args.source.map(|door| input::source(door).as_str());
    for _ in 0..PAGES_MAX {
        let ask = Ask::get(&["api", "events"])
            .query("since", since)
            .query("source", source)
            .query("outcome", outcome)
            .query("sop", args.sop.as_ref())
            .query("limit", Some((args.limit - kept.len()).clamp(1, PAGE_EVENTS_MAX)))
            .query("cursor", cursor.as_deref());
        let page: Page = client.send(ask).await?;
        for value in page.events {
            let event: Event = read(&value)?;
            // A host that does not know the filter answers with all.
            let is_wanted = !args.unmatched || event.outcome != "matched";
            if is_wanted && kept.len() < args.limit {
                kept.push((value, event));
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() || kept.len() >= args.limit {
            return Ok(kept);
        }
    }
    eprintln!("note: only the newest {PAGES_MAX} pages were looked through");
    Ok(kept)
}

fn print(event: &Event, screen: &mut Screen) -> Result<()> {
    let style = if event.outcome == "matched" { Style::Green } else { Style::Yellow };
    let outcome = screen.paint(style, &printable(&event.outcome));
    let subject = screen.paint(Style::Bold, &printable(&event.subject));
    screen.line(format!(
        "{}  {} {subject}  {outcome}  {}",
        printable(&event.time),
        printable(&event.source),
        printable(&event.event)
    ))?;
    let Some(detail) = &event.detail else { return Ok(()) };
    if let Some(not_written) = detail.not_written {
        let more = count(not_written, "more unmatched event");
        screen.line(format!("  {more} of that minute not written"))?;
    }
    if let Some(payload) = &detail.payload {
        let shown: String = payload.chars().take(PAYLOAD_CHARS).collect();
        let more = if payload.chars().count() > PAYLOAD_CHARS { "…" } else { "" };
        let line = screen.paint(Style::Dim, &format!("    {}{more}", printable(&shown)));
        screen.line(line)?;
    }
    for verdict in &detail.verdicts {
        screen.line(verdict_line(verdict))?;
    }
    if detail.others > 0 {
        let others = count(detail.others, "other SOP");
        let line = screen.paint(Style::Dim, &format!("  · {others} without such a trigger"));
        screen.line(line)?;
    }
    Ok(())
}

fn verdict_line(verdict: &Verdict) -> String {
    let mark = if verdict.matched { "✔" } else { "·" };
    let run = verdict.run.as_deref().map(|run| format!(" → run {}", printable(run)));
    let (sop, reason) = (printable(&verdict.sop), printable(&verdict.reason));
    format!("  {mark} {sop}: {reason}{}", run.unwrap_or_default())
}
