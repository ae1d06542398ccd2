//! `wait.event`: a wait for something to arrive.

use super::*;
use crate::condition::Condition;
use crate::definition::trigger;
use crate::topic::TopicFilter;

/// Of each source, the keys that say where its events come in.
const SOURCES: &[(&str, &[&str])] =
    &[("webhook", &["path"]), ("mqtt", &["topic"]), ("peripheral", &["board", "signal"])];

pub(super) fn check(with: &Map<String, Value>) -> Result<(), Misfit> {
    let names: Vec<&str> = SOURCES.iter().map(|(name, _)| *name).collect();
    let Some(source) = with.get("source") else {
        let help = format!("add `source`, one of {}", listed(&names));
        return Err(Misfit::new("`wait.event` needs a `source`", &help));
    };
    let source = source.as_str().unwrap_or_default();
    let Some((_, places)) = SOURCES.iter().find(|(name, _)| *name == source) else {
        let message = format!("nothing can be awaited from {}", quoted(source));
        return Err(Misfit::of("source", message, choices(source, &names)));
    };
    let known: Vec<&str> =
        ["source", "condition", "correlate"].iter().chain(*places).copied().collect();
    only_keys(with, &known)?;
    for place in *places {
        match with.get(*place) {
            Some(value) => check_place(place, value.as_str().unwrap_or_default())?,
            None => {
                let message = format!("an event of `{source}` is awaited at a `{place}`");
                return Err(Misfit::new(message, &format!("add `\"{place}\": \"...\"`")));
            }
        }
    }
    if let Some(condition) = with.get("condition") {
        let text = condition.as_str().unwrap_or_default();
        if let Err(error) = Condition::parse(text) {
            let message = format!("`condition` cannot be read: {}", error.message);
            return Err(Misfit::of("condition", message, error.help));
        }
    }
    with.get("correlate").map_or(Ok(()), check_correlate)
}

fn check_place(key: &str, text: &str) -> Result<(), Misfit> {
    let problem = match key {
        "path" => trigger::path_problem(text).map(str::to_owned),
        "topic" => TopicFilter::parse(text).err().map(|error| error.to_string()),
        _ if trigger::is_exact_name(text) => None,
        _ => Some("it is one exact name, without `/`, `+`, `#` or spaces around it".to_owned()),
    };
    match problem {
        None => Ok(()),
        Some(help) => {
            let message = format!("no event comes in at the {key} {}", quoted(text));
            Err(Misfit::of(key, message, help))
        }
    }
}

fn check_correlate(correlate: &Value) -> Result<(), Misfit> {
    let text = |key: &str| correlate.get(key).and_then(Value::as_str).unwrap_or_default();
    let has_two = correlate.as_object().is_some_and(|object| object.len() == 2);
    let is_path = text("event").starts_with('$')
        && Condition::parse(&format!("exists({})", text("event"))).is_ok();
    if has_two && is_path && !text("key").is_empty() {
        return Ok(());
    }
    let help = "write `{\"event\": \"$.order_id\", \"key\": \"{{ event.order_id }}\"}`".to_owned();
    let message = "`correlate` is a path into the event and a key of the run";
    Err(Misfit::of("correlate", message, help))
}
