//! `[[triggers]]`: what starts an SOP.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use super::auth;
use super::code;
use super::diagnostic::{Sink, choices, quoted};
use super::fields::{self, Keys, Text};
use super::keys::{self, METHODS};
use super::literal;
use super::manifest;
use super::model::{Trigger, WebhookTrigger};
use crate::condition::{Condition, ValuePath};
use crate::cron::CronExpr;
use crate::event::ended;
use crate::topic::TopicFilter;

/// Reads one trigger; `None` when something about it was reported.
///
/// `at` is its header, or the table itself when it is written inline.
pub(super) fn read(sink: &mut Sink<'_>, table: &DeTable<'_>, at: Range<usize>) -> Option<Trigger> {
    let kind = required(sink, table, "type", "a trigger", &at)?;
    let Some((name, _, own)) = keys::TRIGGERS.iter().find(|(name, ..)| *name == kind.text) else {
        let types: Vec<&str> = keys::TRIGGERS.iter().map(|(name, ..)| *name).collect();
        let message = format!("unknown trigger type {}", quoted(kind.text));
        let help = choices(kind.text, &types);
        sink.error_with_help(code::UNKNOWN_TRIGGER, kind.span, message, help);
        return None;
    };
    let article = if matches!(*name, "mqtt" | "event") { "an" } else { "a" };
    let place = format!("{article} {name} trigger");
    let known: Vec<&str> = ["type"].into_iter().chain(keys::names(own)).collect();
    let keys = Keys { known: &known, unknown_code: code::UNKNOWN_TRIGGER_KEY, place: &place };
    fields::check_keys(sink, table, &keys);
    match kind.text {
        "manual" => Some(Trigger::Manual),
        "webhook" => webhook(sink, table, &at),
        "mqtt" => mqtt(sink, table, &at),
        "cron" => cron(sink, table, &at),
        "event" => event(sink, table, &at),
        _ => peripheral(sink, table, &at),
    }
}

/// The text of a key that the table must have.
///
/// A key that is absent while a misspelt one stands beside it is not reported again.
fn required<'t>(
    sink: &mut Sink<'_>,
    table: &'t DeTable<'_>,
    key: &str,
    place: &str,
    at: &Range<usize>,
) -> Option<Text<'t>> {
    if table.contains_key(key) {
        return fields::text(sink, table, key);
    }
    let misspelt = |name: &str| super::diagnostic::suggest(name, &[key]).is_some();
    if key == "type" || !table.keys().any(|name| misspelt(name.get_ref())) {
        let message = format!("{place} has a `{key}`, and this one has none");
        let help = format!("add `{key} = \"...\"`");
        sink.error_with_help(code::MISSING_TRIGGER_KEY, at.clone(), message, help);
    }
    None
}

fn webhook(sink: &mut Sink<'_>, table: &DeTable<'_>, at: &Range<usize>) -> Option<Trigger> {
    let path = required(sink, table, "path", "a webhook trigger", at)
        .and_then(|path| checked_path(sink, path));
    let method = method(sink, table);
    let auth = auth::read(sink, table);
    let condition = condition(sink, table);
    Some(Trigger::Webhook(WebhookTrigger { path: path?, method, auth, condition }))
}

fn checked_path(sink: &mut Sink<'_>, path: Text<'_>) -> Option<String> {
    let Some(help) = path_problem(path.text) else { return Some(path.text.to_owned()) };
    let message = format!("no request matches the path {}", quoted(path.text));
    sink.error_with_help(code::BAD_PATH, path.span, message, help.to_owned());
    None
}

/// What to write instead; `None` for a path that requests can have once they are decoded.
pub(super) fn path_problem(path: &str) -> Option<&'static str> {
    if path != path.trim() || path.chars().any(char::is_control) {
        return Some("leave out the spaces around it and control characters");
    }
    if path.contains(['?', '#']) {
        return Some("leave out the query: test its values with a `condition` on the payload");
    }
    if path.contains('%') {
        return Some("write the decoded path: a space for `%20`");
    }
    if path.split('/').any(|part| part == "." || part == "..") {
        return Some("leave out `.` and `..`: clients resolve them before they send");
    }
    if path == "/webhook" || path.strip_prefix("/sop/").is_some_and(|rest| !rest.is_empty()) {
        return None;
    }
    Some("write `/webhook`, or `/sop/` and something, such as `/sop/deploy`")
}

fn method(sink: &mut Sink<'_>, table: &DeTable<'_>) -> Option<String> {
    let method = fields::text(sink, table, "method")?;
    if METHODS.contains(&method.text) {
        return Some(method.text.to_owned());
    }
    let message = format!("{} is not an HTTP method", quoted(method.text));
    sink.error_with_help(code::BAD_METHOD, method.span, message, choices(method.text, METHODS));
    None
}

fn mqtt(sink: &mut Sink<'_>, table: &DeTable<'_>, at: &Range<usize>) -> Option<Trigger> {
    let topic = required(sink, table, "topic", "an mqtt trigger", at).and_then(|topic| {
        TopicFilter::parse(topic.text)
            .map_err(|error| {
                sink.error(code::BAD_TOPIC, topic.span, error.to_string());
            })
            .ok()
    });
    let (condition, key) = (condition(sink, table), key(sink, table));
    Some(Trigger::Mqtt { topic: topic?, condition, key })
}

fn cron(sink: &mut Sink<'_>, table: &DeTable<'_>, at: &Range<usize>) -> Option<Trigger> {
    let expression =
        required(sink, table, "expression", "a cron trigger", at).and_then(|expression| {
            CronExpr::parse(expression.text)
                .map_err(|error| {
                    let help = error.help().map(str::to_owned);
                    sink.error_with_help(code::BAD_CRON, expression.span, error.to_string(), help);
                })
                .ok()
        });
    let timezone = manifest::timezone(sink, table);
    Some(Trigger::Cron { expression: expression?, timezone })
}

fn peripheral(sink: &mut Sink<'_>, table: &DeTable<'_>, at: &Range<usize>) -> Option<Trigger> {
    let board = required(sink, table, "board", "a peripheral trigger", at)
        .and_then(|board| exact_name(sink, "board", board));
    let signal = required(sink, table, "signal", "a peripheral trigger", at)
        .and_then(|signal| exact_name(sink, "signal", signal));
    let (condition, key) = (condition(sink, table), key(sink, table));
    Some(Trigger::Peripheral { board: board?, signal: signal?, condition, key })
}

fn event(sink: &mut Sink<'_>, table: &DeTable<'_>, at: &Range<usize>) -> Option<Trigger> {
    let mut exact = |key: &str| match fields::text(sink, table, key) {
        Some(text) if is_event_text(text.text) => Ok(Some(text.text.to_owned())),
        Some(text) => {
            let message = format!("no event has the {key} {}", quoted(text.text));
            sink.error_with_help(code::BAD_EVENT, text.span, message, EVENT_TEXT_HELP.to_owned());
            Err(())
        }
        None if table.contains_key(key) => Err(()),
        None => Ok(None),
    };
    let (source, detail_type) = (exact("source"), exact("detail_type"));
    let condition = condition(sink, table);
    let (source, detail_type) = (source.ok()?, detail_type.ok()?);
    if source.is_none() && detail_type.is_none() {
        let message =
            "an event trigger has a `source` or a `detail_type`, and this one has neither";
        let help = "add `source = \"aws.s3\"`, for example".to_owned();
        sink.error_with_help(code::MISSING_TRIGGER_KEY, at.clone(), message.to_owned(), help);
        return None;
    }
    let is_unconditional = !table.contains_key("condition");
    warn_of_ends(sink, table, (source.as_deref(), detail_type.as_deref()), is_unconditional);
    Some(Trigger::Event { source, detail_type, condition })
}

/// Warns of a kind of end that no run has, and of a trigger that takes the ends of the SOP's own runs.
fn warn_of_ends(
    sink: &mut Sink<'_>,
    table: &DeTable<'_>,
    (source, detail_type): (Option<&str>, Option<&str>),
    is_unconditional: bool,
) {
    if source.is_some_and(|source| source != ended::SOURCE) {
        return;
    }
    let known = detail_type.is_none_or(|wanted| ended::DETAIL_TYPES.contains(&wanted));
    let key = if detail_type.is_some() { "detail_type" } else { "source" };
    let Some(at) = table.get(key).map(Spanned::span) else { return };
    if !known {
        if let (Some(source), Some(wanted)) = (source, detail_type) {
            let message = format!("`{source}` sends no event of the type {}", quoted(wanted));
            sink.warn(code::BAD_EVENT, at, message, choices(wanted, &ended::DETAIL_TYPES));
        }
    } else if is_unconditional {
        let message = "the ends of this SOP's own runs start it again".to_owned();
        let help = "say whose ends count: `condition = '$.detail.sop == \"deploy\"'`".to_owned();
        sink.warn(code::OWN_END, at, message, help);
    }
}

/// What to write for a source or a detail type that no event has.
pub(super) const EVENT_TEXT_HELP: &str =
    "it is one exact text, without `*` or spaces around it; leave the key out to take any";

/// Whether a source or a detail type can be called so.
pub(super) fn is_event_text(text: &str) -> bool {
    text == text.trim()
        && !text.is_empty()
        && !text.contains('*')
        && !text.chars().any(char::is_control)
}

fn exact_name(sink: &mut Sink<'_>, key: &str, name: Text<'_>) -> Option<String> {
    if is_exact_name(name.text) {
        return Some(name.text.to_owned());
    }
    let message = format!("no device has the {key} {}", quoted(name.text));
    let help = "it is one exact name, without `/`, `+`, `#` or spaces around it".to_owned();
    sink.error_with_help(code::BAD_SIGNAL, name.span, message, help);
    None
}

/// Whether a board or a signal can be called so.
pub(super) fn is_exact_name(name: &str) -> bool {
    name == name.trim()
        && !name.is_empty()
        && !name.contains(['/', '+', '#'])
        && !name.chars().any(char::is_control)
}

/// Where in the payload a message's own id is.
fn key(sink: &mut Sink<'_>, table: &DeTable<'_>) -> Option<ValuePath> {
    let written = fields::text(sink, table, "key")?;
    match ValuePath::parse(written.text) {
        Ok(key) => Some(key),
        Err(error) => {
            let at = literal::locate(sink.source(), written.span, written.text, error.span);
            sink.error_with_help(code::BAD_KEY, at, error.message, error.help);
            None
        }
    }
}

fn condition(sink: &mut Sink<'_>, table: &DeTable<'_>) -> Option<Condition> {
    let written = fields::text(sink, table, "condition")?;
    match Condition::parse(written.text) {
        Ok(condition) => {
            if let Some(reason) = condition.never_holds() {
                let message = "this condition never holds".to_owned();
                sink.warn(code::NEVER_HOLDS, written.span, message, reason);
            }
            Some(condition)
        }
        Err(error) => {
            let at = literal::locate(sink.source(), written.span, written.text, error.span);
            sink.error_with_help(code::BAD_CONDITION, at, error.message, error.help);
            None
        }
    }
}
