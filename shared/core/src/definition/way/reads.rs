//! What the conditions of steps read: a document that the run has, not the event's payload itself.

use super::*;
use crate::definition::diagnostic::{choices, quoted};

const OF_STEPS: &[&str] = &["output", "state"];
const OF_RUN: &[&str] = &["id", "event", "source", "subject", "started_at"];
const OF_SOP: &[&str] = &["name", "version", "priority"];

/// Checks the paths of a condition that is written at `at`.
pub(super) fn check(sink: &mut Sink<'_>, count: usize, condition: &Condition, at: Range<usize>) {
    if condition.reads_whole_payload() {
        let message = "a comparison without a path, in a step".to_owned();
        let help = "say what is compared: `$.event.value > 85` or `$.steps.1.output.ok == true`";
        return sink.error_with_help(code::BAD_READ, at, message, help.to_owned());
    }
    for path in condition.paths() {
        let Some((message, help)) = problem(count, &path) else { continue };
        let written = &sink.source()[at.clone()];
        let place = written
            .find(path.text())
            .map_or(at.clone(), |start| at.start + start..at.start + start + path.text().len());
        return sink.error_with_help(code::BAD_READ, place, message, help);
    }
}

fn problem(count: usize, path: &crate::condition::PathRef<'_>) -> Option<(String, String)> {
    let shown = quoted(path.text());
    let keys: Vec<&str> = path.keys();
    let root = keys.first().copied().unwrap_or_default();
    let unknown = |place: &str, known: &[&str], found: &str| {
        let help = format!("{place}: {}", choices(found, known));
        Some((format!("{shown} is nothing that a run has"), help))
    };
    match root {
        "event" => None,
        "run" => keys
            .get(1)
            .filter(|key| !OF_RUN.contains(key))
            .and_then(|key| unknown("what `$.run` has", OF_RUN, key)),
        "sop" => keys
            .get(1)
            .filter(|key| !OF_SOP.contains(key))
            .and_then(|key| unknown("what `$.sop` has", OF_SOP, key)),
        "steps" => {
            let number = keys.get(1)?;
            let exists = number.parse().is_ok_and(|number: usize| (1..=count).contains(&number));
            if !exists {
                let help = format!("the steps are numbered 1 to {count}: `$.steps.1.output`");
                return Some((format!("{shown} reads a step that there is not"), help));
            }
            keys.get(2)
                .filter(|key| !OF_STEPS.contains(key))
                .and_then(|key| unknown("what a step has", OF_STEPS, key))
        }
        _ => {
            let rest = path.text().strip_prefix('$').unwrap_or_default();
            let help = format!(
                "the event's payload is `$.event`: write `$.event{rest}`; there are also `$.steps`, \
                 `$.run` and `$.sop`"
            );
            Some((format!("{shown} is nothing that a run has"), help))
        }
    }
}
