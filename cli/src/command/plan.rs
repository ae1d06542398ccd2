//! `sop plan`: the steps, gates and effects that an event, or a start by hand, would lead to.

use anyhow::{Result, bail};
use serde_json::json;
use sop_core::condition::Payload;
use sop_core::event::Data;
use sop_core::matching::{Index, Listed, describe};
use sop_core::{Event, EventId, SopName, Tenant, Timestamp};

use crate::args::{Door, EventArgs, SopsDir};
use crate::context::Context;
use crate::exit::Exit;
use crate::input;
use crate::render::{Screen, Style, printable};
use crate::workspace::Workspace;

mod outline;

use outline::{Held, Outline, Planned, Sops};

/// Arguments of `sop plan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The SOP; every SOP that the event starts when left out
    name: Option<SopName>,
    /// The front door that the event comes in at; a start by hand when left out
    #[arg(long, value_enum)]
    source: Option<Door>,
    /// Path of a webhook, such as /sop/deploy
    #[arg(long)]
    path: Option<String>,
    /// HTTP method of a webhook
    #[arg(long, default_value = "POST")]
    method: String,
    /// Topic of an MQTT message
    #[arg(long)]
    topic: Option<String>,
    /// Cron expression that fires
    #[arg(long)]
    expression: Option<String>,
    /// Board of a device uplink
    #[arg(long)]
    board: Option<String>,
    /// Signal of a device uplink
    #[arg(long)]
    signal: Option<String>,
    /// Source of an event of a bus
    #[arg(long)]
    event_source: Option<String>,
    /// Detail type of an event of a bus
    #[arg(long)]
    detail_type: Option<String>,
    /// Payload: text, @FILE, or - for standard input; what depends on it is left open without one
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    payload: Option<String>,
    #[command(flatten)]
    sops: SopsDir,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let event = event(args)?;
    let workspace = Workspace::read(&args.sops.dir)?;
    if let Some(name) = &args.name
        && workspace.find(name.as_str())?.definition.is_none()
    {
        bail!("`{name}` has errors: `sop validate {name}` shows them");
    }
    let definitions: Vec<_> =
        workspace.folders.iter().filter_map(|folder| folder.definition.as_ref()).collect();
    let index = Index::build(definitions.iter().map(|sop| Listed::from(*sop)));
    let payload = Payload::new(&event.data);
    let sops: Sops<'_> = definitions.iter().map(|sop| (sop.name.clone(), *sop)).collect();
    let is_open = args.payload.is_none();
    let known = (!is_open).then(|| outline::value_of(&event.data));
    let mut plans = Vec::new();
    for found in index.matches(&event, &payload) {
        let listed = &index.sops()[found.sop];
        if args.name.as_ref().is_some_and(|name| *name != listed.name) {
            continue;
        }
        let Some(sop) = sops.get(&listed.name) else { continue };
        let starts = describe(&listed.triggers[found.trigger]);
        plans.push(Outline::of(&sops, sop, starts, known.as_ref(), 0));
    }
    if context.is_json() {
        context.screen.json(&json!({ "plans": plans }))?;
    } else {
        for plan in &plans {
            print(plan, 0, &mut context.screen)?;
        }
    }
    if plans.is_empty() {
        eprintln!("note: it would start nothing; `sop match` tells why");
    }
    Ok(Exit::Ok)
}

fn event(args: &Args) -> Result<Event> {
    let source = match (args.source, &args.name) {
        (Some(source), _) => source,
        (None, Some(_)) => Door::Manual,
        (None, None) => bail!("name an SOP, or an event with `--source`"),
    };
    let described = EventArgs {
        source,
        path: args.path.clone(),
        topic: args.topic.clone(),
        expression: args.expression.clone(),
        board: args.board.clone(),
        signal: args.signal.clone(),
        event_source: args.event_source.clone(),
        detail_type: args.detail_type.clone(),
        payload: args.payload.clone(),
    };
    let at = Timestamp::from_millis(0);
    let is_webhook = source == Door::Webhook;
    Ok(Event {
        id: EventId::derived(at, &["plan"]),
        tenant: Tenant::default(),
        source: input::source(source),
        subject: input::subject(&described, args.name.as_ref().map(SopName::as_str))?,
        time: at,
        data: match &args.payload {
            Some(payload) => input::data(source, Some(payload))?,
            None => Data::Empty,
        },
        target: args.name.clone(),
        catalog: None,
        method: is_webhook.then(|| args.method.to_ascii_uppercase()),
        actor: None,
        trace: None,
        lineage: None,
    })
}

fn print(plan: &Outline, depth: usize, screen: &mut Screen) -> Result<()> {
    let indent = "     ".repeat(depth);
    let name = screen.paint(Style::Bold, &printable(&plan.sop));
    let starts = printable(&plan.starts);
    screen.line(format!("{indent}{name} {}, by {starts}", printable(&plan.version)))?;
    for step in &plan.steps {
        print_step(step, &indent, screen)?;
        if let Some(child) = &step.starts {
            print(child, depth + 1, screen)?;
        }
    }
    if !plan.never.is_empty() {
        let never: Vec<String> = plan.never.iter().map(u32::to_string).collect();
        let text = format!("{indent} not on the way: {}", never.join(", "));
        let line = screen.paint(Style::Dim, &text);
        screen.line(line)?;
    }
    Ok(())
}

fn print_step(step: &Planned, indent: &str, screen: &mut Screen) -> Result<()> {
    let title = screen.paint(Style::Bold, &printable(&step.title));
    screen.line(format!("{indent}{:>3}. {title}", step.step))?;
    let mut lines = Vec::new();
    if !step.after.is_empty() {
        let after: Vec<String> = step.after.iter().map(u32::to_string).collect();
        lines.push(format!("when done: {}", after.join(", ")));
    }
    if let Some(only_if) = &step.only_if {
        let so = match &only_if.held {
            Held::Yes => "holds".to_owned(),
            Held::No => "does not hold: the step is skipped".to_owned(),
            Held::Open { on } => format!("depends on {}", on.join(" and ")),
        };
        lines.push(format!("if {}: {so}", only_if.condition));
    }
    if !step.is_skipped() {
        lines.extend(step.gate.clone());
        lines.push(step.does.clone());
        lines.extend(step.fails.clone());
        for way in &step.ways {
            let so = match &way.held {
                Held::Yes => String::new(),
                Held::No => continue,
                Held::Open { on } => format!(", which depends on {}", on.join(" and ")),
            };
            lines.push(format!("{}{so}", way.text));
        }
    }
    for line in lines {
        screen.line(format!("{indent}     {}", printable(&line)))?;
    }
    Ok(())
}
