//! The texts of steps that are templates, and what their conditions refer to.

use std::ops::Range;

use serde_json::Value;

use super::Severity;
use super::code;
use super::diagnostic::Sink;
use super::manifest::Manifest;
use super::step::Written;
use crate::definition::Step;
use crate::template::{Finding, Key, Outline};

/// Checks what the steps refer to: the templates in `with` and `prompt`, and the paths of their conditions.
pub(super) fn check_templates(sink: &mut Sink<'_>, manifest: &Manifest, written: &[Written]) {
    // What the steps are is not certain yet; what is found in them would be an echo.
    if sink.has_errors() {
        return;
    }
    let steps: Vec<Step> = written.iter().map(|written| written.step.clone()).collect();
    let outline = Outline::new(&steps, manifest.payload());
    for written in written {
        for found in outline.check_step(&written.step) {
            report(sink, written, found);
        }
    }
}

fn report(sink: &mut Sink<'_>, written: &Written, found: Finding) {
    let at = place(sink, written, &found);
    let help = found.help.unwrap_or_else(|| {
        "a step sees `event`, `steps.N.output`, `steps.N.state`, `run` and `sop`".to_owned()
    });
    match found.severity {
        Severity::Error => sink.error_with_help(code::BAD_TEMPLATE, at, found.message, help),
        Severity::Warning => sink.warn(code::DOUBTFUL_TEMPLATE, at, found.message, help),
    }
}

/// Where the finding's bytes stand in the file: within the key's value, where they stand there as they are.
fn place(sink: &Sink<'_>, written: &Written, found: &Finding) -> Range<usize> {
    let step = &written.step;
    let (whole, text) = match found.key {
        Key::With => {
            let text = step.with.as_ref().and_then(|with| with.pointer(&found.pointer));
            (written.place("with"), text.and_then(Value::as_str))
        }
        Key::Prompt => (written.place("prompt"), step.prompt.as_deref()),
        Key::If => (written.place("if"), step.only_if.as_ref().map(|it| it.as_str())),
        Key::When => (written.place("when"), step.when.as_ref().map(|it| it.as_str())),
        Key::Switch(case) => {
            let condition = step.switch.get(case).and_then(|case| case.condition.as_ref());
            (written.place("switch"), condition.map(|it| it.as_str()))
        }
    };
    let part = text.and_then(|text| text.get(found.span.clone())).filter(|part| !part.is_empty());
    let start = part.and_then(|part| sink.source().get(whole.clone())?.find(part));
    match (start, part) {
        (Some(start), Some(part)) => whole.start + start..whole.start + start + part.len(),
        (Some(_) | None, _) => whole,
    }
}
