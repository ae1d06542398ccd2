//! What differs between two definitions: keys of the SOP, and steps.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value, to_value};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use sop_core::definition::{self, Definition};

/// Characters of a value that a line shows.
const SHOWN_CHARS: usize = 60;

/// A key that differs; `null` where it is not said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Key {
    pub(super) key: String,
    pub(super) before: Value,
    pub(super) after: Value,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    Added,
    Removed,
    Changed,
    Moved,
}

/// A step that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Step {
    pub(super) change: What,
    pub(super) before: Option<u32>,
    pub(super) after: Option<u32>,
    pub(super) title: String,
    pub(super) keys: Vec<Key>,
}

impl Key {
    pub(super) fn in_words(&self) -> String {
        format!("{}: {} → {}", self.key, shown(&self.before), shown(&self.after))
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() {
        return "(none)".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

impl Step {
    pub(super) fn in_words(&self) -> String {
        let title = &self.title;
        match (self.change, self.before, self.after) {
            (What::Added, _, Some(at)) => format!("+ step {at} {title}"),
            (What::Removed, Some(at), _) => format!("- step {at} {title}"),
            (_, Some(before), Some(after)) if before != after => {
                format!("~ step {before} → {after} {title}")
            }
            (_, before, after) => {
                format!("~ step {} {title}", after.or(before).unwrap_or_default())
            }
        }
    }
}

/// The keys of the SOP itself that differ, in the order of their names.
pub(super) fn of_sop(a: &Definition, b: &Definition) -> Vec<Key> {
    keys(&object(a), &object(b), &["steps"])
}

/// The steps that differ, in the order of the newer.
pub(super) fn of_steps(a: &Definition, b: &Definition) -> Vec<Step> {
    let titles = |sop: &Definition| -> Vec<String> {
        sop.steps.iter().map(|step| step.title.clone()).collect()
    };
    let (old, new) = (titles(a), titles(b));
    let mut steps = Vec::new();
    for operation in capture_diff_slices(Algorithm::Myers, &old, &new) {
        let (old, new) = (operation.old_range(), operation.new_range());
        // Steps of other titles that stand in the same place were given another title.
        let is_pair = matches!(operation, DiffOp::Equal { .. } | DiffOp::Replace { .. });
        let pairs = if is_pair { old.len().min(new.len()) } else { 0 };
        for (before, after) in a.steps[old.clone()].iter().zip(&b.steps[new.clone()]).take(pairs) {
            steps.extend(pair(before, after));
        }
        steps.extend(a.steps[old].iter().skip(pairs).map(|step| Step {
            change: What::Removed,
            before: Some(step.number),
            after: None,
            title: step.title.clone(),
            keys: Vec::new(),
        }));
        steps.extend(b.steps[new].iter().skip(pairs).map(|step| Step {
            change: What::Added,
            before: None,
            after: Some(step.number),
            title: step.title.clone(),
            keys: Vec::new(),
        }));
    }
    steps
}

fn pair(before: &definition::Step, after: &definition::Step) -> Option<Step> {
    let keys = keys(&object(before), &object(after), &["number"]);
    let change = match (keys.is_empty(), before.number == after.number) {
        (true, true) => return None,
        (true, false) => What::Moved,
        (false, _) => What::Changed,
    };
    let (number, title) = (Some(before.number), after.title.clone());
    Some(Step { change, before: number, after: Some(after.number), title, keys })
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match to_value(value) {
        Ok(Value::Object(object)) => object,
        Ok(_) | Err(_) => Map::new(),
    }
}

fn keys(a: &Map<String, Value>, b: &Map<String, Value>, but: &[&str]) -> Vec<Key> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let at =
        |object: &Map<String, Value>, name: &str| object.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .filter(|name| !but.contains(&name.as_str()))
        .map(|name| Key { key: name.clone(), before: at(a, name), after: at(b, name) })
        .filter(|key| key.before != key.after)
        .collect()
}
