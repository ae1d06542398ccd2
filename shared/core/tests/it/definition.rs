//! Texts of definitions, good and bad, through the front door.

use std::fs;
use std::path::{Path, PathBuf};

use sop_core::condition::{Condition, ValuePath};
use sop_core::cron::CronExpr;
use sop_core::definition::{
    self, Auth, Definition, ExecutionMode, Parsed, Priority, Severity, SourceFiles, Step, StepKind,
    Trigger, WebhookTrigger, Workspace, code, diagnostic,
};
use sop_core::id::SopName;
use sop_core::topic::TopicFilter;

mod corpus;
mod language;
mod markdown;
mod never_panics;
mod print;
mod schema;
mod seeds;

fn tests_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn repo_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[expect(clippy::disallowed_methods, reason = "a test reads its fixtures")]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The texts in `directory`, under the display path `shown`.
fn load(directory: &Path, shown: &str) -> SourceFiles {
    let markdown = directory.join("SOP.md");
    SourceFiles {
        directory: shown.to_owned(),
        toml: read(&directory.join("SOP.toml")),
        markdown: markdown.exists().then(|| read(&markdown)),
    }
}

fn directories(parent: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(parent)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

/// Parses under no `workspace.toml`.
fn parse_files(files: &SourceFiles) -> Parsed {
    definition::parse(files, &Workspace::default())
}

/// Parses an example under the `workspace.toml` that the examples share.
fn parse_shipped(files: &SourceFiles) -> Parsed {
    let path = repo_dir().join("sops/workspace.toml");
    let text = fs::read_to_string(&path).expect("the examples share one");
    let (workspace, diagnostics) = Workspace::parse(&text, "sops/workspace.toml");
    assert_eq!(diagnostics, []);
    definition::parse(files, &workspace)
}

fn parse(toml: &str, markdown: &str) -> Parsed {
    parse_files(&files("sops/x", toml, markdown))
}

/// What is printed for a parsed definition.
fn rendered(files: &SourceFiles, workspace: &str, parsed: &Parsed) -> String {
    parsed
        .diagnostics
        .iter()
        .map(|found| {
            let text = match found.file.rsplit('/').next() {
                Some("SOP.md") => files.markdown.as_deref().unwrap_or_default(),
                Some("SOP.toml") => &files.toml,
                _ => workspace,
            };
            diagnostic::render(found, text)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The fenced examples of a page: language and text.
fn fenced(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        if ticks < 3 {
            continue;
        }
        let fence = &line[..ticks];
        let text = lines.by_ref().take_while(|line| *line != fence);
        let text: String = text.map(|line| format!("{line}\n")).collect();
        found.push((line[ticks..].to_owned(), text));
    }
    found
}

/// What the examples of steps stand under.
const EXAMPLE_WORKSPACE: &str = "[groups.ops]\nmembers = [\"anna\", \"ben\"]\n\
                                 [policies.production]\ngroup = \"ops\"\nquorum = 2\n";

fn parse_under(workspace: &str, toml: &str, markdown: &str) -> Parsed {
    parse_in(workspace, &files("sops/x", toml, markdown))
}

fn parse_in(workspace: &str, files: &SourceFiles) -> Parsed {
    let (workspace, mut diagnostics) = Workspace::parse(workspace, "sops/workspace.toml");
    let mut parsed = definition::parse(files, &workspace);
    diagnostics.append(&mut parsed.diagnostics);
    Parsed { diagnostics, ..parsed }
}

fn files(directory: &str, toml: &str, markdown: &str) -> SourceFiles {
    SourceFiles { directory: directory.into(), toml: toml.into(), markdown: Some(markdown.into()) }
}

/// Parses an example with whatever it leaves out added.
fn parse_example(language: &str, example: &str) -> Parsed {
    let sop = "[sop]\nname = \"x\"\ndescription = \"d\"\n";
    let manual = "\n[[triggers]]\ntype = \"manual\"\n";
    let steps = "## Steps\n\n1. **Look** — Look at the gauge.\n";
    match language {
        "toml file" => parse(example, steps),
        "toml" => {
            let more = if example.contains("[[trigger") { "" } else { manual };
            parse(&format!("{sop}{example}{more}"), steps)
        }
        "md" => {
            let heading = if example.contains("# Steps") { "" } else { "## Steps\n\n" };
            let markdown = format!("{heading}{example}");
            // What the page of SOP0222 speaks of.
            let listens = "\n[[triggers]]\ntype = \"mqtt\"\ntopic = \"hall/+/smoke\"\n";
            parse_under(EXAMPLE_WORKSPACE, &format!("{sop}{manual}{listens}"), &markdown)
        }
        "toml workspace" => parse_under(example, &format!("{sop}{manual}"), steps),
        other => panic!("unexpected language `{other}` in an example"),
    }
}
