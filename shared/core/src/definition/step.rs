//! The keys of a step, and what they make of it together.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::choice;
use super::code;
use super::diagnostic::{Sink, listed, quoted, suggest};
use super::flow::{Backoff, Delegation, Delivery, OnFailure};
use super::keys;
use super::markdown::{Item, KeyItem};
use super::model::{ExecutionMode, Step, StepKind};
use super::switch::Branch;
use super::with;
use crate::condition::Condition;

mod check;
mod value;

/// What may stand around a key in Markdown and is no part of it.
pub(super) const DECORATION: [char; 4] = ['*', '_', '`', ' '];

/// A step, and where its parts are written.
pub(super) struct Written {
    pub(super) step: Step,
    /// The title, or the number where there is none.
    pub(super) title_at: Range<usize>,
    /// The value of each key that was read.
    pub(super) places: BTreeMap<&'static str, Range<usize>>,
    /// The ways out of `switch`, each with its place.
    pub(super) branches: Vec<Branch>,
    /// Whether the title is in bold, and not just the first line.
    pub(super) is_bold: bool,
    /// From the number to the end of what belongs to it.
    pub(super) whole: Range<usize>,
    /// Something about its keys was reported, so that what they make together says little.
    pub(super) is_broken: bool,
}

impl Written {
    /// Where a key's value stands; the title where it has none.
    pub(super) fn place(&self, key: &str) -> Range<usize> {
        self.places.get(key).unwrap_or(&self.title_at).clone()
    }
}

#[derive(Default)]
struct Keys {
    places: BTreeMap<&'static str, Range<usize>>,
    tools: Vec<String>,
    requires_confirmation: bool,
    kind: Option<StepKind>,
    capability: Option<String>,
    with: Option<Value>,
    has_bad_with: bool,
    mode: Option<ExecutionMode>,
    only_if: Option<Condition>,
    when: Option<Condition>,
    next: Option<u32>,
    branches: Vec<Branch>,
    terminal: bool,
    depends_on: Vec<u32>,
    on_failure: OnFailure,
    backoff: Option<Backoff>,
    timeout_secs: Option<u64>,
    input: Option<Value>,
    output: Option<Value>,
    delegation: Option<Delegation>,
    policy: Option<String>,
    prompt: Option<String>,
    edit: Option<String>,
    delivery: Delivery,
    agent: Option<String>,
    allow_tools: Option<Vec<String>>,
    deny_tools: Vec<String>,
}

/// Makes a step of an item; `title_at` is where it is named.
pub(super) fn build(
    sink: &mut Sink<'_>,
    number: u32,
    item: Item<'_>,
    title_at: Range<usize>,
) -> Written {
    let before = sink.count();
    let mut keys = Keys::default();
    for key in &item.keys {
        read_key(sink, key, &mut keys);
    }
    let kind = check::kind(sink, &keys);
    check::capability(sink, &keys);
    let is_broken = sink.count() > before;
    let branches = std::mem::take(&mut keys.branches);
    let written = Written {
        title_at,
        is_bold: item.is_bold,
        whole: item.whole.clone(),
        places: std::mem::take(&mut keys.places),
        step: assemble(number, item, kind, keys, &branches),
        branches,
        is_broken,
    };
    if !is_broken {
        check::together(sink, &written);
    }
    written
}

fn assemble(number: u32, item: Item<'_>, kind: StepKind, keys: Keys, branches: &[Branch]) -> Step {
    Step {
        number,
        title: item.title,
        body: item.body,
        kind,
        suggested_tools: keys.tools,
        requires_confirmation: keys.requires_confirmation,
        capability: keys.capability,
        with: keys.with,
        mode: keys.mode,
        only_if: keys.only_if,
        when: keys.when,
        next: keys.next,
        switch: branches.iter().map(|branch| branch.case.clone()).collect(),
        terminal: keys.terminal,
        depends_on: keys.depends_on,
        on_failure: keys.on_failure,
        backoff: keys.backoff,
        timeout_secs: keys.timeout_secs,
        input: keys.input,
        output: keys.output,
        delegation: keys.delegation,
        policy: keys.policy,
        prompt: keys.prompt,
        edit: keys.edit,
        delivery: keys.delivery,
        agent: keys.agent,
        allow_tools: keys.allow_tools,
        deny_tools: keys.deny_tools,
    }
}

fn read_key(sink: &mut Sink<'_>, key: &KeyItem<'_>, keys: &mut Keys) {
    let Some(row) = keys::step_key(key.name) else { return report_unknown(sink, key) };
    let place = key.fence.clone().filter(|_| key.value.is_empty());
    let place = place.unwrap_or_else(|| key.value.clone());
    if keys.places.insert(row.name, place).is_some() {
        let message = format!("the step has `{}` twice", key.name);
        return sink.error(code::REPEATED_STEP_KEY, key.key.clone(), message);
    }
    match row.name {
        "with" => {
            keys.with = with::read(sink, key);
            keys.has_bad_with = keys.with.is_none();
        }
        "input" => keys.input = with::read_schema(sink, key),
        "output" => keys.output = with::read_schema(sink, key),
        "prompt" => keys.prompt = value::block(sink, key),
        name => {
            let Some(text) = value::line(sink, key) else { return };
            read_line(sink, key, name, &text, keys);
        }
    }
}

/// Reads a key that takes one line.
fn read_line(sink: &mut Sink<'_>, key: &KeyItem<'_>, name: &str, text: &str, keys: &mut Keys) {
    let word = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match name {
        "tools" => keys.tools = value::list(sink, key, &word),
        "allow-tools" => keys.allow_tools = Some(value::list(sink, key, &word)),
        "deny-tools" => keys.deny_tools = value::list(sink, key, &word),
        "requires_confirmation" => {
            keys.requires_confirmation =
                value::choice(sink, key, &word, choice::FLAGS).unwrap_or_default();
        }
        "terminal" => {
            keys.terminal = value::choice(sink, key, &word, choice::FLAGS).unwrap_or_default();
        }
        "kind" => keys.kind = value::choice(sink, key, &word, choice::KINDS),
        "capability" => keys.capability = Some(word),
        "mode" => keys.mode = value::choice(sink, key, &word, choice::STEP_MODES),
        "delegation" => keys.delegation = value::choice(sink, key, &word, choice::DELEGATIONS),
        "delivery" => {
            keys.delivery = value::choice(sink, key, &word, choice::DELIVERIES).unwrap_or_default();
        }
        "if" => keys.only_if = value::condition(sink, key, text),
        "when" => keys.when = value::condition(sink, key, text),
        "switch" => keys.branches = value::branches(sink, key, text),
        "next" => keys.next = value::step_number(sink, key, &word),
        "depends_on" => keys.depends_on = value::step_numbers(sink, key, &word),
        "on_failure" => keys.on_failure = value::on_failure(sink, key, &word).unwrap_or_default(),
        "backoff" => keys.backoff = value::backoff(sink, key, &word),
        "timeout" => keys.timeout_secs = value::duration(sink, key, &word),
        "policy" => keys.policy = Some(word),
        "agent" => keys.agent = Some(word),
        "edit" => keys.edit = Some(word),
        other => unreachable!("`{other}` is in the table of keys and has an arm"),
    }
}

fn report_unknown(sink: &mut Sink<'_>, key: &KeyItem<'_>) {
    let message = format!("unknown step key {}", quoted(key.name));
    let plain = key.name.trim_end_matches('=').trim_matches(DECORATION);
    let known = keys::of_steps();
    let help = match suggest(plain, &known) {
        Some(probable) if key.name.ends_with('=') => format!("write `{probable}: ...`"),
        Some(probable) => format!("did you mean `{probable}`?"),
        None => format!("its keys are {}; a remark begins with a capital letter", listed(&known)),
    };
    sink.error_with_help(code::UNKNOWN_STEP_KEY, key.key.clone(), message, help);
}
