//! `sop validate`: says precisely what is wrong with definitions.

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;
use sop_core::definition::{Diagnostic, Severity, diagnostic};

use crate::args::SopsDir;
use crate::context::Context;
use crate::exit::Exit;
use crate::render::{Screen, Style, count};
use crate::workspace::{Folder, Workspace};

/// Arguments of `sop validate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One SOP by name, or a directory (anything with a `/`); all of `--sops` when left out
    name: Option<String>,
    /// Fail on these too
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    #[command(flatten)]
    sops: SopsDir,
}

/// What else counts as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Deny {
    /// Warnings
    Warnings,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let workspace = match &args.name {
        None => Workspace::read(&args.sops.dir)?,
        Some(path) if path.contains('/') || path == "." || path == ".." => {
            Workspace::read(&PathBuf::from(path))?
        }
        Some(name) => Workspace::read(&args.sops.dir)?.only(std::slice::from_ref(name))?,
    };
    let errors = workspace.count(Severity::Error);
    let warnings = workspace.count(Severity::Warning);
    if context.is_json() {
        let diagnostics: Vec<&Diagnostic> = workspace.diagnostics().collect();
        context.screen.json(&json!({
            "sops": workspace.folders.len(),
            "errors": errors,
            "warnings": warnings,
            "diagnostics": diagnostics,
        }))?;
    } else {
        print_all(&workspace, &mut context.screen)?;
        summary(&workspace, &mut context.screen)?;
    }
    let is_denied = args.deny == Some(Deny::Warnings) && warnings > 0;
    Ok(if errors > 0 || is_denied { Exit::Found } else { Exit::Ok })
}

/// Prints all that is to be said, first about what the folders share.
pub(crate) fn print_all(workspace: &Workspace, screen: &mut Screen) -> Result<()> {
    if let Some(shared) = &workspace.shared {
        for found in &shared.diagnostics {
            print_one(found, &shared.toml, screen)?;
        }
    }
    workspace.folders.iter().try_for_each(|folder| print(folder, screen))
}

/// Prints what is to be said about `folder`, each with the line it is about.
pub(crate) fn print(folder: &Folder, screen: &mut Screen) -> Result<()> {
    for found in &folder.diagnostics {
        print_one(found, folder.source_of(found), screen)?;
    }
    Ok(())
}

fn print_one(found: &Diagnostic, source: &str, screen: &mut Screen) -> Result<()> {
    let text = diagnostic::render(found, source);
    let style = match found.severity {
        Severity::Error => Style::Red,
        Severity::Warning => Style::Yellow,
    };
    let (head, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let head = screen.paint(style, head);
    screen.line(head)?;
    screen.text(rest)?;
    screen.line("")?;
    Ok(())
}

fn summary(workspace: &Workspace, screen: &mut Screen) -> Result<()> {
    let (errors, warnings) = (workspace.count(Severity::Error), workspace.count(Severity::Warning));
    let sops = count(workspace.folders.len(), "SOP");
    let text = match (errors, warnings) {
        (0, 0) => screen.paint(Style::Green, &format!("{sops}: no errors, no warnings")),
        (0, warnings) => screen
            .paint(Style::Yellow, &format!("{sops}: no errors, {}", count(warnings, "warning"))),
        (errors, warnings) => {
            let found =
                format!("{sops}: {}, {}", count(errors, "error"), count(warnings, "warning"));
            screen.paint(Style::Red, &found)
        }
    };
    screen.line(text)?;
    if let Some(first) = workspace.diagnostics().next() {
        screen.line(format!("`sop explain {}` tells more about a code", first.code))?;
    }
    Ok(())
}
