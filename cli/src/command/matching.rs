//! `sop match`: which local SOPs an event would start, and why the others would not.

use anyhow::Result;
use serde::Serialize;
use sop_core::condition::Payload;
use sop_core::definition::Severity;
use sop_core::matching::{Index, Listed};
use sop_core::{Event, EventId, SopName, Tenant, Timestamp};

use crate::args::{Door, EventArgs, SopsDir};
use crate::context::Context;
use crate::exit::Exit;
use crate::input;
use crate::render::{Style, count, printable};
use crate::workspace::{Folder, Workspace};

/// Arguments of `sop match`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    event: EventArgs,
    /// HTTP method of a webhook
    #[arg(long, default_value = "POST")]
    method: String,
    /// Only this SOP, as a manual start by name
    #[arg(long)]
    sop: Option<SopName>,
    #[command(flatten)]
    sops: SopsDir,
}

/// The answer, in JSON: stable.
#[derive(Debug, Serialize)]
struct Answer {
    matched: Vec<String>,
    verdicts: Vec<Verdict>,
}

#[derive(Debug, Serialize)]
struct Verdict {
    sop: String,
    matched: bool,
    trigger: Option<String>,
    reason: String,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let event = event(args)?;
    let workspace = Workspace::read(&args.sops.dir)?;
    if let Some(sop) = &args.sop {
        workspace.find(sop.as_str())?;
    }
    let definitions = workspace.folders.iter().filter_map(|folder| folder.definition.as_ref());
    let index = Index::build(definitions.map(Listed::from));
    let payload = Payload::new(&event.data);
    let explained = index.explain(&event, &payload).into_iter().map(|verdict| Verdict {
        sop: verdict.sop.to_string(),
        matched: verdict.matched,
        trigger: verdict.trigger,
        reason: verdict.reason,
    });
    let broken: Vec<&Folder> =
        workspace.folders.iter().filter(|folder| folder.definition.is_none()).collect();
    let mut verdicts: Vec<Verdict> = explained.chain(broken.iter().map(|it| refused(it))).collect();
    verdicts.sort_by(|a, b| a.sop.cmp(&b.sop));
    let matched = verdicts.iter().filter(|it| it.matched).map(|it| it.sop.clone()).collect();
    let answer = Answer { matched, verdicts };
    if context.is_json() {
        context.screen.json(&answer)?;
    } else {
        print(&answer, context)?;
    }
    if !broken.is_empty() {
        eprintln!(
            "note: {} with errors cannot match; `sop validate` shows them",
            count(broken.len(), "SOP")
        );
    }
    Ok(Exit::Ok)
}

fn event(args: &Args) -> Result<Event> {
    let at = Timestamp::from_millis(0);
    let is_webhook = args.event.source == Door::Webhook;
    Ok(Event {
        id: EventId::derived(at, &["match"]),
        tenant: Tenant::default(),
        source: input::source(args.event.source),
        subject: input::subject(&args.event, args.sop.as_ref().map(SopName::as_str))?,
        time: at,
        data: input::data(args.event.source, args.event.payload.as_deref())?,
        target: args.sop.clone(),
        catalog: None,
        method: is_webhook.then(|| args.method.to_ascii_uppercase()),
        actor: None,
        trace: None,
        lineage: None,
    })
}

/// The verdict of an SOP that has errors.
fn refused(folder: &Folder) -> Verdict {
    let first = folder.diagnostics.iter().find(|found| found.severity == Severity::Error);
    let reason = match first {
        Some(found) => format!("its definition has errors: {} ({})", found.message, found.code),
        None => "its definition has errors".to_owned(),
    };
    Verdict { sop: folder.label().to_owned(), matched: false, trigger: None, reason }
}

fn print(answer: &Answer, context: &mut Context) -> Result<()> {
    let screen = &mut context.screen;
    let width = answer.verdicts.iter().map(|verdict| verdict.sop.chars().count()).max();
    let width = width.unwrap_or_default();
    for verdict in &answer.verdicts {
        let mark = if verdict.matched {
            screen.paint(Style::Green, "✔")
        } else {
            screen.paint(Style::Dim, "·")
        };
        let trigger = match &verdict.trigger {
            Some(trigger) => format!("[{}] ", printable(trigger)),
            None => String::new(),
        };
        let sop = printable(&verdict.sop);
        screen.line(format!("{mark} {sop:<width$}  {trigger}{}", printable(&verdict.reason)))?;
    }
    let total = count(answer.verdicts.len(), "SOP");
    screen.line(format!("{} of {total} would start", answer.matched.len()))?;
    Ok(())
}
