//! `sop backtest`: recorded events against local definitions, and what that would change. Sends nothing.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sop_core::condition::Payload;
use sop_core::definition::Trigger;
use sop_core::event::{Data, Source};
use sop_core::matching::{Index, Listed};
use sop_core::{Event, EventId, SopName, Tenant, Timestamp};

use crate::args::SopsDir;
use crate::client::{Ask, Client, ClientError};
use crate::context::Context;
use crate::exit::Exit;
use crate::input::{now, since};
use crate::render::{Screen, Style, count, printable};
use crate::workspace::Workspace;

/// Events that one page holds at most, and pages that are looked through.
const PAGE_EVENTS_MAX: usize = 100;
const PAGES_MAX: usize = 1_000;

/// Arguments of `sop backtest`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One SOP by name; all local ones when left out
    name: Option<String>,
    /// How far back: 15m, 1h, 7d, or an RFC 3339 time
    #[arg(long, default_value = "30d")]
    since: String,
    /// Show what stays the same, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    sops: SopsDir,
}

#[derive(Debug, Deserialize)]
struct Page {
    events: Vec<Recorded>,
    #[serde(default)]
    next_cursor: Option<String>,
}

/// A line of the dispatch log.
#[derive(Debug, Deserialize)]
struct Recorded {
    event: String,
    time: String,
    source: String,
    subject: String,
    #[serde(default)]
    detail: Detail,
}

#[derive(Debug, Default, Deserialize)]
struct Detail {
    #[serde(default)]
    verdicts: Vec<Verdict>,
    #[serde(default)]
    payload: Option<String>,
    #[serde(default)]
    payload_bytes: usize,
}

#[derive(Debug, Deserialize)]
struct Verdict {
    sop: String,
    matched: bool,
    #[serde(default)]
    trigger: Option<String>,
}

/// What an event would mean for an SOP, compared with what it meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    /// It would start it, and did not.
    Newly,
    /// It would not start it any more.
    NoLonger,
    /// It started it and would again.
    Same,
    /// Only a part of its payload is kept.
    Undecided,
}

/// One event and one SOP.
#[derive(Debug, Serialize)]
struct Line {
    event: String,
    time: String,
    source: String,
    subject: String,
    sop: String,
    change: Change,
    reason: String,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let workspace = Workspace::read(&args.sops.dir)?;
    let names: Vec<String> = args.name.iter().cloned().collect();
    let workspace = workspace.only(&names)?;
    let sops = Local::of(&workspace);
    let from = since(&args.since, now())?;
    let client = context.client()?;
    let mut recorded = recorded(&client, from).await?;
    for event in &mut recorded {
        if sops.needs_payload(event) {
            fill_in(&client, event).await?;
        }
    }
    let mut lines: Vec<Line> = recorded.iter().flat_map(|event| sops.judge(event)).collect();
    // The log lists the newest first; people read on from the oldest.
    lines.reverse();
    let of = |change: Change| lines.iter().filter(|line| line.change == change).count();
    let summary = json!({
        "events": recorded.len(),
        "newly": of(Change::Newly),
        "no_longer": of(Change::NoLonger),
        "same": of(Change::Same),
        "undecided": of(Change::Undecided),
    });
    lines.retain(|line| args.all || line.change != Change::Same);
    if context.is_json() {
        context
            .screen
            .json(&json!({ "since": from.to_string(), "summary": summary, "lines": lines }))?;
        return Ok(Exit::Ok);
    }
    for line in &lines {
        print(line, &mut context.screen)?;
    }
    context.screen.line(format!(
        "{} since {from}: {} would newly start something, {} no longer, {} the same, {} cannot be decided",
        count(recorded.len(), "event"),
        summary["newly"],
        summary["no_longer"],
        summary["same"],
        summary["undecided"],
    ))?;
    if workspace.folders.iter().any(|folder| folder.definition.is_none()) {
        eprintln!("note: SOPs with errors are left out; `sop validate` shows them");
    }
    Ok(Exit::Ok)
}

/// The events of the dispatch log, newest first.
async fn recorded(client: &Client, from: Timestamp) -> Result<Vec<Recorded>> {
    let from = from.to_string();
    let (mut events, mut cursor): (Vec<Recorded>, Option<String>) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let ask = Ask::get(&["api", "events"])
            .query("since", Some(&from))
            .query("limit", Some(PAGE_EVENTS_MAX))
            .query("cursor", cursor.as_deref());
        let page: Page = client.send(ask).await?;
        events.extend(page.events);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(events);
        }
    }
    eprintln!("note: only the newest {} events were looked at", events.len());
    Ok(events)
}

/// Puts the whole payload in the place of its beginning, where the host has kept it.
async fn fill_in(client: &Client, event: &mut Recorded) -> Result<()> {
    let whole: Value = match client.send(Ask::get(&["api", "events", &event.event])).await {
        Ok(whole) => whole,
        // Its line has expired meanwhile, or the host is too old to tell.
        Err(ClientError::Refused(problem)) if problem.status == 404 => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if let Some(payload) = whole["detail"]["payload"].as_str() {
        event.detail.payload = Some(payload.to_owned());
    }
    Ok(())
}

/// The local definitions.
struct Local {
    index: Index,
    /// The same without conditions: whom an event could start whose payload is not kept whole.
    loose: Index,
}

impl Local {
    fn of(workspace: &Workspace) -> Self {
        let definitions = workspace.folders.iter().filter_map(|folder| folder.definition.as_ref());
        let mut listed: Vec<Listed> = definitions.map(Listed::from).collect();
        listed.iter_mut().flat_map(|sop| &mut sop.triggers).for_each(of_any_method);
        let loose = listed.iter().cloned().map(|mut sop| {
            sop.triggers.iter_mut().for_each(without_condition);
            sop
        });
        Self { loose: Index::build(loose), index: Index::build(listed.clone()) }
    }

    /// Whether some SOP's condition asks for more of the payload than a page of the log has.
    fn needs_payload(&self, recorded: &Recorded) -> bool {
        event(recorded).is_some_and(|(event, is_whole)| {
            !is_whole && !self.loose.matches(&event, &Payload::new(&event.data)).is_empty()
        })
    }

    /// What `recorded` would mean for each local SOP that it meant or would mean something for.
    fn judge(&self, recorded: &Recorded) -> Vec<Line> {
        let Some((event, is_whole)) = event(recorded) else { return Vec::new() };
        let payload = Payload::new(&event.data);
        let started = |index: &Index| -> BTreeSet<String> {
            let found = index.matches(&event, &payload);
            found.iter().map(|found| index.sops()[found.sop].name.to_string()).collect()
        };
        let now = started(&self.index);
        let open = if is_whole { BTreeSet::new() } else { started(&self.loose) };
        let is_start = |verdict: &&Verdict| {
            let is_wait = verdict.trigger.as_deref().is_some_and(|it| it.starts_with("wait.event"));
            verdict.matched && !is_wait
        };
        let is_here =
            |name: &String| SopName::parse(name).is_ok_and(|name| self.index.find(&name).is_some());
        let verdicts = recorded.detail.verdicts.iter().filter(is_start);
        let before: BTreeSet<String> =
            verdicts.map(|verdict| verdict.sop.clone()).filter(is_here).collect();
        let explained = self.index.explain(&event, &payload);
        let reason = |name: &String| {
            let verdict = explained.iter().find(|verdict| verdict.sop.as_str() == name);
            verdict.map_or_else(String::new, |verdict| verdict.reason.clone())
        };
        let all: BTreeSet<&String> = now.iter().chain(&before).chain(&open).collect();
        let judged = all.into_iter().map(|name| {
            let (change, reason) = match (before.contains(name), now.contains(name)) {
                (true, true) => (Change::Same, reason(name)),
                (false, true) => (Change::Newly, reason(name)),
                (_, false) if open.contains(name) => (Change::Undecided, kept(&recorded.detail)),
                (_, false) => (Change::NoLonger, reason(name)),
            };
            Line {
                event: recorded.event.clone(),
                time: recorded.time.clone(),
                source: recorded.source.clone(),
                subject: recorded.subject.clone(),
                sop: name.clone(),
                change,
                reason,
            }
        });
        judged.collect()
    }
}

/// What of a payload the log has.
fn kept(detail: &Detail) -> String {
    let kept = detail.payload.as_ref().map_or(0, String::len);
    format!(
        "its condition needs the payload, of which {kept} of {} bytes are kept",
        detail.payload_bytes
    )
}

/// The log does not keep the method of a call; what came with a wrong one is not in it.
fn of_any_method(trigger: &mut Trigger) {
    if let Trigger::Webhook(webhook) = trigger {
        webhook.method = None;
    }
}

fn without_condition(trigger: &mut Trigger) {
    match trigger {
        Trigger::Webhook(webhook) => webhook.condition = None,
        Trigger::Mqtt { condition, .. }
        | Trigger::Peripheral { condition, .. }
        | Trigger::Event { condition, .. } => *condition = None,
        Trigger::Manual | Trigger::Cron { .. } => {}
    }
}

/// The event that was recorded, and whether its payload is whole; none for what steps and people have
/// started of their own.
fn event(recorded: &Recorded) -> Option<(Event, bool)> {
    let source: Source = serde_json::from_value(Value::String(recorded.source.clone())).ok()?;
    let detail = &recorded.detail;
    let target = match source {
        Source::Sop => return None,
        Source::Manual => Some(SopName::parse(&recorded.subject).ok()?),
        // A schedule's event is one SOP's own.
        Source::Cron => {
            let own = detail.verdicts.iter().find(|verdict| verdict.matched)?;
            Some(SopName::parse(&own.sop).ok()?)
        }
        Source::Webhook | Source::Mqtt | Source::Peripheral | Source::Event => None,
    };
    let is_whole = detail.payload.as_ref().map_or(0, String::len) == detail.payload_bytes;
    let data = match &detail.payload {
        Some(text) if is_whole => Data::Text(text.clone()),
        Some(_) | None => Data::Empty,
    };
    let time = Timestamp::parse_rfc3339(&recorded.time)?;
    let event = Event {
        id: EventId::derived(time, &["backtest", &recorded.event]),
        tenant: Tenant::default(),
        source,
        subject: recorded.subject.clone(),
        time,
        data,
        target,
        catalog: None,
        method: None,
        actor: None,
        trace: None,
        lineage: None,
    };
    Some((event, is_whole))
}

fn print(line: &Line, screen: &mut Screen) -> Result<()> {
    let (mark, style, says) = match line.change {
        Change::Newly => ("+", Style::Green, "would newly start"),
        Change::NoLonger => ("-", Style::Red, "would no longer start"),
        Change::Same => ("=", Style::Dim, "would again start"),
        Change::Undecided => ("?", Style::Yellow, "may or may not start"),
    };
    let mark = screen.paint(style, mark);
    let (time, source) = (printable(&line.time), printable(&line.source));
    let (subject, sop, reason) =
        (printable(&line.subject), printable(&line.sop), printable(&line.reason));
    screen.line(format!("{mark} {time}  {source} {subject}  {says} {sop}: {reason}"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sop_core::definition::{SourceFiles, Workspace as Rules, parse};

    fn local(condition: &str) -> Local {
        let toml = format!(
            "[sop]\nname = \"alarm\"\ndescription = \"x\"\nversion = \"1\"\nexecution_mode = \"auto\"\n\
             [[triggers]]\ntype = \"mqtt\"\ntopic = \"a/+\"\ncondition = '{condition}'\n"
        );
        let markdown = Some("## Steps\n\n1. **Do** — it.\n".to_owned());
        let files = SourceFiles { directory: "sops/alarm".into(), toml, markdown };
        let definition = parse(&files, &Rules::default()).definition.unwrap();
        let listed = Listed::from(&definition);
        let mut loose = listed.clone();
        loose.triggers.iter_mut().for_each(without_condition);
        Local { index: Index::build([listed]), loose: Index::build([loose]) }
    }

    fn line(topic: &str, payload: &str, bytes: usize, matched: bool) -> Recorded {
        let verdicts =
            json!([{ "sop": "alarm", "matched": matched }, { "sop": "gone", "matched": true }]);
        let detail = json!({ "verdicts": verdicts, "payload": payload, "payload_bytes": bytes });
        let line = json!({ "event": "e1", "time": "2026-03-01T08:00:00.000Z", "source": "mqtt",
            "subject": topic, "detail": detail });
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn each_event_is_new_gone_the_same_or_undecided() {
        let sops = local("$.t > 5");
        let changes = |line: &Recorded| -> Vec<Change> {
            sops.judge(line).into_iter().map(|line| line.change).collect()
        };
        assert_eq!(changes(&line("a/b", "{\"t\":6}", 7, false)), [Change::Newly]);
        assert_eq!(changes(&line("a/b", "{\"t\":6}", 7, true)), [Change::Same]);
        assert_eq!(changes(&line("a/b", "{\"t\":5}", 7, true)), [Change::NoLonger]);
        assert_eq!(changes(&line("a/b", "{\"t\":5}", 7, false)), []);
        assert_eq!(changes(&line("b/b", "{\"t\":6}", 7, true)), [Change::NoLonger]);
        assert_eq!(changes(&line("a/b", "{\"pad\":", 9_000, true)), [Change::Undecided]);
        assert_eq!(changes(&line("a/b", "{\"pad\":", 9_000, false)), [Change::Undecided]);
        assert_eq!(changes(&line("b/b", "{\"pad\":", 9_000, false)), []);
    }
}
