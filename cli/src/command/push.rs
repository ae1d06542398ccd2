//! `sop push`: makes local definitions the active ones, all or none.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use sop_core::definition::Severity;

use crate::args::SopsDir;
use crate::client::{Ask, ClientError, Problem, read};
use crate::command::validate;
use crate::context::Context;
use crate::exit::Exit;
use crate::input::fresh_key;
use crate::render::{count, printable};
use crate::workspace::Workspace;

/// Arguments of `sop push`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these; all of them when left out
    names: Vec<String>,
    /// Take away what is active and not here
    #[arg(long, conflicts_with = "names")]
    prune: bool,
    /// Keep them as drafts, which nothing starts until `sop publish`
    #[arg(long, conflicts_with = "prune")]
    draft: bool,
    #[command(flatten)]
    sops: SopsDir,
}

#[derive(Debug, Deserialize)]
struct Pushed {
    name: String,
    digest: String,
}

/// A diagnostic as the host says it.
#[derive(Debug, Deserialize)]
struct Remark {
    code: String,
    file: String,
    line: u32,
    column: u32,
    message: String,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let workspace = Workspace::read(&args.sops.dir)?.only(&args.names)?;
    if workspace.folders.is_empty() && !args.prune {
        anyhow::bail!("no SOPs in `{}`: nothing to push", args.sops.dir.display());
    }
    let errors = workspace.count(Severity::Error);
    if errors > 0 {
        if !context.is_json() {
            validate::print_all(&workspace, &mut context.screen)?;
        }
        eprintln!(
            "{}: nothing was pushed; `sop validate` shows them again",
            count(errors, "error")
        );
        return Ok(Exit::Found);
    }
    let sops: Vec<Value> = workspace
        .folders
        .iter()
        .map(|folder| {
            json!({
                "directory": folder.files.directory,
                "toml": folder.files.toml,
                "markdown": folder.files.markdown,
            })
        })
        .collect();
    let mut body = json!({ "sops": sops, "prune": args.prune });
    if args.draft {
        body["draft"] = json!(true);
    }
    if let Some(shared) = &workspace.shared {
        body["workspace"] = json!({ "file": shared.file, "toml": shared.toml });
    }
    let ask = Ask::post(&["api", "sops"]).json(&body).once(fresh_key()?);
    let answer: Value = match context.client()?.send(ask).await {
        Err(ClientError::Refused(problem)) => {
            tell(&problem);
            return Err(ClientError::Refused(problem).into());
        }
        answered => answered?,
    };
    if context.is_json() {
        context.screen.json(&answer)?;
        return Ok(Exit::Ok);
    }
    let pushed: Vec<Pushed> = read(&answer["sops"])?;
    let rows: Vec<Vec<String>> = pushed.into_iter().map(|sop| vec![sop.name, sop.digest]).collect();
    for row in &rows {
        let (name, digest) = (printable(&row[0]), printable(&row[1]));
        context.screen.line(format!("{digest}  {name}"))?;
    }
    let warnings = workspace.count(Severity::Warning);
    if warnings > 0 {
        eprintln!("note: {}; `sop validate` shows them", count(warnings, "warning"));
    }
    let (sops, url) = (count(rows.len(), "SOP"), context.url());
    if args.draft {
        eprintln!("{sops} kept as drafts on {url}; `sop publish NAME` makes one active");
    } else {
        eprintln!("{sops} active on {url}");
    }
    Ok(Exit::Ok)
}

/// Tells what the host has against the definitions, where it says.
fn tell(problem: &Problem) {
    let remarks: Vec<Remark> =
        problem.body.get("diagnostics").and_then(|said| read(said).ok()).unwrap_or_default();
    for remark in remarks {
        eprintln!(
            "{}:{}:{}: [{}] {}",
            printable(&remark.file),
            remark.line,
            remark.column,
            printable(&remark.code),
            printable(&remark.message)
        );
    }
}
