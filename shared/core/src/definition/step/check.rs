//! What the keys of one step make of it together.

use super::*;
use crate::definition::capability;
use crate::definition::diagnostic::choices;

/// The kind that `kind` and `capability` give together.
pub(super) fn kind(sink: &mut Sink<'_>, keys: &Keys) -> StepKind {
    let place = || keys.places.get("kind").cloned().unwrap_or_default();
    match (keys.kind, &keys.capability) {
        (Some(StepKind::Capability), None) => {
            let message = "the step is of kind `capability` and names none".to_owned();
            let help = format!("add `- capability: ...`, one of {}", listed(capability::KNOWN));
            sink.error_with_help(code::CAPABILITY_KIND, place(), message, help);
            StepKind::Capability
        }
        (Some(StepKind::Execute | StepKind::Checkpoint), Some(id)) => {
            let message = format!("a step with a capability ({}) has no other kind", quoted(id));
            let help = "leave `kind` out, or write `kind: capability`".to_owned();
            sink.error_with_help(code::CAPABILITY_KIND, place(), message, help);
            StepKind::Capability
        }
        (Some(kind), _) => kind,
        (None, Some(_)) => StepKind::Capability,
        (None, None) => StepKind::Execute,
    }
}

/// That the capability exists and takes what `with` says.
pub(super) fn capability(sink: &mut Sink<'_>, keys: &Keys) {
    let place = |key: &str| keys.places.get(key).cloned().unwrap_or_default();
    let Some(id) = &keys.capability else {
        // A missing `capability` of that kind is already reported.
        let is_reported = keys.kind == Some(StepKind::Capability);
        if keys.with.is_some() && !is_reported {
            let message = "`with` is the input of a capability, and this step has none".to_owned();
            let help = format!("add `- capability: ...`, one of {}", listed(capability::KNOWN));
            sink.error_with_help(code::STRAY_WITH, place("with"), message, help);
        }
        return;
    };
    if !capability::KNOWN.contains(&id.as_str()) {
        let message = format!("unknown capability {}", quoted(id));
        let help = choices(id, capability::KNOWN);
        let at = place("capability");
        return sink.error_with_help(code::UNKNOWN_CAPABILITY, at, message, help);
    }
    if keys.has_bad_with {
        return;
    }
    if let Err(misfit) = capability::check(id, keys.with.as_ref()) {
        let whole = if keys.with.is_some() { place("with") } else { place("capability") };
        let at = match &misfit.key {
            Some(key) => with::key_span(sink.source(), &whole, key).unwrap_or(whole),
            None => whole,
        };
        sink.error_with_help(code::WITH_MISFIT, at, misfit.message, misfit.help);
    }
}

/// That no key stands beside another that takes its meaning away.
pub(super) fn together(sink: &mut Sink<'_>, written: &Written) {
    ways_out(sink, written);
    failure(sink, written);
    performer(sink, written);
}

fn ways_out(sink: &mut Sink<'_>, written: &Written) {
    let step = &written.step;
    if step.terminal && step.next.is_some() {
        let message = "the run ends after this step, so it has no `next`".to_owned();
        let help = "leave `next` or `terminal` out".to_owned();
        sink.error_with_help(code::TERMINAL_AND_NEXT, written.place("next"), message, help);
    }
    let after_else = written.branches.iter().skip_while(|way| way.case.condition.is_some()).nth(1);
    let has_else = written.branches.iter().any(|way| way.case.condition.is_none());
    let unreachable = if let Some(branch) = after_else {
        Some((branch.at.clone(), "a case after `else` is never taken"))
    } else if has_else && step.next.is_some() {
        Some((written.place("next"), "`next` is never taken: the `switch` has an `else`"))
    } else if has_else && step.terminal {
        Some((written.place("terminal"), "the run never ends here: the `switch` has an `else`"))
    } else {
        None
    };
    if let Some((at, message)) = unreachable {
        let help = "put `else` last, and leave out what can come no more".to_owned();
        sink.error_with_help(code::AFTER_ELSE, at, message.to_owned(), help);
    }
}

fn failure(sink: &mut Sink<'_>, written: &Written) {
    let step = &written.step;
    let retries = matches!(step.on_failure, OnFailure::Retry { .. });
    if step.on_failure == (OnFailure::Goto { step: step.number }) {
        let message = "a step that fails goes to itself".to_owned();
        let help = "write `retry:3` to try it again, or the number of another step".to_owned();
        sink.error_with_help(code::GOTO_ITSELF, written.place("on_failure"), message, help);
    }
    if step.kind == StepKind::Checkpoint {
        let what = if retries { Some("on_failure") } else { None };
        if let Some(key) = what {
            let message = "a checkpoint is a yes or a no: there is nothing to try again".to_owned();
            let help = "leave `on_failure` out, or write `goto:N` or `continue`".to_owned();
            sink.error_with_help(code::RETRY_ON_CHECKPOINT, written.place(key), message, help);
        }
        if step.timeout_secs.is_some() {
            let message = "a checkpoint has no `timeout` of its own".to_owned();
            let help = "give it a `policy` with `timeout` and `on_timeout`".to_owned();
            let at = written.place("timeout");
            sink.error_with_help(code::TIMEOUT_ON_CHECKPOINT, at, message, help);
        }
    }
    if step.backoff.is_some() && step.kind == StepKind::Capability && !retries {
        let message = "`backoff` is the wait between tries, and this step is tried once".to_owned();
        let help = "add `- on_failure: retry:3`, or leave `backoff` out".to_owned();
        sink.error_with_help(code::BACKOFF_WITHOUT_RETRY, written.place("backoff"), message, help);
    }
}

/// That the keys are those of whoever does the step.
fn performer(sink: &mut Sink<'_>, written: &Written) {
    let has = |key: &&&str| written.places.contains_key(**key);
    let (wrong, idle): (&[&str], &[&str]) = match written.step.kind {
        StepKind::Execute => (&["backoff", "delivery"], &[]),
        StepKind::Checkpoint => (
            &["input", "output", "backoff", "delivery"],
            &["agent", "delegation", "allow-tools", "deny-tools"],
        ),
        StepKind::Capability => {
            (&[], &["tools", "agent", "delegation", "allow-tools", "deny-tools"])
        }
    };
    let who = match written.step.kind {
        StepKind::Execute => "a step that somebody does",
        StepKind::Checkpoint => "a checkpoint",
        StepKind::Capability => "a step that a built-in does",
    };
    for key in wrong.iter().filter(has) {
        let message = format!("{who} has no use for `{key}`");
        let help = match *key {
            "backoff" | "delivery" => "leave it out, or give the step a `capability`",
            _ => "leave it out, or put it on the step that does the work",
        };
        sink.error_with_help(code::KEY_OF_OTHERS, written.place(key), message, help.to_owned());
    }
    for key in idle.iter().filter(has) {
        let message = format!("{who} has no use for `{key}`");
        let help = "leave it out: it is for steps that a person or an agent does".to_owned();
        sink.warn(code::IDLE_KEY, written.place(key), message, help);
    }
}
