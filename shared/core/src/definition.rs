//! Definitions: what `SOP.toml` and `SOP.md` say, checked.
//!
//! Texts in, values out: whoever calls reads the files. A [`Definition`] exists only when nothing
//! about its files is an error.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::limits;

mod auth;
pub mod capability;
mod choice;
pub mod code;
pub mod diagnostic;
mod duration;
mod fields;
mod flow;
mod gate;
pub mod keys;
mod literal;
mod manifest;
pub mod markdown;
mod model;
mod policy;
mod print;
pub mod schema;
mod schemas;
mod settings;
mod step;
mod switch;
mod template;
mod trigger;
mod way;
mod with;
mod workspace;

use self::diagnostic::{Sink, quoted};
use self::gate::Care;
use self::manifest::Manifest;
use self::settings::Settings;
use self::step::Written;

pub use diagnostic::{Diagnostic, Severity};
pub use flow::{AdmissionPolicy, Backoff, Case, Delegation, Delivery, OnFailure};
pub use model::{
    Auth, Definition, ExecutionMode, Priority, Scheme, Signed, Step, StepKind, Trigger,
    WebhookTrigger,
};
pub use policy::{OnTimeout, Policy, Route};
pub use print::{format_markdown, print};
pub use schemas::check_schemas;
pub use workspace::Workspace;

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

/// Reads and checks the texts of one SOP, under what its workspace says.
pub fn parse(files: &SourceFiles, workspace: &Workspace) -> Parsed {
    let mut toml = Sink::new(file_path(&files.directory, "SOP.toml"), &files.toml);
    let markdown = files.markdown.as_deref().unwrap_or_default();
    let mut md = Sink::new(file_path(&files.directory, "SOP.md"), markdown);
    let mut manifest =
        if fits(&mut toml) { manifest::read(&mut toml) } else { Manifest::default() };
    let mut steps = if fits(&mut md) && files.markdown.is_some() {
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
    manifest.settings = std::mem::take(&mut manifest.settings).or(&workspace.settings);
    let policies = check_steps(&mut md, &manifest, workspace, &mut steps);
    let name = manifest.written_name.as_ref().map(|(name, at)| {
        let (line, column) = toml.position(at.start);
        let file = toml.file().to_owned();
        WrittenName { name: name.clone(), file, line, column, span: at.clone() }
    });
    let has_errors = toml.has_errors() || md.has_errors();
    let written = name.as_ref().map(|name| name.name.as_str());
    let mut diagnostics = toml.finish(written);
    diagnostics.extend(md.finish(written));
    let steps = steps.into_iter().map(|written| written.step).collect();
    let definition = if has_errors { None } else { assemble(manifest, steps, policies, workspace) };
    Parsed { definition, diagnostics, name }
}

/// Checks what the steps are together, and under their SOP and workspace; answers with the policies that they
/// name.
fn check_steps(
    md: &mut Sink<'_>,
    manifest: &Manifest,
    workspace: &Workspace,
    steps: &mut [Written],
) -> BTreeMap<String, Policy> {
    let settings = &manifest.settings;
    let mode = settings.execution_mode.unwrap_or_default();
    if mode == ExecutionMode::Deterministic {
        check_deterministic(md, steps);
    }
    // Numbers that are wrong say nothing about what is meant by them.
    if !md.has_errors_of("SOP03") {
        way::check(md, steps);
    }
    template::check_templates(md, manifest, steps);
    warn_of_own_topics(md, &manifest.triggers, steps);
    let priority = settings.priority.unwrap_or_default();
    gate::settle(md, Care { mode, priority, delegation: settings.delegation }, workspace, steps)
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

fn check_deterministic(sink: &mut Sink<'_>, steps: &[Written]) {
    for written in steps {
        match written.step.kind {
            StepKind::Execute => {
                let message = format!(
                    "step {} needs someone to do it, and the SOP is deterministic",
                    written.step.number
                );
                let help = "give it a `capability`, make it a checkpoint, or change the \
                            `execution_mode`"
                    .to_owned();
                let at = written.title_at.clone();
                sink.error_with_help(code::NOT_DETERMINISTIC, at, message, help);
            }
            StepKind::Checkpoint | StepKind::Capability => {}
        }
    }
}

/// Warns of steps that publish, whatever comes in, on a topic that starts the SOP again, whatever is published.
fn warn_of_own_topics(sink: &mut Sink<'_>, triggers: &[Trigger], steps: &[Written]) {
    let filters: Vec<_> = triggers
        .iter()
        .filter_map(|trigger| match trigger {
            Trigger::Mqtt { topic, condition: None, .. } => Some(topic),
            Trigger::Mqtt { condition: Some(_), .. }
            | Trigger::Manual
            | Trigger::Webhook(_)
            | Trigger::Cron { .. }
            | Trigger::Peripheral { .. }
            | Trigger::Event { .. } => None,
        })
        .collect();
    for written in steps {
        let Some(topic) = published(&written.step) else { continue };
        let Some(filter) = filters.iter().find(|filter| filter.matches(&topic)) else { continue };
        let message =
            format!("what this publishes starts the SOP again, by {}", quoted(filter.as_str()));
        let help =
            "publish on another topic, or give the trigger a `condition`, or the step an `if`";
        let at = written.places.get("with").unwrap_or(&written.title_at).clone();
        sink.warn(code::OWN_TOPIC, at, message, help.to_owned());
    }
}

/// The topic on which the step publishes in every run, with a word for each template in it.
fn published(step: &Step) -> Option<String> {
    if step.capability.as_deref() != Some("mqtt.publish") || step.only_if.is_some() {
        return None;
    }
    let mut topic = String::new();
    let mut rest = step.with.as_ref()?.get("topic")?.as_str()?;
    while let Some((before, template)) = rest.split_once("{{") {
        topic.push_str(before);
        topic.push_str("some-word");
        rest = template.split_once("}}")?.1;
    }
    topic.push_str(rest);
    Some(topic)
}

fn assemble(
    manifest: Manifest,
    steps: Vec<Step>,
    policies: BTreeMap<String, Policy>,
    workspace: &Workspace,
) -> Option<Definition> {
    let settings: Settings = manifest.settings;
    Some(Definition {
        name: manifest.name?,
        description: manifest.description,
        version: manifest.version,
        priority: settings.priority.unwrap_or_default(),
        execution_mode: settings.execution_mode.unwrap_or_default(),
        cooldown_secs: settings.cooldown_secs.unwrap_or_default(),
        max_concurrent: settings.max_concurrent,
        timezone: settings.timezone.unwrap_or_else(|| "UTC".to_owned()),
        owner: settings.owner,
        workstream: settings.workstream,
        admission_policy: settings.admission_policy.unwrap_or_default(),
        max_pending_approvals: settings.max_pending_approvals,
        delegation: settings.delegation,
        input: manifest.input.map(|(schema, _)| schema),
        timeout_secs: settings.timeout_secs,
        triggers: manifest.triggers,
        steps,
        policies,
        max_concurrent_total: workspace.max_concurrent_total,
    })
}
