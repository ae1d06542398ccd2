//! `workspace.toml`: what all SOPs of a workspace share.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::code;
use super::diagnostic::{Diagnostic, Sink, choices, listed, quoted, suggest};
use super::fields::{self, Keys, Text};
use super::keys;
use super::policy::{Policy, Route};
use super::settings::Settings;
use crate::limits;

mod policy;
mod route;

const TABLES: &[&str] = &["defaults", "limits", "groups", "policies"];

/// What `workspace.toml` says. The default is what holds without one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Workspace {
    pub(super) settings: Settings,
    /// Name of the policy of gates that name none.
    pub(super) default_policy: Option<String>,
    pub(super) max_concurrent_total: Option<u32>,
    groups: BTreeMap<String, Vec<String>>,
    pub(super) policies: BTreeMap<String, Policy>,
}

impl Workspace {
    /// Reads the text of `workspace.toml`; `file` is its path, for display.
    ///
    /// The workspace is usable only when no diagnostic is an error; it is nevertheless as complete as it can be,
    /// so that what is found in definitions under it is no echo of its own mistakes.
    pub fn parse(text: &str, file: &str) -> (Self, Vec<Diagnostic>) {
        let mut sink = Sink::new(file.to_owned(), text);
        let workspace = if text.len() > limits::DEFINITION_BYTES_MAX {
            let message = format!(
                "the file has {} bytes; at most {} are read",
                text.len(),
                limits::DEFINITION_BYTES_MAX
            );
            sink.error(code::TOO_LARGE, 0..0, message);
            Self::default()
        } else {
            read(&mut sink)
        };
        (workspace, sink.finish(None))
    }

    /// The members of a group, sorted.
    pub fn group(&self, name: &str) -> Option<&[String]> {
        self.groups.get(name).map(Vec::as_slice)
    }

    /// The policy of a name, its group's members in it.
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.get(name)
    }

    /// The names of its policies, sorted.
    pub fn policy_names(&self) -> Vec<&str> {
        self.policies.keys().map(String::as_str).collect()
    }
}

fn read(sink: &mut Sink<'_>) -> Workspace {
    let document = match DeTable::parse(sink.source()) {
        Ok(document) => document,
        Err(error) => {
            sink.error(code::SYNTAX, error.span().unwrap_or(0..0), fields::toml_reason(&error));
            return Workspace::default();
        }
    };
    let root = document.get_ref();
    check_tables(sink, root);
    let mut workspace = Workspace::default();
    if let Some((limits, _)) = table(sink, root, "limits") {
        check_keys(sink, limits, &keys::names(keys::LIMITS), "`[limits]`");
        workspace.max_concurrent_total = fields::count(sink, limits, "max_concurrent_total");
    }
    if let Some((groups, _)) = table(sink, root, "groups") {
        for (key, value) in groups {
            let members = group(sink, key.get_ref(), key.span(), value);
            workspace.groups.insert(key.get_ref().to_string(), members);
        }
    }
    if let Some((policies, _)) = table(sink, root, "policies") {
        for (key, value) in policies {
            let policy = named_table(sink, "policies", key.get_ref(), key.span(), value)
                .map(|table| policy::read(sink, table, key, &workspace.groups));
            workspace.policies.insert(key.get_ref().to_string(), policy.unwrap_or_default());
        }
    }
    read_defaults(sink, root, &mut workspace);
    workspace
}

fn read_defaults(sink: &mut Sink<'_>, root: &DeTable<'_>, workspace: &mut Workspace) {
    let Some((defaults, _)) = table(sink, root, "defaults") else { return };
    let mut known = keys::names(keys::COMMON);
    known.push(keys::DEFAULT_POLICY.name);
    check_keys(sink, defaults, &known, "`[defaults]`");
    workspace.settings = Settings::read(sink, defaults);
    let Some(policy) = fields::some_text(sink, defaults, keys::DEFAULT_POLICY.name) else { return };
    if workspace.policies.contains_key(policy.text) {
        workspace.default_policy = Some(policy.text.to_owned());
    } else {
        unknown_policy(sink, workspace, policy.text, policy.span);
    }
}

/// Reports a policy that the workspace does not have.
pub(super) fn unknown_policy(
    sink: &mut Sink<'_>,
    workspace: &Workspace,
    name: &str,
    at: Range<usize>,
) {
    let names = workspace.policy_names();
    let help = if names.is_empty() {
        format!("the workspace has no policies; add `[policies.{name}]` to `workspace.toml`")
    } else {
        choices(name, &names)
    };
    let message = format!("unknown policy {}", quoted(name));
    sink.error_with_help(code::UNKNOWN_POLICY, at, message, help);
}

fn check_tables(sink: &mut Sink<'_>, root: &DeTable<'_>) {
    for key in root.keys() {
        let name: &str = key.get_ref();
        if TABLES.contains(&name) {
            continue;
        }
        let help = match suggest(name, TABLES) {
            Some(probable) => format!("did you mean `{probable}`?"),
            None => format!("a workspace has {}", listed(TABLES)),
        };
        let message = format!("unknown table or key {}", quoted(name));
        sink.error_with_help(code::UNKNOWN_WORKSPACE_KEY, key.span(), message, help);
    }
}

fn check_keys(sink: &mut Sink<'_>, table: &DeTable<'_>, known: &[&str], place: &str) {
    let keys = Keys { known, unknown_code: code::UNKNOWN_WORKSPACE_KEY, place };
    fields::check_keys(sink, table, &keys);
}

fn table<'t, 'i>(
    sink: &mut Sink<'_>,
    root: &'t DeTable<'i>,
    name: &str,
) -> Option<(&'t DeTable<'i>, Range<usize>)> {
    let value = root.get(name)?;
    if let DeValue::Table(table) = value.get_ref() {
        return Some((table, value.span()));
    }
    let expected = format!("a table, written `[{name}]`");
    fields::wrong_type(sink, name, value.span(), &expected, value.get_ref());
    None
}

/// The table of a group or policy called `name`, whose name must be usable in a step.
fn named_table<'t, 'i>(
    sink: &mut Sink<'_>,
    parent: &str,
    name: &str,
    at: Range<usize>,
    value: &'t toml::Spanned<DeValue<'i>>,
) -> Option<&'t DeTable<'i>> {
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > 64 || !name.chars().all(usable) {
        let message = format!("{} cannot be a name here", quoted(name));
        let help = "a name is 1 to 64 letters, digits, `.`, `_` or `-`".to_owned();
        sink.error_with_help(code::BAD_WORKSPACE_NAME, at, message, help);
    }
    if let DeValue::Table(table) = value.get_ref() {
        return Some(table);
    }
    let expected = format!("a table, written `[{parent}.{name}]`");
    fields::wrong_type(sink, name, value.span(), &expected, value.get_ref());
    None
}

/// The members of a group; none when something about them was reported.
fn group(
    sink: &mut Sink<'_>,
    name: &str,
    at: Range<usize>,
    value: &toml::Spanned<DeValue<'_>>,
) -> Vec<String> {
    let Some(table) = named_table(sink, "groups", name, at.clone(), value) else {
        return Vec::new();
    };
    let before = sink.count();
    check_keys(sink, table, &keys::names(keys::GROUP), "a group");
    let mut members = fields::texts(sink, table, "members").unwrap_or_default();
    members.sort();
    members.dedup();
    if members.is_empty() && sink.count() == before {
        let message = format!("nobody is in the group {}", quoted(name));
        let help = "write `members = [\"anna\", \"ben\"]`".to_owned();
        sink.error_with_help(code::EMPTY_GROUP, at, message, help);
    }
    members
}
