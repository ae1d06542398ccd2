//! `wait.event`: a wait for something to arrive.

use super::*;
use crate::condition::Condition;
use crate::definition::trigger;
use crate::topic::TopicFilter;

/// Of each source, the keys that say where its events come in.
const SOURCES: &[(&str, &[&str])] = &[
    ("webhook", &["path"]),
    ("mqtt", &["topic"]),
    ("peripheral", &["board", "signal"]),
    (EVENT, &["event_source", "detail_type"]),
];

/// The source whose places may be left out, though not all of them: what is left out is any.
const EVENT: &str = "event";

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
    let is_any = source == EVENT && places.iter().any(|place| with.contains_key(*place));
    for place in *places {
        match with.get(*place) {
            Some(value) => check_place(place, value.as_str().unwrap_or_default())?,
            None if is_any => {}
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
        "event_source" | "detail_type" if trigger::is_event_text(text) => None,
        "event_source" | "detail_type" => Some(trigger::EVENT_TEXT_HELP.to_owned()),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::definition::capability::check;

    /// An event of a bus is awaited by its source, its detail type or both, each exact.
    #[test]
    fn events_of_a_bus() {
        for with in [
            json!({"source": "event", "event_source": "sopwith", "detail_type": "Run Failed"}),
            json!({"source": "event", "event_source": "aws.s3", "condition": "$.detail.n > 1"}),
            json!({"source": "event", "detail_type": "Object Created",
                "correlate": {"event": "$.detail.id", "key": "{{ event.id }}"}}),
        ] {
            assert_eq!(check("wait.event", Some(&with)), Ok(()), "{with}");
        }
        for (with, key) in [
            (json!({"source": "event"}), None),
            (json!({"source": "event", "event_source": "aws.*"}), Some("event_source")),
            (json!({"source": "event", "detail_type": 7}), Some("detail_type")),
            (json!({"source": "event", "detail_type": "a", "path": "/sop/x"}), Some("path")),
            (json!({"source": "mqtt", "detail_type": "a", "topic": "x"}), Some("detail_type")),
        ] {
            let misfit = check("wait.event", Some(&with)).expect_err("does not fit");
            assert_eq!(misfit.key.as_deref(), key, "{with}");
        }
    }
}
