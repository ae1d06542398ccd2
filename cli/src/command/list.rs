//! `sop list`: the SOPs there are, here or on the host.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use sop_core::definition::{Definition, Severity};
use sop_core::matching::describe;

use crate::args::SopsDir;
use crate::client::{Ask, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::render::count;
use crate::workspace::{Folder, Workspace};

/// Arguments of `sop list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Those active on the host instead of the local ones
    #[arg(long)]
    remote: bool,
    #[command(flatten)]
    sops: SopsDir,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    if args.remote { remote(context).await } else { local(args, context) }
}

fn local(args: &Args, context: &mut Context) -> Result<Exit> {
    let workspace = Workspace::read(&args.sops.dir)?;
    if context.is_json() {
        let sops: Vec<Value> = workspace.folders.iter().map(entry).collect();
        context.screen.json(&json!({ "sops": sops }))?;
        return Ok(Exit::Ok);
    }
    if workspace.folders.is_empty() {
        eprintln!("no SOPs in `{}` yet: `sop new NAME` writes one", args.sops.dir.display());
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = workspace.folders.iter().map(row).collect();
    context.screen.table(&["NAME", "VERSION", "PRIORITY", "STEPS", "TRIGGERS", "CHECK"], &rows)?;
    Ok(Exit::Ok)
}

fn triggers(definition: &Definition) -> Vec<String> {
    definition.triggers.iter().map(describe).collect()
}

fn entry(folder: &Folder) -> Value {
    let definition = folder.definition.as_ref();
    json!({
        "name": folder.label(),
        "directory": folder.files.directory,
        "version": definition.map(|definition| &definition.version),
        "digest": definition.map(Definition::digest),
        "triggers": definition.map(triggers).unwrap_or_default(),
        "errors": folder.count(Severity::Error),
        "warnings": folder.count(Severity::Warning),
    })
}

fn row(folder: &Folder) -> Vec<String> {
    let (errors, warnings) = (folder.count(Severity::Error), folder.count(Severity::Warning));
    let check = match (errors, warnings) {
        (0, 0) => "ok".to_owned(),
        (0, warnings) => count(warnings, "warning"),
        (errors, _) => count(errors, "error"),
    };
    match &folder.definition {
        Some(definition) => vec![
            definition.name.to_string(),
            definition.version.clone(),
            word(&definition.priority),
            definition.steps.len().to_string(),
            triggers(definition).join(", "),
            check,
        ],
        None => {
            let dash = || "-".to_owned();
            vec![folder.label().to_owned(), dash(), dash(), dash(), dash(), check]
        }
    }
}

/// The word that definitions and JSON use for a value of an enum.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

#[derive(Debug, Deserialize)]
struct Active {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    triggers: Vec<String>,
}

async fn remote(context: &mut Context) -> Result<Exit> {
    let answer: Value = context.client()?.send(Ask::get(&["api", "sops"])).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
        return Ok(Exit::Ok);
    }
    let sops: Vec<Active> = read(&answer["sops"])?;
    if sops.is_empty() {
        eprintln!(
            "no SOPs are active on {} yet: `sop push` makes the local ones active",
            context.url()
        );
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = sops
        .into_iter()
        .map(|sop| {
            let digest = sop.digest.chars().take(12).collect();
            vec![sop.name, sop.version, digest, sop.triggers.join(", ")]
        })
        .collect();
    context.screen.table(&["NAME", "VERSION", "DIGEST", "TRIGGERS"], &rows)?;
    Ok(Exit::Ok)
}
