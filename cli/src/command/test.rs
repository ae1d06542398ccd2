//! `sop test`: plays the stories of local SOPs on a virtual clock and tells which do not hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use sop_capability::BuiltIns;
use sop_core::SopName;
use sop_runtime::port::SystemClock;
use sop_testkit::story::{self, Cast, Coverage, Problem, Story};

use crate::args::SopsDir;
use crate::context::Context;
use crate::exit::Exit;
use crate::render::{Screen, Style, printable, printable_block};
use crate::workspace::{Folder, Workspace};

/// Arguments of `sop test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One SOP by name; all of `--sops` when left out
    name: Option<String>,
    /// Write the trace that came of each story into its file
    #[arg(long)]
    bless: bool,
    /// Print the trace of each story
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    sops: SopsDir,
}

/// A story file and what came of it.
struct Told {
    sop: String,
    path: PathBuf,
    trace: Option<String>,
    problems: Vec<String>,
    is_blessed: bool,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let workspace = Workspace::read(&args.sops.dir)?;
    let cast = cast(&workspace);
    let chosen = match &args.name {
        Some(name) => vec![workspace.find(name)?],
        None => workspace.folders.iter().collect(),
    };
    let built_ins = BuiltIns::new(SystemClock);
    let mut told = Vec::new();
    let mut coverage: BTreeMap<SopName, Coverage> = BTreeMap::new();
    for folder in chosen {
        let paths = stories(Path::new(&folder.files.directory))?;
        if let Some(definition) = &folder.definition {
            let own = Coverage::of(definition);
            coverage.entry(definition.name.clone()).or_insert(own);
        } else if !paths.is_empty() {
            bail!("`{}` has errors: `sop validate {0}` shows them", folder.label());
        }
        for path in paths {
            told.push(tell(args, folder, &path, &cast, &built_ins, &mut coverage).await?);
        }
    }
    let failed = told.iter().filter(|told| !told.problems.is_empty()).count();
    if context.is_json() {
        let stories: Vec<Value> = told.iter().map(in_json).collect();
        let coverage: Vec<Value> = coverage.values().map(coverage_in_json).collect();
        context
            .screen
            .json(&json!({ "stories": stories, "failed": failed, "coverage": coverage }))?;
    } else {
        print(args, &told, &coverage, &mut context.screen)?;
    }
    Ok(if failed == 0 { Exit::Ok } else { Exit::Found })
}

/// What stories take their SOPs from.
pub(crate) fn cast(workspace: &Workspace) -> Cast {
    Cast {
        files: workspace.folders.iter().map(|folder| folder.files.clone()).collect(),
        workspace: workspace.shared.as_ref().map(|it| (it.file.clone(), it.toml.clone())),
    }
}

/// The story files of an SOP's directory, in the order of their names.
fn stories(directory: &Path) -> Result<Vec<PathBuf>> {
    let directory = directory.join("stories");
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&directory)
        .with_context(|| format!("could not read `{}`", directory.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path =
            entry.with_context(|| format!("could not read `{}`", directory.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

async fn tell(
    args: &Args,
    folder: &Folder,
    path: &Path,
    cast: &Cast,
    built_ins: &BuiltIns<SystemClock>,
    coverage: &mut BTreeMap<SopName, Coverage>,
) -> Result<Told> {
    let text =
        fs::read_to_string(path).with_context(|| format!("could not read `{}`", path.display()))?;
    let mut told = Told {
        sop: folder.label().to_owned(),
        path: path.to_owned(),
        trace: None,
        problems: Vec::new(),
        is_blessed: false,
    };
    let sop = SopName::parse(folder.label())?;
    let story = match Story::parse(&text) {
        Ok(story) => story,
        Err(error) => {
            told.problems.push(error.to_string());
            return Ok(told);
        }
    };
    match story::play(&story, &sop, cast, built_ins).await {
        Err(error) => told.problems.push(error.to_string()),
        Ok(played) => {
            for one in &played.coverage {
                if let Some(all) = coverage.get_mut(&one.sop) {
                    all.add(one);
                }
            }
            let is_trace = |it: &Problem| matches!(it, Problem::Trace { .. } | Problem::Unblessed);
            if args.bless && played.problems.iter().any(is_trace) {
                fs::write(path, story::bless(&text, &played.trace))
                    .with_context(|| format!("could not write `{}`", path.display()))?;
                told.is_blessed = true;
            }
            let left = played.problems.iter().filter(|it| !(told.is_blessed && is_trace(it)));
            told.problems.extend(left.map(ToString::to_string));
            told.trace = Some(played.trace);
        }
    }
    Ok(told)
}

fn in_json(told: &Told) -> Value {
    json!({
        "sop": told.sop,
        "file": told.path.display().to_string(),
        "passed": told.problems.is_empty(),
        "blessed": told.is_blessed,
        "problems": told.problems,
        "trace": told.trace,
    })
}

fn coverage_in_json(coverage: &Coverage) -> Value {
    let branch = |it: &&story::Branch| json!({ "step": it.step, "way": it.way });
    json!({
        "sop": coverage.sop,
        "steps": coverage.steps,
        "missing_steps": coverage.missing_steps(),
        "branches": coverage.branches.len(),
        "missing_branches": coverage.missing_branches().iter().map(branch).collect::<Vec<_>>(),
    })
}

fn print(
    args: &Args,
    told: &[Told],
    coverage: &BTreeMap<SopName, Coverage>,
    screen: &mut Screen,
) -> Result<()> {
    for one in told {
        let mark = match (one.problems.is_empty(), one.is_blessed) {
            (true, false) => screen.paint(Style::Green, "✔"),
            (true, true) => screen.paint(Style::Yellow, "✎"),
            (false, _) => screen.paint(Style::Red, "✘"),
        };
        screen.line(format!("{mark} {}", printable(&one.path.to_string_lossy())))?;
        for problem in &one.problems {
            for line in printable_block(problem).lines() {
                screen.line(format!("    {line}"))?;
            }
        }
        if let Some(trace) = one.trace.as_ref().filter(|_| args.trace) {
            for line in printable_block(trace).lines() {
                screen.line(format!("    {line}"))?;
            }
        }
    }
    for one in coverage.values() {
        print_coverage(one, screen)?;
    }
    let failed = told.iter().filter(|told| !told.problems.is_empty()).count();
    let stories =
        if told.len() == 1 { "1 story".to_owned() } else { format!("{} stories", told.len()) };
    screen.line(format!("{stories}: {} hold, {failed} do not", told.len() - failed))?;
    Ok(())
}

fn print_coverage(coverage: &Coverage, screen: &mut Screen) -> Result<()> {
    let (steps, branches) = (coverage.missing_steps(), coverage.missing_branches());
    let total = usize::try_from(coverage.steps).unwrap_or(usize::MAX);
    screen.line(format!(
        "{}: {}/{total} steps, {}/{} branches",
        coverage.sop,
        total - steps.len(),
        coverage.branches.len() - branches.len(),
        coverage.branches.len(),
    ))?;
    for step in &steps {
        let line = screen.paint(Style::Dim, &format!("  no story comes to step {step}"));
        screen.line(line)?;
    }
    for branch in branches.iter().filter(|branch| !steps.contains(&branch.step)) {
        let line = format!("  no story has step {}: {}", branch.step, branch.way);
        let line = screen.paint(Style::Dim, &line);
        screen.line(line)?;
    }
    Ok(())
}
