//! The keys that each table of a story may have, and where a wrong one stands.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::story::format::StoryError;

/// The keys of an input that say what happens: one of them, or none.
pub(super) const VERBS: &[&str] = &[
    "webhook",
    "mqtt",
    "peripheral",
    "event",
    "cron",
    "manual",
    "approve",
    "deny",
    "amend",
    "revise",
    "complete",
    "fail",
    "cancel",
    "pause",
    "resume",
    "retry",
    "rerun",
    "archive",
];

const STORY: &[&str] = &["description", "start", "sops", "input", "answer", "expect"];

/// What each verb takes besides itself.
const BESIDES: &[(&str, &[&str])] = &[
    ("webhook", &["payload", "method", "key", "by"]),
    ("mqtt", &["payload"]),
    ("peripheral", &["payload"]),
    ("event", &["payload"]),
    ("cron", &[]),
    ("manual", &["payload", "by"]),
    ("approve", &["gate", "comment", "by", "run"]),
    ("deny", &["gate", "reason", "by", "run"]),
    ("amend", &["gate", "value", "by", "run"]),
    ("revise", &["gate", "guidance", "by", "run"]),
    ("complete", &["output", "by", "run"]),
    ("fail", &["reason", "by", "run"]),
    ("cancel", &["by", "run"]),
    ("pause", &["by", "run"]),
    ("resume", &["by", "run"]),
    ("retry", &["by", "run"]),
    ("rerun", &["by", "run"]),
    ("archive", &["by"]),
];

const ANSWER: &[&str] = &["sop", "step", "times", "delay", "output", "fail", "hang"];

const EXPECT: &[&str] = &["status", "trace", "call"];

const CALL: &[&str] = &["sop", "step", "capability", "with", "input"];

/// A place in a story's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Where {
    Nowhere,
    At { line: usize, column: usize },
}

impl Where {
    fn of(text: &str, span: Option<Range<usize>>) -> Self {
        let Some(span) = span else { return Self::Nowhere };
        let before = text.get(..span.start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::At { line, column }
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => Ok(()),
            Self::At { line, column } => write!(f, "{line}:{column}: "),
        }
    }
}

/// What the parser says of a text that is not TOML.
pub(super) fn syntax(text: &str, error: &toml::de::Error) -> StoryError {
    StoryError::new(&Where::of(text, error.span()), error.message())
}

/// Sees that every key is one that its table may have.
pub(super) fn check(text: &str) -> Result<(), StoryError> {
    let document = DeTable::parse(text).map_err(|error| syntax(text, &error))?;
    let root = document.get_ref();
    only(text, root, STORY, "a story")?;
    for input in list(root, "input") {
        let verb = BESIDES.iter().find(|(verb, _)| input.contains_key(*verb));
        let (takes, what): (&[&str], String) = match verb {
            Some((verb, besides)) => (besides, format!("an [[input]] that says `{verb}`")),
            None => (VERBS, "an [[input]]".to_owned()),
        };
        let mut shown = vec!["after"];
        shown.extend(takes);
        // A second verb is spoken of later.
        let other = |key: &str| VERBS.contains(&key);
        only_but(text, input, (&shown, other), &what)?;
    }
    for answer in list(root, "answer") {
        only(text, answer, ANSWER, "an [[answer]]")?;
    }
    if let Some(DeValue::Table(expect)) = root.get("expect").map(Spanned::get_ref) {
        only(text, expect, EXPECT, "[expect]")?;
        for call in list(expect, "call") {
            only(text, call, CALL, "an [[expect.call]]")?;
        }
    }
    Ok(())
}

fn list<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Vec<&'t DeTable<'i>> {
    let Some(DeValue::Array(values)) = table.get(key).map(Spanned::get_ref) else {
        return Vec::new();
    };
    let table = |value: &'t Spanned<DeValue<'i>>| {
        if let DeValue::Table(table) = value.get_ref() { Some(table) } else { None }
    };
    values.iter().filter_map(table).collect()
}

fn only(text: &str, table: &DeTable<'_>, allowed: &[&str], what: &str) -> Result<(), StoryError> {
    only_but(text, table, (allowed, |_| false), what)
}

fn only_but(
    text: &str,
    table: &DeTable<'_>,
    (allowed, besides): (&[&str], impl Fn(&str) -> bool),
    what: &str,
) -> Result<(), StoryError> {
    let is_known = |key: &str| allowed.contains(&key) || besides(key);
    let strangers = table.keys().filter(|key| !is_known(key.get_ref().as_ref()));
    let Some(stranger) = strangers.min_by_key(|key| key.span().start) else { return Ok(()) };
    let word = stranger.get_ref();
    let probable = allowed
        .iter()
        .map(|key| (strsim::damerau_levenshtein(word, key), key))
        .filter(|(distance, key)| *distance <= (key.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance);
    let help = match probable {
        Some((_, key)) => format!("did you mean `{key}`?"),
        None => {
            let all: Vec<String> = allowed.iter().map(|key| format!("`{key}`")).collect();
            format!("it may have {}", all.join(", "))
        }
    };
    let at = Where::of(text, Some(stranger.span()));
    Err(StoryError::new(&at, format!("{what} has no key `{word}`: {help}")))
}
