//! `sop show`: one definition, as the engine understands it.

use anyhow::{Result, bail};
use serde_json::Value;
use sop_core::condition::Condition;
use sop_core::definition::{self, Definition, Step, StepKind, Trigger};
use sop_core::matching::describe;

use crate::args::{Format, SopsDir};
use crate::client::{Ask, read};
use crate::command::{list::word, validate};
use crate::context::Context;
use crate::exit::Exit;
use crate::render::{Screen, Style, printable, printable_block};
use crate::workspace::Workspace;

/// Arguments of `sop show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the SOP
    name: String,
    /// The one active on the host instead of the local one
    #[arg(long)]
    remote: bool,
    #[command(flatten)]
    sops: SopsDir,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let definition = if args.remote {
        let answer: Value = context.client()?.send(Ask::get(&["api", "sops", &args.name])).await?;
        read(&answer["sop"])?
    } else {
        let workspace = Workspace::read(&args.sops.dir)?;
        let folder = workspace.find(&args.name)?;
        match &folder.definition {
            Some(definition) => definition.clone(),
            None if context.is_json() => {
                bail!("`{}` has errors: `sop validate {}` shows them", args.name, args.name)
            }
            None => {
                validate::print(folder, &mut context.screen)?;
                return Ok(Exit::Found);
            }
        }
    };
    match context.format {
        Format::Json => context.screen.json(&definition)?,
        Format::Text => print(&definition, &mut context.screen)?,
        Format::Toml => context.screen.text(&definition::print(&definition).toml)?,
        Format::Md => {
            let markdown = definition::print(&definition).markdown.unwrap_or_default();
            context.screen.text(&markdown)?;
        }
    }
    Ok(Exit::Ok)
}

fn print(sop: &Definition, screen: &mut Screen) -> Result<()> {
    let title = screen.paint(Style::Bold, sop.name.as_str());
    screen.line(format!("{title} {}", printable(&sop.version)))?;
    screen.line(printable(&sop.description))?;
    screen.line("")?;
    let mut facts = vec![
        ("priority", word(&sop.priority)),
        ("mode", word(&sop.execution_mode)),
        ("digest", sop.digest().to_string()),
    ];
    if let Some(most) = sop.max_concurrent {
        facts.push(("at once", most.to_string()));
    }
    if sop.cooldown_secs > 0 {
        facts.push(("cooldown", format!("{} s", sop.cooldown_secs)));
    }
    for (name, value) in [("owner", &sop.owner), ("workstream", &sop.workstream)] {
        facts.extend(value.clone().map(|value| (name, value)));
    }
    for trigger in &sop.triggers {
        let condition = condition(trigger).map(|text| format!(" when {text}"));
        facts.push(("trigger", describe(trigger) + &condition.unwrap_or_default()));
    }
    for (name, value) in facts {
        screen.line(format!("{name:<11} {}", printable(&value)))?;
    }
    for step in &sop.steps {
        screen.line("")?;
        print_step(step, screen)?;
    }
    Ok(())
}

fn condition(trigger: &Trigger) -> Option<&str> {
    let condition = match trigger {
        Trigger::Manual | Trigger::Cron { .. } => return None,
        Trigger::Webhook(webhook) => &webhook.condition,
        Trigger::Mqtt { condition, .. }
        | Trigger::Peripheral { condition, .. }
        | Trigger::Event { condition, .. } => condition,
    };
    condition.as_ref().map(Condition::as_str)
}

fn print_step(step: &Step, screen: &mut Screen) -> Result<()> {
    let title = screen.paint(Style::Bold, &printable(&step.title));
    let mut notes: Vec<String> = match (&step.capability, step.kind) {
        (Some(capability), _) => vec![capability.clone()],
        (None, StepKind::Checkpoint) => vec!["checkpoint".to_owned()],
        (None, StepKind::Execute | StepKind::Capability) => Vec::new(),
    };
    if step.requires_confirmation {
        notes.push("waits for a yes".to_owned());
    }
    if !step.suggested_tools.is_empty() {
        notes.push(format!("tools: {}", step.suggested_tools.join(", ")));
    }
    let notes = match notes.as_slice() {
        [] => String::new(),
        notes => format!("  ({})", printable(&notes.join("; "))),
    };
    screen.line(format!("{}. {title}{notes}", step.number))?;
    for line in printable_block(&step.body).lines() {
        screen.line(format!("   {line}").trim_end())?;
    }
    Ok(())
}
