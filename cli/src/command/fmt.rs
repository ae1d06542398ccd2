//! `sop fmt`: lays out definitions in the one way, and changes nothing of what they say.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use sop_core::definition::format_markdown;

use crate::args::SopsDir;
use crate::context::Context;
use crate::exit::Exit;
use crate::layout::format_toml;
use crate::render::count;
use crate::workspace::{self, SHARED_FILE};

/// Arguments of `sop fmt`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One SOP's folder, or one that holds such folders; `--sops` when left out
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Change nothing; fail when something would be changed
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    sops: SopsDir,
}

/// What became of the files that are not laid out already.
#[derive(Default)]
struct Outcome {
    changed: Vec<String>,
    /// Left alone: they have errors.
    broken: Vec<String>,
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let dir = args.folder.as_ref().unwrap_or(&args.sops.dir);
    let mut outcome = Outcome::default();
    for path in files(dir)? {
        let Some(before) = workspace::text(&path)? else { continue };
        let is_markdown = path.extension().is_some_and(|extension| extension == "md");
        let after = if is_markdown { format_markdown(&before) } else { format_toml(&before) };
        match after {
            None => outcome.broken.push(workspace::shown(&path)),
            Some(after) if after == before => {}
            Some(after) => {
                if !args.check {
                    replace(&path, &after)?;
                }
                outcome.changed.push(workspace::shown(&path));
            }
        }
    }
    tell(&outcome, args.check, context)?;
    let is_found = !outcome.broken.is_empty() || (args.check && !outcome.changed.is_empty());
    Ok(if is_found { Exit::Found } else { Exit::Ok })
}

fn tell(outcome: &Outcome, is_check: bool, context: &mut Context) -> Result<()> {
    if context.is_json() {
        let said = json!({ "changed": outcome.changed, "broken": outcome.broken });
        return Ok(context.screen.json(&said)?);
    }
    for path in &outcome.changed {
        context.screen.line(path)?;
    }
    for path in &outcome.broken {
        eprintln!("`{path}` has errors and is left as it is: `sop validate` shows them");
    }
    let files = count(outcome.changed.len(), "file");
    match (outcome.changed.len(), is_check) {
        (0, _) => eprintln!("nothing to change"),
        (_, true) => eprintln!("{files} to change: `sop fmt` does it"),
        (_, false) => eprintln!("{files} changed"),
    }
    Ok(())
}

/// The files of definitions under `dir`, and what they share.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let of = |folder: &Path| [folder.join("SOP.toml"), folder.join("SOP.md")];
    if of(dir).iter().any(|path| path.exists()) {
        return Ok(of(dir).into());
    }
    let folders = workspace::folders(dir)?;
    let files = folders.iter().flat_map(|folder| of(folder));
    Ok(files.chain([dir.join(SHARED_FILE)]).collect())
}

/// Puts a new text in the place of a file, whole or not at all.
fn replace(path: &Path, text: &str) -> Result<()> {
    let beside = path.with_extension("fmt-new");
    fs::write(&beside, text).with_context(|| format!("could not write `{}`", beside.display()))?;
    fs::rename(&beside, path).with_context(|| format!("could not replace `{}`", path.display()))
}
