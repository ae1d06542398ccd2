//! `[policies.NAME]`: how a gate is decided.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeString, DeTable};

use super::route;
use super::*;
use crate::definition::choice;

/// Reads one policy; what was wrong has its default.
pub(super) fn read(
    sink: &mut Sink<'_>,
    table: &DeTable<'_>,
    name: &Spanned<DeString<'_>>,
    groups: &BTreeMap<String, Vec<String>>,
) -> Policy {
    check_keys(sink, table, &keys::names(keys::POLICY), "a policy");
    let group = fields::some_text(sink, table, "group");
    let known = group.as_ref().and_then(|group| groups.get(group.text));
    let quorum = fields::count(sink, table, "quorum").unwrap_or(1);
    match (&group, known) {
        (Some(group), None) => unknown_group(sink, groups, group),
        (Some(group), Some(members)) => {
            check_quorum(sink, table, quorum, group.text, members, name.span());
        }
        (None, _) => {}
    }
    let policy = Policy {
        group: group.map(|group| group.text.to_owned()),
        members: known.cloned().unwrap_or_default(),
        quorum,
        no_self_approval: fields::flag(sink, table, "no_self_approval").unwrap_or_default(),
        timeout_secs: fields::duration(sink, table, "timeout"),
        on_timeout: fields::choice(sink, table, "on_timeout", choice::ON_TIMEOUTS)
            .unwrap_or_default(),
        request: route::read(sink, table, "request"),
        escalation: route::read(sink, table, "escalation"),
    };
    if !table.contains_key("timeout") {
        for key in ["on_timeout", "escalation"] {
            let Some(value) = table.get(key) else { continue };
            let message = format!("`{key}` without `timeout`: the gate waits for ever");
            let help = "add `timeout = \"15m\"`, or leave it out".to_owned();
            sink.warn(code::NO_TIMEOUT, value.span(), message, help);
            break;
        }
    }
    policy
}

fn unknown_group(sink: &mut Sink<'_>, groups: &BTreeMap<String, Vec<String>>, group: &Text<'_>) {
    let names: Vec<&str> = groups.keys().map(String::as_str).collect();
    let help = if names.is_empty() {
        format!("the workspace has no groups; add `[groups.{}]`", group.text)
    } else {
        choices(group.text, &names)
    };
    let message = format!("unknown group {}", quoted(group.text));
    sink.error_with_help(code::UNKNOWN_GROUP, group.span.clone(), message, help);
}

/// An empty group is reported where it stands.
fn check_quorum(
    sink: &mut Sink<'_>,
    table: &DeTable<'_>,
    quorum: u32,
    group: &str,
    members: &[String],
    name_at: Range<usize>,
) {
    if members.is_empty() || u64::from(quorum) <= members.len() as u64 {
        return;
    }
    let at = table.get("quorum").map_or(name_at, Spanned::span);
    let message = format!(
        "{quorum} must say yes, and the group {} has {}",
        quoted(group),
        match members.len() {
            1 => Cow::Borrowed("one member"),
            count => Cow::Owned(format!("{count} members")),
        }
    );
    let help = format!("write a `quorum` from 1 to {}, or add members", members.len());
    sink.error_with_help(code::BAD_QUORUM, at, message, help);
}
