//! `sop events`: the dispatch log, each event with the verdict of each SOP and its reason.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::{Ask, Client, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::input::{now, since};
use crate::render::{Screen, Style, count, printable};
use crate::wire::{Event, Verdict};

/// Events that one page holds at most, and pages that are looked through.
const PAGE_EVENTS_MAX: usize = 100;
const PAGES_MAX: usize = 50;

/// Characters of a payload that its line shows.
const PAYLOAD_CHARS: usize = 100;

/// Arguments of `sop events`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How far back: 15m, 1h, 7d, or an RFC 3339 time; a day when left out
    #[arg(long)]
    since: Option<String>,
    /// Only events that started nothing
    #[arg(long)]
    unmatched: bool,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

#[derive(Debug, Deserialize)]
struct Page {
    events: Vec<Value>,
    #[serde(default)]
    next_cursor: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
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
    // Filtered here, so that a page may hold fewer than it was asked for.
    let size = if args.unmatched { PAGE_EVENTS_MAX } else { args.limit.clamp(1, PAGE_EVENTS_MAX) };
    for _ in 0..PAGES_MAX {
        let ask = Ask::get(&["api", "events"])
            .query("since", since)
            .query("limit", Some(size))
            .query("cursor", cursor.as_deref());
        let page: Page = client.send(ask).await?;
        for value in page.events {
            let event: Event = read(&value)?;
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
