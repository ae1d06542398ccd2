//! `sop diff`: what differs between two definitions, step by step and as text.

mod changes;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use similar::TextDiff;
use sop_core::definition::{self, Definition};
use sop_core::{Digest, SopName};

use crate::args::SopsDir;
use crate::client::{Ask, Client, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::render::{Screen, Style, printable, printable_block};
use crate::versions;
use crate::workspace::Workspace;

/// Lines around a change that the text shows.
const CONTEXT_LINES: usize = 3;

/// Arguments of `sop diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The older: NAME (the local one), NAME@active, NAME@DIGEST or a whole DIGEST
    a: String,
    /// The newer, in the same way; when left out, NAME@active is compared with the local NAME
    b: Option<String>,
    /// Exit 1 when they differ
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    sops: SopsDir,
}

/// One of the two, with what it is called.
struct Side {
    label: String,
    definition: Definition,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let (a, b) = match &args.b {
        Some(b) => (args.a.clone(), b.clone()),
        None if args.a.contains('@') || Digest::parse(&args.a).is_ok() => {
            bail!("say what to compare `{}` with: `sop diff {} NAME`", args.a, args.a)
        }
        None => (format!("{}@active", args.a), args.a.clone()),
    };
    let a = side(args, context, &a).await?;
    let b = side(args, context, &b).await?;
    let is_same = a.definition.digest() == b.definition.digest();
    let of_sop = changes::of_sop(&a.definition, &b.definition);
    let of_steps = changes::of_steps(&a.definition, &b.definition);
    let text = unified(&a, &b);
    if context.is_json() {
        let side = |side: &Side| {
            let sop = &side.definition;
            json!({ "name": sop.name, "version": sop.version, "digest": sop.digest() })
        };
        context.screen.json(&json!({
            "a": side(&a), "b": side(&b), "same": is_same,
            "sop": of_sop, "steps": of_steps, "text": text,
        }))?;
    } else if is_same {
        eprintln!("`{}` and `{}` are the same definition", a.label, b.label);
    } else {
        print(&mut context.screen, &of_sop, &of_steps, &text)?;
    }
    Ok(if args.exit_code && !is_same { Exit::Found } else { Exit::Ok })
}

async fn side(args: &Args, context: &Context, given: &str) -> Result<Side> {
    let definition = if let Ok(digest) = Digest::parse(given) {
        by_digest(&context.client()?, &digest).await?
    } else if let Some((name, which)) = given.split_once('@') {
        let name = SopName::parse(name)?;
        let client = context.client()?;
        if which == "active" {
            let answer: Value = client.send(Ask::get(&["api", "sops", name.as_str()])).await?;
            read(&answer["sop"])?
        } else {
            let digest = versions::digest(&client, &name, which).await?;
            by_digest(&client, &digest).await?
        }
    } else {
        let workspace = Workspace::read(&args.sops.dir)?;
        match &workspace.find(given)?.definition {
            Some(definition) => definition.clone(),
            None => bail!("`{given}` has errors: `sop validate {given}` shows them"),
        }
    };
    Ok(Side { label: given.to_owned(), definition })
}

async fn by_digest(client: &Client, digest: &Digest) -> Result<Definition> {
    let digest = digest.to_string();
    let answer: Value = client.send(Ask::get(&["api", "definitions", &digest])).await?;
    Ok(read(&answer["sop"])?)
}

/// The unified diff of the files that say the two.
fn unified(a: &Side, b: &Side) -> String {
    let (old, new) = (definition::print(&a.definition), definition::print(&b.definition));
    let pairs = [
        ("SOP.toml", old.toml, new.toml),
        ("SOP.md", old.markdown.unwrap_or_default(), new.markdown.unwrap_or_default()),
    ];
    pairs
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(file, old, new)| {
            TextDiff::from_lines(&old, &new)
                .unified_diff()
                .context_radius(CONTEXT_LINES)
                .header(&format!("{} {file}", a.label), &format!("{} {file}", b.label))
                .to_string()
        })
        .collect()
}

fn print(
    screen: &mut Screen,
    of_sop: &[changes::Key],
    of_steps: &[changes::Step],
    text: &str,
) -> Result<()> {
    for key in of_sop {
        screen.line(printable(&key.in_words()))?;
    }
    for step in of_steps {
        let style = match step.change {
            changes::What::Added => Style::Green,
            changes::What::Removed => Style::Red,
            changes::What::Changed | changes::What::Moved => Style::Yellow,
        };
        let line = screen.paint(style, &printable(&step.in_words()));
        screen.line(line)?;
        for key in &step.keys {
            screen.line(format!("    {}", printable(&key.in_words())))?;
        }
    }
    screen.line("")?;
    for line in printable_block(text).lines() {
        let line = match line.as_bytes().first() {
            Some(b'+') => screen.paint(Style::Green, line),
            Some(b'-') => screen.paint(Style::Red, line),
            Some(b'@') => screen.paint(Style::Cyan, line),
            Some(_) | None => line.to_owned(),
        };
        screen.line(line)?;
    }
    Ok(())
}
