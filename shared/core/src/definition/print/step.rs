//! One step.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{json, title};
use crate::definition::choice::{self, DELEGATIONS, DELIVERIES, KINDS, STEP_MODES};
use crate::definition::code;
use crate::definition::diagnostic::Severity;
use crate::definition::flow::{Backoff, OnFailure};
use crate::definition::keys;
use crate::definition::markdown::parse_steps;
use crate::definition::model::{Step, StepKind};
use crate::duration;

/// How the title of a step is written.
pub(super) enum Title<'t> {
    /// As the step has it.
    Plain,
    /// As its author wrote it, in bold or as the first line.
    Written { markdown: &'t str, is_bold: bool },
}

/// The texts of JSON values as their author wrote them, by key.
pub(super) type Texts<'t> = BTreeMap<&'static str, &'t str>;

/// A step, without a line end after it, which reads back as exactly it; as near as can be, with its body fenced, when
/// nothing does.
pub(super) fn print(step: &Step) -> String {
    faithful(step, &Title::Plain, &Texts::new()).unwrap_or_else(|| {
        let fence = fence_of(&step.body);
        let body = format!("{fence}\n{}\n{fence}", step.body);
        let layout = Layout { keys: Keys::Last, joins: false };
        lay_out(&Parts::of(step, &Title::Plain, &Texts::new()), &body, &layout)
    })
}

/// A step in the first of some layouts in which it reads back as exactly it.
pub(super) fn faithful(step: &Step, title: &Title<'_>, texts: &Texts<'_>) -> Option<String> {
    let parts = Parts::of(step, title, texts);
    let mut layouts = [
        Layout { keys: Keys::Last, joins: true },
        Layout { keys: Keys::Last, joins: false },
        Layout { keys: Keys::First, joins: false },
        Layout { keys: Keys::FirstAndWide, joins: false },
    ];
    if begins_block(&step.body) {
        layouts.rotate_left(1);
    }
    layouts.into_iter().find_map(|layout| {
        let text = lay_out(&parts, &step.body, &layout);
        reads_back(&text, step).then_some(text)
    })
}

/// Whether a text could begin with a block that is no paragraph, which on the line of the title it would not be.
fn begins_block(text: &str) -> bool {
    let after_digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = after_digits.len() < text.len() && after_digits.starts_with(['.', ')']);
    is_numbered
        || text.starts_with([' ', '\t', '-', '*', '+', '#', '>', '`', '~', '<', '|', '=', '_'])
}

fn reads_back(text: &str, step: &Step) -> bool {
    let mut read = parse_steps(&format!("## Steps\n\n{text}\n\nEnd\n"));
    for step in &mut read.steps {
        // Alone it would be the first.
        step.number = 0;
    }
    let is_broken = read
        .diagnostics
        .iter()
        .any(|found| found.severity == Severity::Error && found.code != code::STEP_NUMBER);
    !is_broken && read.steps == [Step { number: 0, ..step.clone() }]
}

/// Where the keys stand.
#[derive(PartialEq)]
enum Keys {
    Last,
    First,
    /// Their text so far in that an indented body is no part of the last of them.
    FirstAndWide,
}

struct Layout {
    keys: Keys,
    /// The body begins on the line of the title.
    joins: bool,
}

struct Parts {
    marker: String,
    title: String,
    /// What stands between the title and a body that joins it.
    joint: &'static str,
    keys: Vec<String>,
}

impl Parts {
    fn of(step: &Step, title: &Title<'_>, texts: &Texts<'_>) -> Self {
        let (title, joint) = match title {
            Title::Plain => (title::bold(&step.title), " — "),
            Title::Written { markdown, is_bold: true } => ((*markdown).to_owned(), " — "),
            Title::Written { markdown, is_bold: false } => ((*markdown).to_owned(), "\n"),
        };
        Self { marker: format!("{}. ", step.number), title, joint, keys: all_keys(step, texts) }
    }
}

fn lay_out(parts: &Parts, body: &str, layout: &Layout) -> String {
    let mut text = parts.title.clone();
    let keys = match layout.keys {
        Keys::Last | Keys::First => parts.keys.join("\n"),
        Keys::FirstAndWide => {
            let wide = |key: &String| key.replacen("- ", "-    ", 1).replace("\n  ", "\n     ");
            parts.keys.iter().map(wide).collect::<Vec<_>>().join("\n")
        }
    };
    let is_last = layout.keys == Keys::Last;
    if !is_last && !keys.is_empty() {
        text += &format!("\n{keys}");
    }
    if !body.is_empty() {
        let gap = if layout.joins { parts.joint } else { "\n\n" };
        text += &format!("{gap}{body}");
    }
    if is_last && !keys.is_empty() {
        // A text of one line and its keys belong together at a glance.
        let is_short = body.is_empty() || (layout.joins && !body.contains('\n'));
        text += if is_short { "\n" } else { "\n\n" };
        text += &keys;
    }
    let indent = " ".repeat(parts.marker.len());
    let mut lines = text.split('\n');
    let mut out = format!("{}{}", parts.marker, lines.next().unwrap_or_default());
    for line in lines {
        out.push('\n');
        if !line.is_empty() {
            out += &indent;
            out += line;
        }
    }
    out
}

/// The key items of a step, in the order of the table, each with its lines.
fn all_keys(step: &Step, texts: &Texts<'_>) -> Vec<String> {
    keys::STEP.iter().filter_map(|key| key_item(key.name, step, texts)).collect()
}

fn key_item(key: &'static str, step: &Step, texts: &Texts<'_>) -> Option<String> {
    let json = |value: &Option<Value>| {
        let value = value.as_ref()?;
        let text = texts.get(key).map_or_else(|| value.to_string(), |text| (*text).to_owned());
        let written = json_item(key, &text).or_else(|| json_item(key, &value.to_string()));
        Some(Item::Whole(written.expect("a value prints as JSON")))
    };
    let list = |names: &[String]| (!names.is_empty()).then(|| Item::Line(names.join(", ")));
    let flag = |is_set: bool| is_set.then(|| Item::Line("true".to_owned()));
    let text = |text: &Option<String>| text.clone().map(Item::Line);
    let item = match key {
        "kind" => match step.kind {
            StepKind::Execute | StepKind::Capability => None,
            StepKind::Checkpoint => Some(Item::word(choice::name_of(KINDS, &step.kind))),
        },
        "capability" => text(&step.capability),
        "with" => json(&step.with),
        "input" => json(&step.input),
        "output" => json(&step.output),
        "tools" => list(&step.suggested_tools),
        "allow-tools" => step.allow_tools.as_deref().and_then(list),
        "deny-tools" => list(&step.deny_tools),
        "depends_on" => {
            let numbers: Vec<String> = step.depends_on.iter().map(ToString::to_string).collect();
            list(&numbers)
        }
        "if" => step.only_if.as_ref().map(|condition| Item::Line(condition.as_str().to_owned())),
        "when" => step.when.as_ref().map(|condition| Item::Line(condition.as_str().to_owned())),
        "switch" => (!step.switch.is_empty()).then(|| Item::Line(cases(step))),
        "next" => step.next.map(|next| Item::Line(next.to_string())),
        "terminal" => flag(step.terminal),
        "requires_confirmation" => flag(step.requires_confirmation),
        "mode" => step.mode.map(|mode| Item::word(choice::name_of(STEP_MODES, &mode))),
        "policy" => text(&step.policy),
        "prompt" => step.prompt.as_deref().map(prompt),
        "edit" => text(&step.edit),
        "delegation" => {
            step.delegation.map(|delegation| Item::word(choice::name_of(DELEGATIONS, &delegation)))
        }
        "agent" => text(&step.agent),
        "timeout" => step.timeout_secs.map(|secs| Item::Line(duration::print(secs))),
        "on_failure" => on_failure(step.on_failure).map(Item::Line),
        "backoff" => step.backoff.map(|backoff| Item::Line(print_backoff(backoff))),
        "delivery" => (!step.delivery.is_default())
            .then(|| Item::word(choice::name_of(DELIVERIES, &step.delivery))),
        other => unreachable!("`{other}` is in the table of keys and has an arm"),
    };
    item.map(|item| match item {
        Item::Line(value) => format!("- {key}: {}", one_line(&value)),
        Item::Block(value) => fenced_item(key, "text", &value),
        Item::Whole(item) => item,
    })
}

/// The value of a key item.
enum Item {
    Line(String),
    /// In a fenced block of text.
    Block(String),
    /// With the key.
    Whole(String),
}

impl Item {
    fn word(word: &str) -> Self {
        Self::Line(word.to_owned())
    }
}

fn one_line(value: &str) -> String {
    if value.contains(['\n', '\r']) {
        value.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        value.to_owned()
    }
}

fn prompt(text: &str) -> Item {
    let is_line = !text.contains(['\n', '\r']) && text.trim() == text && !text.starts_with('`');
    if is_line { Item::Line(text.to_owned()) } else { Item::Block(text.to_owned()) }
}

fn cases(step: &Step) -> String {
    let case = |case: &crate::definition::flow::Case| {
        let condition = case.condition.as_ref().map_or("else", |condition| condition.as_str());
        format!("{condition} -> {}", case.next)
    };
    step.switch.iter().map(case).collect::<Vec<_>>().join("; ")
}

fn on_failure(on_failure: OnFailure) -> Option<String> {
    match on_failure {
        OnFailure::Fail => None,
        OnFailure::Retry { max } => Some(format!("retry:{max}")),
        OnFailure::Goto { step } => Some(format!("goto:{step}")),
        OnFailure::Continue => Some("continue".to_owned()),
    }
}

fn print_backoff(backoff: Backoff) -> String {
    let secs = |ms: u64| duration::print(ms.div_ceil(1_000));
    if backoff.max_ms == Backoff::default().max_ms.max(backoff.initial_ms) {
        return secs(backoff.initial_ms);
    }
    format!("{}..{}", secs(backoff.initial_ms), secs(backoff.max_ms))
}

fn json_item(key: &str, text: &str) -> Option<String> {
    let line = json::line(text)?;
    if json::is_short(&line) {
        return Some(format!("- {key}: {line}"));
    }
    Some(fenced_item(key, "json", &json::block(text)?))
}

fn fenced_item(key: &str, language: &str, text: &str) -> String {
    let fence = fence_of(text);
    let mut out = format!("- {key}:\n  {fence}{language}");
    for line in text.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out += "  ";
            out += line;
        }
    }
    out + &format!("\n  {fence}")
}

/// Backticks that no line of `text` could close.
fn fence_of(text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat((longest + 1).max(3))
}
