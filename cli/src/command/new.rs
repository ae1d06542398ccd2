//! `sop new`: writes the two files of an SOP that validates.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use sop_core::SopName;
use sop_core::definition::schema;

use crate::args::{Door, SopsDir};
use crate::context::Context;
use crate::exit::Exit;
use crate::templates;

/// Arguments of `sop new`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the SOP, and of its folder
    name: SopName,
    /// What starts it
    #[arg(long, value_enum, default_value_t = Door::Manual)]
    trigger: Door,
    #[command(flatten)]
    sops: SopsDir,
}

/// Puts the JSON Schemas where the first line of each new file says; those of another version are replaced.
fn write_schemas(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("could not make `{}`", folder.display()))?;
    for (name, schema) in [("sop", schema::sop()), ("workspace", schema::workspace())] {
        let path = folder.join(format!("{name}.schema.json"));
        let text = format!("{schema:#}\n");
        fs::write(&path, text).with_context(|| format!("could not write `{}`", path.display()))?;
    }
    Ok(())
}

pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let folder = args.sops.dir.join(args.name.as_str());
    fs::create_dir_all(&args.sops.dir)
        .with_context(|| format!("could not make `{}`", args.sops.dir.display()))?;
    match fs::create_dir(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
            "`{}` is there already, and nothing is overwritten: take another name, or edit its files",
            folder.display()
        ),
        Err(error) => {
            return Err(error).with_context(|| format!("could not make `{}`", folder.display()));
        }
    }
    let files = [
        (folder.join("SOP.toml"), templates::manifest(&args.name, args.trigger)),
        (folder.join("SOP.md"), templates::steps(&args.name)),
    ];
    for (path, text) in &files {
        write_new(path, text).with_context(|| format!("could not write `{}`", path.display()))?;
    }
    write_schemas(&args.sops.dir.join(templates::SCHEMAS))?;
    let paths: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    if context.is_json() {
        context.screen.json(&json!({ "sop": args.name, "files": paths }))?;
    } else {
        for path in &paths {
            context.screen.line(path)?;
        }
        eprintln!("next: edit them, then `sop validate {}`", args.name);
    }
    Ok(Exit::Ok)
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
