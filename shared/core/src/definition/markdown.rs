//! `SOP.md`: the numbered list under `## Steps`, read as CommonMark.
//!
//! Nothing under the heading is dropped silently: what belongs to no step is reported.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Tag};

use self::document::Document;
use super::code;
use super::diagnostic::{Diagnostic, Sink};
use super::model::Step;
use super::step::{self, Written};
use crate::limits;

mod document;
mod item;
mod trap;

pub(super) use item::{Item, KeyItem};

/// The steps of one text, as far as they could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedSteps {
    /// In the order of the text, numbered from 1.
    pub steps: Vec<Step>,
    /// What was found wrong; the steps are whole only when there is no error here.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the steps of a Markdown text by itself.
pub fn parse_steps(markdown: &str) -> ParsedSteps {
    let mut sink = Sink::new("SOP.md".into(), markdown);
    let steps = read(&mut sink).into_iter().map(|written| written.step).collect();
    ParsedSteps { steps, diagnostics: sink.finish(None) }
}

/// Reads the steps of the sink's text, each with its places.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser has many events, and few matter here"
)]
pub(super) fn read(sink: &mut Sink<'_>) -> Vec<Written> {
    if let Some(at) = sink.source().find('\0') {
        // Markdown shows it as another character, so a text that has it is not the text that is read.
        let message = "a text has no NUL character".to_owned();
        let help = "delete it; an editor that shows control characters finds it".to_owned();
        sink.error_with_help(code::NUL, at..at + 1, message, help);
        return Vec::new();
    }
    let document = Document::new(sink.source());
    let mut section = Section::default();
    let mut near_miss = None;
    for index in document.top() {
        let (event, range) = document.at(index);
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let text = document.plain_text(index);
                let named = text.trim().eq_ignore_ascii_case("steps");
                if named && *level == HeadingLevel::H2 {
                    open(sink, &mut section, document.trimmed(range));
                } else if *level <= HeadingLevel::H2 {
                    section.is_open = false;
                }
                if !named || *level != HeadingLevel::H2 {
                    let like = text.trim().trim_end_matches(':').eq_ignore_ascii_case("steps");
                    near_miss = near_miss.or(like.then(|| document.trimmed(range)));
                }
            }
            _ if section.is_open => in_section(sink, &document, index, &mut section),
            _ => {}
        }
    }
    if section.steps.is_empty() && !sink.has_errors() {
        warn_of_no_steps(sink, section.heading, near_miss);
    }
    section.steps
}

#[derive(Default)]
struct Section {
    heading: Option<Range<usize>>,
    is_open: bool,
    steps: Vec<Written>,
    last_written: u32,
    /// A number was given twice, and what follows may go on so.
    is_repeating: bool,
    is_full: bool,
}

fn open(sink: &mut Sink<'_>, section: &mut Section, heading: Range<usize>) {
    section.is_open = section.heading.is_none();
    if section.is_open {
        section.heading = Some(heading);
        return;
    }
    let help = "move its steps to the end of the first, and number on".to_owned();
    let message = "a second `## Steps` section".to_owned();
    sink.error_with_help(code::STEPS_TWICE, heading, message, help);
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser has many events, and few matter here"
)]
fn in_section(sink: &mut Sink<'_>, document: &Document<'_>, index: usize, section: &mut Section) {
    let (event, range) = document.at(index);
    match event {
        Event::Start(Tag::List(Some(_))) => {
            for item in document.children(index) {
                read_step(sink, document, item, section);
            }
        }
        Event::Start(Tag::List(None)) => {
            let stray = document
                .children(index)
                .find_map(|item| item::key_of(document, item).map(|key| (key.name, key.key)));
            match stray {
                Some((name, at)) => {
                    let message = format!("the key `{name}` belongs to no step");
                    let help = "indent it so that it begins below the first letter of its step's \
                                title"
                        .to_owned();
                    sink.error_with_help(code::STRAY_KEY, at, message, help);
                }
                None => warn_of_stray_text(sink, document.trimmed(range), section),
            }
        }
        // Headings order the steps for a reader; comments and rules say nothing.
        Event::Start(Tag::Heading { .. } | Tag::HtmlBlock) | Event::Rule => {}
        _ => warn_of_stray_text(sink, document.trimmed(range), section),
    }
}

/// Text before the first step is an introduction.
fn warn_of_stray_text(sink: &mut Sink<'_>, range: Range<usize>, section: &Section) {
    if section.steps.is_empty() {
        return;
    }
    let message = "this text belongs to no step".to_owned();
    let help =
        "indent it to make it part of the step above, or move it before the steps".to_owned();
    sink.warn(code::STRAY_TEXT, range, message, help);
}

fn read_step(sink: &mut Sink<'_>, document: &Document<'_>, index: usize, section: &mut Section) {
    let Some(item) = item::read(document, index) else { return };
    check_number(sink, &item, section);
    section.last_written = item.number;
    let count = section.steps.len();
    if count >= limits::STEPS_MAX {
        if !std::mem::replace(&mut section.is_full, true) {
            let message = format!("an SOP has at most {} steps", limits::STEPS_MAX);
            let help = "split it into several SOPs".to_owned();
            sink.error_with_help(code::TOO_MANY_STEPS, item.marker, message, help);
        }
        return;
    }
    for (name, at) in &item.misplaced {
        let message = format!("the key `{name}` does not stand directly under the step");
        let help =
            "indent it so that it begins below the first letter of the step's title; a remark \
                    begins with a capital letter"
                .to_owned();
        sink.error_with_help(code::STRAY_KEY, at.clone(), message, help);
    }
    if let Some(line) = item.too_far_left.clone().filter(|_| item.misplaced.is_empty()) {
        let message = "this line is indented too little to be more than text".to_owned();
        let help = "indent it so that it begins below the first letter of the step's title";
        sink.error_with_help(code::STRAY_TEXT, line, message, help.to_owned());
    }
    if let Some(open) = item.unclosed.clone() {
        let message = "this block is never closed, and takes in all that follows".to_owned();
        let help = "close it, before the keys of the step".to_owned();
        sink.error_with_help(code::UNCLOSED, open, message, help);
    }
    let number = u32::try_from(count + 1).expect("bounded by STEPS_MAX");
    if item.title.is_empty() {
        let help = "begin it with a bold title: `1. **Check the pump** ...`".to_owned();
        let message = format!("step {number} has no title");
        sink.warn(code::NO_TITLE, item.marker.clone(), message, help);
    }
    let place = if item.title_at.is_empty() { item.marker.clone() } else { item.title_at.clone() };
    section.steps.push(step::build(sink, number, item, place));
}

/// Reports a written number that is not the next, but not all that follow from it.
fn check_number(sink: &mut Sink<'_>, item: &Item<'_>, section: &mut Section) {
    let expected = section.last_written.saturating_add(1);
    let repeats = !section.steps.is_empty() && item.number == section.last_written;
    let known = std::mem::replace(&mut section.is_repeating, repeats);
    if item.number == expected || (repeats && known) {
        return;
    }
    let message = if repeats {
        format!("step {} is numbered twice", item.number)
    } else {
        format!("a step is numbered {} where {expected} is due", item.number)
    };
    let help = format!("write `{expected}.`: steps are numbered 1, 2, 3 in order");
    sink.error_with_help(code::STEP_NUMBER, item.marker.clone(), message, help);
}

fn warn_of_no_steps(
    sink: &mut Sink<'_>,
    heading: Option<Range<usize>>,
    near_miss: Option<Range<usize>>,
) {
    let message = "no steps: this SOP cannot run".to_owned();
    let (at, help) = match (heading, near_miss) {
        (Some(heading), _) => (heading, "number the steps under it: `1. **Title** ...`"),
        (None, Some(near)) => (near, "write the heading as `## Steps`"),
        (None, None) => (0..0, "add a `## Steps` heading and a numbered list under it"),
    };
    sink.warn(code::NO_STEPS, at, message, help.to_owned());
}
