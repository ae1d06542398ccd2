//! `SOP.md`.

use std::ops::Range;

use super::step::{self, Texts, Title};
use crate::definition::diagnostic::{Severity, Sink};
use crate::definition::markdown;
use crate::definition::model::Definition;
use crate::definition::step::Written;

pub(super) fn print(sop: &Definition) -> String {
    let mut text = format!("# {}\n\n## Steps\n", sop.name);
    for step in &sop.steps {
        text += &format!("\n{}\n", step::print(step));
    }
    text
}

/// Lays out the steps of an `SOP.md` in the one way that [`print`](super::print) has, and leaves everything else
/// as it is: text outside the steps, the formatting of titles, the order of keys in JSON.
///
/// `None` when the steps have errors: what is not understood is not touched. A step that cannot be laid out without a
/// change of what it says stays as it is too.
pub fn format_markdown(text: &str) -> Option<String> {
    let before = read(text)?;
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (index, written) in before.iter().enumerate() {
        let whole = with_indentation(text, &written.whole);
        let between = &text[at..whole.start];
        if index > 0 && between.trim().is_empty() {
            out += newline;
            out += newline;
        } else {
            out += between;
        }
        let title =
            Title::Written { markdown: &text[written.title_at.clone()], is_bold: written.is_bold };
        let title = if written.step.title.is_empty() { Title::Plain } else { title };
        let texts: Texts<'_> = ["with", "input", "output"]
            .into_iter()
            .filter_map(|key| Some((key, text[written.places.get(key)?.clone()].trim())))
            .collect();
        match step::faithful(&written.step, &title, &texts) {
            Some(step) => out += &step.replace('\n', newline),
            None => out += &text[whole.clone()],
        }
        at = whole.end;
    }
    out += &text[at..];
    let same = |a: &[Written], b: &[Written]| {
        a.iter().map(|written| &written.step).eq(b.iter().map(|written| &written.step))
    };
    let is_faithful = read(&out).is_some_and(|after| same(&before, &after));
    Some(if is_faithful { out } else { text.to_owned() })
}

fn read(text: &str) -> Option<Vec<Written>> {
    let mut sink = Sink::new(String::new(), text);
    let steps = markdown::read(&mut sink);
    let found = sink.finish(None);
    let is_broken = found.iter().any(|found| found.severity == Severity::Error);
    (!is_broken).then_some(steps)
}

/// `range` with the white space before it on its line.
fn with_indentation(text: &str, range: &Range<usize>) -> Range<usize> {
    let before = text[..range.start].trim_end_matches([' ', '\t']);
    let start =
        if before.is_empty() || before.ends_with('\n') { before.len() } else { range.start };
    start..range.end
}
