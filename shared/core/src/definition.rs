//! Definitions: what `SOP.toml` and `SOP.md` say, checked.
//!
//! Texts in, values out: whoever calls reads the files. A [`Definition`] exists only when nothing
//! about its files is an error.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::limits;

pub mod capability;
pub mod code;
pub mod diagnostic;
mod fields;
mod flow;
mod literal;
mod manifest;
pub mod markdown;
mod model;
mod policy;
mod step;
mod trigger;
mod with;

use self::diagnostic::{Sink, quoted};
use self::manifest::Manifest;

pub use diagnostic::{Diagnostic, Severity};
pub use flow::{AdmissionPolicy, Backoff, Case, Delegation, Delivery, OnFailure};
pub use model::{
    Auth, Definition, ExecutionMode, Priority, Step, StepKind, Trigger, WebhookTrigger,
};
pub use policy::{OnTimeout, Policy, Route};

/// The texts of one SOP's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFiles {
    /// Path of the directory, for display, such as `sops/deploy`.
    pub directory: String,
    /// Text of `SOP.toml`.
    pub toml: String,
    /// Text of `SOP.md`, where there is one.
    pub markdown: Option<String>,
}

/// What came of the texts of one SOP.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// Present exactly when no diagnostic is an error.
    pub definition: Option<Definition>,
    /// First those of `SOP.toml`, then those of `SOP.md`, each in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The name that `SOP.toml` gives, usable or not.
    pub name: Option<WrittenName>,
}

/// A name and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenName {
    /// The name.
    pub name: String,
    /// Path of the file, for display.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// Bytes of the file, quotes included.
    pub span: Range<usize>,
}

/// Reads and checks the texts of one SOP.
pub fn parse(files: &SourceFiles) -> Parsed {
    let mut toml = Sink::new(file_path(&files.directory, "SOP.toml"), &files.toml);
    let markdown = files.markdown.as_deref().unwrap_or_default();
    let mut md = Sink::new(file_path(&files.directory, "SOP.md"), markdown);
    let manifest = if fits(&mut toml) { manifest::read(&mut toml) } else { Manifest::default() };
    let steps = if fits(&mut md) && files.markdown.is_some() {
        markdown::read(&mut md)
    } else {
        Vec::new()
    };
    if files.markdown.is_none() && !toml.has_errors() {
        let at = manifest.written_name.as_ref().map_or(0..0, |(_, at)| at.clone());
        let message = "no steps: there is no `SOP.md` beside this file".to_owned();
        let help = "write one with a numbered list under `## Steps`".to_owned();
        toml.warn(code::NO_STEPS, at, message, help);
    }
    if manifest.execution_mode == ExecutionMode::Deterministic {
        check_deterministic(&mut md, &steps);
    }
    let name = manifest.written_name.as_ref().map(|(name, at)| {
        let (line, column) = toml.position(at.start);
        let file = toml.file().to_owned();
        WrittenName { name: name.clone(), file, line, column, span: at.clone() }
    });
    let has_errors = toml.has_errors() || md.has_errors();
    let written = name.as_ref().map(|name| name.name.as_str());
    let mut diagnostics = toml.finish(written);
    diagnostics.extend(md.finish(written));
    let steps = steps.into_iter().map(|(step, _)| step).collect();
    let definition = if has_errors { None } else { assemble(manifest, steps) };
    Parsed { definition, diagnostics, name }
}

/// Checks what only several SOPs together can get wrong.
pub fn check_workspace(parsed: &[Parsed]) -> Vec<Diagnostic> {
    let mut first: BTreeMap<&str, &WrittenName> = BTreeMap::new();
    let mut found = Vec::new();
    for written in parsed.iter().filter_map(|parsed| parsed.name.as_ref()) {
        let Some(earlier) = first.get(written.name.as_str()) else {
            first.insert(&written.name, written);
            continue;
        };
        found.push(Diagnostic {
            code: code::SAME_NAME,
            severity: Severity::Error,
            sop: Some(written.name.clone()),
            file: written.file.clone(),
            line: written.line,
            column: written.column,
            span: written.span.clone(),
            message: format!("{} is the name of another SOP too", quoted(&written.name)),
            help: Some(format!("the other is in `{}`: give one of them a new name", earlier.file)),
        });
    }
    found
}

fn file_path(directory: &str, file: &str) -> String {
    match directory.trim_end_matches('/') {
        "" => file.to_owned(),
        directory => format!("{directory}/{file}"),
    }
}

fn fits(sink: &mut Sink<'_>) -> bool {
    let bytes = sink.source().len();
    if bytes <= limits::DEFINITION_BYTES_MAX {
        return true;
    }
    let message =
        format!("the file has {bytes} bytes; at most {} are read", limits::DEFINITION_BYTES_MAX);
    sink.error(code::TOO_LARGE, 0..0, message);
    false
}

fn check_deterministic(sink: &mut Sink<'_>, steps: &[(Step, Range<usize>)]) {
    for (step, at) in steps {
        match step.kind {
            StepKind::Execute => {
                let message = format!(
                    "step {} needs someone to do it, and the SOP is deterministic",
                    step.number
                );
                let help = "give it a `capability`, make it a checkpoint, or change the \
                            `execution_mode`"
                    .to_owned();
                sink.error_with_help(code::NOT_DETERMINISTIC, at.clone(), message, help);
            }
            StepKind::Checkpoint | StepKind::Capability => {}
        }
    }
}

fn assemble(manifest: Manifest, steps: Vec<Step>) -> Option<Definition> {
    Some(Definition {
        name: manifest.name?,
        description: manifest.description,
        version: manifest.version,
        priority: manifest.priority,
        execution_mode: manifest.execution_mode,
        cooldown_secs: manifest.cooldown_secs,
        max_concurrent: manifest.max_concurrent,
        timezone: manifest.timezone,
        owner: manifest.owner,
        workstream: manifest.workstream,
        admission_policy: AdmissionPolicy::default(),
        max_pending_approvals: None,
        delegation: None,
        input: None,
        timeout_secs: None,
        triggers: manifest.triggers,
        steps,
        policies: BTreeMap::new(),
        max_concurrent_total: None,
    })
}
