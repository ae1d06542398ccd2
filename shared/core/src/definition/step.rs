//! The keys of a step, and what they make of it together.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use super::capability;
use super::code;
use super::diagnostic::{Sink, choices, listed, quoted, suggest};
use super::flow::{Delivery, OnFailure};
use super::markdown::{Item, KeyItem};
use super::model::{ExecutionMode, Step, StepKind};
use super::with;

/// The keys that a step may have.
pub(super) const STEP_KEYS: &[&str] =
    &["tools", "requires_confirmation", "kind", "capability", "with", "mode"];

/// The keys of the language that this version does not act on.
pub(super) const LATER_STEP_KEYS: &[&str] = &[
    "input",
    "output",
    "if",
    "when",
    "next",
    "switch",
    "terminal",
    "depends_on",
    "on_failure",
    "backoff",
    "timeout",
    "delegation",
    "policy",
    "prompt",
    "edit",
    "delivery",
    "agent",
    "allow-tools",
    "deny-tools",
];

/// What may stand around a key in Markdown and is no part of it.
pub(super) const DECORATION: [char; 4] = ['*', '_', '`', ' '];

const KINDS: &[(&str, StepKind)] = &[
    ("execute", StepKind::Execute),
    ("checkpoint", StepKind::Checkpoint),
    ("capability", StepKind::Capability),
];

/// `deterministic` is left out: it gates nothing, so it could not tighten.
const STEP_MODES: &[(&str, ExecutionMode)] = &[
    ("auto", ExecutionMode::Auto),
    ("supervised", ExecutionMode::Supervised),
    ("step_by_step", ExecutionMode::StepByStep),
    ("priority_based", ExecutionMode::PriorityBased),
];

/// Whether `name` is a key of a step, now or later.
pub(super) fn known_key(name: &str) -> bool {
    STEP_KEYS.contains(&name) || is_later(name)
}

fn is_later(name: &str) -> bool {
    let hyphens = name.replace('_', "-");
    LATER_STEP_KEYS.iter().any(|key| key.replace('_', "-") == hyphens)
}

#[derive(Default)]
struct Keys {
    tools: Vec<String>,
    requires_confirmation: bool,
    kind: Option<(StepKind, Range<usize>)>,
    capability: Option<(String, Range<usize>)>,
    with: Option<(Value, Range<usize>)>,
    has_bad_with: bool,
    mode: Option<ExecutionMode>,
}

/// Makes a step of an item.
pub(super) fn build(sink: &mut Sink<'_>, number: u32, item: Item<'_>) -> Step {
    let mut keys = Keys::default();
    let mut names = BTreeSet::new();
    for key in &item.keys {
        let is_first = names.insert(key.name);
        read_key(sink, key, is_first, &mut keys);
    }
    let kind = settle_kind(sink, &keys);
    check_capability(sink, &keys);
    Step {
        number,
        title: item.title,
        body: item.body,
        kind,
        suggested_tools: keys.tools,
        requires_confirmation: keys.requires_confirmation,
        capability: keys.capability.map(|(id, _)| id),
        with: keys.with.map(|(value, _)| value),
        mode: keys.mode,
        only_if: None,
        when: None,
        next: None,
        switch: Vec::new(),
        terminal: false,
        depends_on: Vec::new(),
        on_failure: OnFailure::default(),
        backoff: None,
        timeout_secs: None,
        input: None,
        output: None,
        delegation: None,
        policy: None,
        prompt: None,
        edit: None,
        delivery: Delivery::default(),
        agent: None,
        allow_tools: None,
        deny_tools: Vec::new(),
    }
}

fn read_key(sink: &mut Sink<'_>, key: &KeyItem<'_>, is_first: bool, keys: &mut Keys) {
    if !STEP_KEYS.contains(&key.name) {
        return report_unknown(sink, key);
    }
    if !is_first {
        let message = format!("the step has `{}` twice", key.name);
        return sink.error(code::REPEATED_STEP_KEY, key.key.clone(), message);
    }
    if key.name == "with" {
        match with::read(sink, key) {
            Some(with) => keys.with = Some(with),
            None => keys.has_bad_with = true,
        }
        return;
    }
    if let Some(extra) = key.extra.clone().or_else(|| key.fence.clone()) {
        let message = format!("`{}` takes one line, and more stands below it", key.name);
        return sink.error(code::BAD_STEP_VALUE, extra, message);
    }
    let value = sink.source()[key.value.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
    if value.is_empty() {
        let message = format!("`{}` has no value", key.name);
        let help = format!("write one after the colon, or leave `{}` out", key.name);
        return sink.error_with_help(code::BAD_STEP_VALUE, key.key.clone(), message, help);
    }
    match key.name {
        "tools" => keys.tools = tools(sink, key, &value),
        "requires_confirmation" => {
            let values = [("true", true), ("false", false)];
            keys.requires_confirmation = choice(sink, key, &value, &values).unwrap_or_default();
        }
        "kind" => {
            keys.kind = choice(sink, key, &value, KINDS).map(|kind| (kind, key.value.clone()));
        }
        "capability" => keys.capability = Some((value, key.value.clone())),
        "mode" => keys.mode = choice(sink, key, &value, STEP_MODES),
        other => unreachable!("`{other}` is in STEP_KEYS and has an arm"),
    }
}

fn report_unknown(sink: &mut Sink<'_>, key: &KeyItem<'_>) {
    if is_later(key.name) {
        let message = format!("{} is not supported by this version yet", quoted(key.name));
        return sink.error(code::LATER_STEP_KEY, key.key.clone(), message);
    }
    let message = format!("unknown step key {}", quoted(key.name));
    let plain = key.name.trim_end_matches('=').trim_matches(DECORATION);
    let help = match suggest(plain, STEP_KEYS).or_else(|| suggest(plain, LATER_STEP_KEYS)) {
        Some(probable) if key.name.ends_with('=') => format!("write `{probable}: ...`"),
        Some(probable) => format!("did you mean `{probable}`?"),
        None => {
            format!("its keys are {}; a remark begins with a capital letter", listed(STEP_KEYS))
        }
    };
    sink.error_with_help(code::UNKNOWN_STEP_KEY, key.key.clone(), message, help);
}

fn tools(sink: &mut Sink<'_>, key: &KeyItem<'_>, value: &str) -> Vec<String> {
    let names: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
    if names.iter().any(String::is_empty) || value.starts_with(['[', '"', '\'']) {
        let message = "`tools` is a list of names with commas between them".to_owned();
        let help = "write `- tools: http_request, shell`".to_owned();
        sink.error_with_help(code::BAD_STEP_VALUE, key.value.clone(), message, help);
    }
    names
}

fn choice<T: Copy>(
    sink: &mut Sink<'_>,
    key: &KeyItem<'_>,
    value: &str,
    values: &[(&str, T)],
) -> Option<T> {
    if let Some((_, found)) = values.iter().find(|(name, _)| *name == value) {
        return Some(*found);
    }
    let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
    let message = format!("{} is not a value of `{}`", quoted(value), key.name);
    let help = choices(value, &names);
    sink.error_with_help(code::BAD_STEP_VALUE, key.value.clone(), message, help);
    None
}

/// The kind that `kind` and `capability` give together.
fn settle_kind(sink: &mut Sink<'_>, keys: &Keys) -> StepKind {
    match (&keys.kind, &keys.capability) {
        (Some((StepKind::Capability, at)), None) => {
            let message = "the step is of kind `capability` and names none".to_owned();
            let help = format!("add `- capability: ...`, one of {}", listed(capability::KNOWN));
            sink.error_with_help(code::CAPABILITY_KIND, at.clone(), message, help);
            StepKind::Capability
        }
        (Some((StepKind::Execute | StepKind::Checkpoint, at)), Some((id, _))) => {
            let message = format!("a step with a capability ({}) has no other kind", quoted(id));
            let help = "leave `kind` out, or write `kind: capability`".to_owned();
            sink.error_with_help(code::CAPABILITY_KIND, at.clone(), message, help);
            StepKind::Capability
        }
        (Some((kind, _)), _) => *kind,
        (None, Some(_)) => StepKind::Capability,
        (None, None) => StepKind::Execute,
    }
}

fn check_capability(sink: &mut Sink<'_>, keys: &Keys) {
    let Some((id, at)) = &keys.capability else {
        // A missing `capability` of that kind is already reported.
        let is_reported = matches!(keys.kind, Some((StepKind::Capability, _)));
        if let Some((_, at)) = keys.with.as_ref().filter(|_| !is_reported) {
            let message = "`with` is the input of a capability, and this step has none".to_owned();
            let help = format!("add `- capability: ...`, one of {}", listed(capability::KNOWN));
            sink.error_with_help(code::STRAY_WITH, at.clone(), message, help);
        }
        return;
    };
    if !capability::KNOWN.contains(&id.as_str()) {
        let message = format!("unknown capability {}", quoted(id));
        let help = choices(id, capability::KNOWN);
        return sink.error_with_help(code::UNKNOWN_CAPABILITY, at.clone(), message, help);
    }
    if keys.has_bad_with {
        return;
    }
    let with = keys.with.as_ref().map(|(value, _)| value);
    if let Err(misfit) = capability::check(id, with) {
        let whole = keys.with.as_ref().map_or(at, |(_, at)| at).clone();
        let at = match &misfit.key {
            Some(key) => with::key_span(sink.source(), &whole, key).unwrap_or(whole),
            None => whole,
        };
        sink.error_with_help(code::WITH_MISFIT, at, misfit.message, misfit.help);
    }
}
