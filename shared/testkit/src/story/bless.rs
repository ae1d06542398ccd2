//! Writing a story's trace into its file.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// `text`, a story, with `trace` as the trace that it expects; nothing else of it changes.
pub fn bless(text: &str, trace: &str) -> String {
    let value = format!("\"\"\"\n{}\"\"\"", escaped(trace));
    match place(text) {
        Some(Place::Value(span)) => {
            format!("{}{value}{}", &text[..span.start], &text[span.end..])
        }
        Some(Place::After(at)) => {
            let (before, after) = text.split_at(at);
            format!("{before}\ntrace = {value}{after}")
        }
        Some(Place::Before(at)) => {
            let (before, after) = text.split_at(at);
            format!("{before}[expect]\ntrace = {value}\n\n{after}")
        }
        None => format!("{}\n\n[expect]\ntrace = {value}\n", text.trim_end()),
    }
}

enum Place {
    /// There is one.
    Value(Range<usize>),
    /// `[expect]` has none: it stands best below the last of its keys.
    After(usize),
    /// There are only tables below `[expect]`.
    Before(usize),
}

fn place(text: &str) -> Option<Place> {
    let document = DeTable::parse(text).ok()?;
    let expect = document.get_ref().get("expect")?;
    let DeValue::Table(table) = expect.get_ref() else { return None };
    if let Some(trace) = table.get("trace") {
        return Some(Place::Value(trace.span()));
    }
    let texts = table.values().filter(|value| matches!(value.get_ref(), DeValue::String(_)));
    let last = texts.map(Spanned::span).map(|span| span.end).max();
    if let Some(last) = last {
        return Some(Place::After(last));
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("[expect]") {
            return Some(Place::After(at + line.trim_end().len()));
        }
        if line.starts_with("[[expect.") {
            return Some(Place::Before(at));
        }
        at += line.len();
    }
    None
}

fn escaped(trace: &str) -> String {
    let mut text = String::with_capacity(trace.len());
    for line in trace.lines() {
        text.push_str(&line.replace('\\', "\\\\").replace("\"\"\"", "\"\"\\\""));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::Story;

    #[test]
    fn only_the_trace_changes() {
        let head = "# a story\n[[input]]\nmanual = true # go\n";
        let first = bless(head, "08:00:00 a \\ \"\"\"b\"\"\"\n         c\n");
        assert!(first.starts_with(head.trim_end()), "{first}");
        let story = Story::parse(&first).unwrap();
        assert_eq!(story.expect.trace.unwrap(), "08:00:00 a \\ \"\"\"b\"\"\"\n         c\n");
        let second = bless(&first, "x\n");
        assert_eq!(second, format!("{}\n\n[expect]\ntrace = \"\"\"\nx\n\"\"\"\n", head.trim_end()));
        let third = bless(
            &format!("{head}[expect]\nstatus = \"failed\"\n\n[[expect.call]]\nstep = 1\n"),
            "y\n",
        );
        let story = Story::parse(&third).unwrap();
        assert_eq!(story.expect.trace.as_deref(), Some("y\n"));
        assert_eq!(story.expect.status.as_deref(), Some("failed"));
        assert_eq!(story.expect.calls.len(), 1);
        for below in ["[[expect.call]]\nstep = 1\n", "[expect] # so\n[[expect.call]]\nstep = 1\n"] {
            let fourth = bless(&format!("{head}{below}"), "z\n");
            let story = Story::parse(&fourth).unwrap_or_else(|error| panic!("{error}\n{fourth}"));
            assert_eq!(story.expect.trace.as_deref(), Some("z\n"));
            assert_eq!(story.expect.calls.len(), 1);
        }
    }
}
