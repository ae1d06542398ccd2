//! One numbered item: its number, title, keys and body.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Tag};

use super::document::{Document, is_inline};
use super::trap;
use crate::definition::keys::{self, StepKey};
use crate::definition::step::DECORATION;

/// One numbered item as it is written.
pub(in crate::definition) struct Item<'s> {
    /// The written number.
    pub(in crate::definition) number: u32,
    /// The digits with their delimiter.
    pub(in crate::definition) marker: Range<usize>,
    pub(in crate::definition) title: String,
    pub(in crate::definition) title_at: Range<usize>,
    pub(in crate::definition) body: String,
    pub(in crate::definition) keys: Vec<KeyItem<'s>>,
    pub(in crate::definition) is_bold: bool,
    /// From the number to the end of what belongs to it.
    pub(in crate::definition) whole: Range<usize>,
    /// The first line of a block that is opened and never closed: it has all that follows, keys included.
    pub(in crate::definition) unclosed: Option<Range<usize>>,
    /// A line that would begin a block if it were indented as the step's text is.
    pub(in crate::definition) too_far_left: Option<Range<usize>>,
    /// Keys that do not stand directly under the step, with their places.
    pub(in crate::definition) misplaced: Vec<(&'s str, Range<usize>)>,
}

/// One `- key: value` item.
pub(in crate::definition) struct KeyItem<'s> {
    pub(in crate::definition) name: &'s str,
    pub(in crate::definition) key: Range<usize>,
    /// What follows the colon, without white space and code quotes around it.
    pub(in crate::definition) value: Range<usize>,
    /// The content of a fenced block below the key.
    pub(in crate::definition) fence: Option<Range<usize>>,
    /// That content as a text: without indentation, and without the last line end.
    pub(in crate::definition) fence_text: Option<String>,
    /// A further block, which no key takes.
    pub(in crate::definition) extra: Option<Range<usize>>,
    whole: Range<usize>,
}

/// Reads the list item that starts at `index`.
pub(super) fn read<'s>(document: &Document<'s>, index: usize) -> Option<Item<'s>> {
    let source = document.source;
    let range = document.trimmed(document.at(index).1);
    let digits = source[range.clone()].bytes().take_while(u8::is_ascii_digit).count();
    let number = source[range.start..range.start + digits].parse().ok()?;
    let marker = range.start..(range.start + digits + 1).min(range.end);
    let lead = lead(document, index, marker.end..range.end);
    let (mut keys, mut misplaced) = (Vec::new(), Vec::new());
    for child in document.children(index) {
        if !matches!(document.at(child).0, Event::Start(Tag::List(None))) {
            find_misplaced(document, child, &mut misplaced);
            continue;
        }
        for item in document.children(child) {
            match key_of(document, item) {
                Some(key) => keys.push(key),
                None => find_misplaced(document, item, &mut misplaced),
            }
        }
    }
    let body = body(source, &marker, lead.end..range.end, lead.is_bold, &keys);
    let marker_at = marker.clone();
    Some(Item {
        number,
        marker,
        title: lead.title,
        title_at: lead.title_at,
        body,
        keys,
        is_bold: lead.is_bold,
        whole: range,
        unclosed: trap::unclosed(document, index),
        too_far_left: trap::too_far_left(document, index, content_column(source, &marker_at)),
        misplaced,
    })
}

/// Collects the keys in the bullet lists inside an element, and in lines that are indented too little to be a list
/// and too much to end the paragraph before them; but not in quotations.
#[expect(clippy::wildcard_enum_match_arm, reason = "only lists and quotations matter here")]
fn find_misplaced<'s>(
    document: &Document<'s>,
    root: usize,
    found: &mut Vec<(&'s str, Range<usize>)>,
) {
    let mut at = root;
    while at < document.after(root) {
        match document.at(at).0 {
            Event::Start(Tag::BlockQuote(_)) => at = document.after(at),
            Event::Start(Tag::List(None)) => {
                let keys = document.children(at).filter_map(|item| key_of(document, item));
                let known = keys.filter(|key| keys::step_key(key.name).is_some_and(is_plain));
                found.extend(known.map(|key| (key.name, key.key)));
                at += 1;
            }
            Event::SoftBreak | Event::HardBreak => {
                found.extend(trap::key_in_text(document.source, document.at(at).1.end));
                at += 1;
            }
            _ => at += 1,
        }
    }
}

struct Lead {
    title: String,
    title_at: Range<usize>,
    /// Where the body begins.
    end: usize,
    is_bold: bool,
}

/// The bold lead-in, or else the first line of text.
fn lead(document: &Document<'_>, index: usize, content: Range<usize>) -> Lead {
    let first = document.children(index).next();
    let mut inlines: Vec<usize> = match first.map(|child| (child, document.at(child).0)) {
        Some((paragraph, Event::Start(Tag::Paragraph))) => document.children(paragraph).collect(),
        Some((_, event)) if is_inline(event) => {
            document.children(index).take_while(|child| is_inline(document.at(*child).0)).collect()
        }
        Some(_) | None => Vec::new(),
    };
    let is_bold = inlines
        .first()
        .is_some_and(|child| matches!(document.at(*child).0, Event::Start(Tag::Strong)));
    if is_bold {
        inlines.truncate(1);
    } else {
        let breaks =
            |child: &usize| matches!(document.at(*child).0, Event::SoftBreak | Event::HardBreak);
        let line = inlines.iter().position(breaks).unwrap_or(inlines.len());
        inlines.truncate(line);
    }
    let (Some(first), Some(last)) = (inlines.first(), inlines.last()) else {
        return Lead {
            title: String::new(),
            title_at: content.start..content.start,
            end: content.start,
            is_bold: false,
        };
    };
    let title: String = inlines.iter().map(|child| document.plain_text(*child)).collect();
    let title_at = document.at(*first).1.start..document.at(*last).1.end;
    let end = title_at.end;
    Lead { title: title.trim().to_owned(), title_at, end, is_bold }
}

/// Reads a bullet as a key item; `None` when it is prose.
pub(super) fn key_of<'s>(document: &Document<'s>, index: usize) -> Option<KeyItem<'s>> {
    let source = document.source;
    let whole = document.trimmed(document.at(index).1);
    let after_bullet = &source[whole.start..whole.end].get(1..)?;
    let content = whole.end - after_bullet.trim_start().len();
    let name = key_name(&source[content..whole.end])?;
    let key = content..content + name.len();
    let mut blocks = document.children(index).filter(|child| {
        let event = document.at(*child).0;
        !is_inline(event) && !matches!(event, Event::Start(Tag::Paragraph))
    });
    let block = blocks.next();
    let stop =
        block.map_or(whole.end, |block| document.at(block).1.start.clamp(key.end, whole.end));
    let value_from = (key.end + 1).min(stop);
    let value = unquoted(source, document.trimmed(&(value_from..stop)));
    let fence = block.and_then(|block| fenced(document, block));
    let fence_text = fence.as_ref().and(block).map(|block| code_text(document, block));
    let extra = if fence.is_some() { blocks.next() } else { block };
    let extra = extra
        .map(|block| document.trimmed(document.at(block).1))
        .or_else(|| fence.clone().filter(|_| !value.is_empty()));
    Some(KeyItem { name: name.trim_end(), key, value, fence, fence_text, extra, whole })
}

/// Where to stop looking for the colon of a key.
const KEY_CHARS_MAX: usize = 80;

/// What stands before the colon, if it is a key or was surely meant for one.
pub(super) fn key_name(text: &str) -> Option<&str> {
    let line = text.lines().next()?;
    let line = &line[..line.char_indices().nth(KEY_CHARS_MAX).map_or(line.len(), |(cut, _)| cut)];
    let separator = line.find([':', '='])?;
    let (name, after) = (&line[..separator], &line[separator + 1..]);
    if line[separator..].starts_with('=') {
        // With the sign it is no key's name, so it is reported.
        return keys::step_key(name.trim_end()).map(|_| &line[..=separator]);
    }
    let is_word = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if is_word {
        // `https://...` is prose.
        let ends_word = after.is_empty() || after.starts_with(char::is_whitespace);
        return (ends_word || keys::step_key(name).is_some()).then_some(name);
    }
    // A gate must not be lost to a capital letter or to bold type.
    let folded = name.trim_matches(DECORATION).to_ascii_lowercase().replace([' ', '-'], "_");
    let meant = |key: &StepKey| {
        key.name.replace('-', "_") == folded && (is_plain(key) || name.trim_end() == key.name)
    };
    keys::STEP.iter().any(meant).then_some(name)
}

/// Whether a key is so unlike prose that whatever looks like it was meant for it.
fn is_plain(key: &StepKey) -> bool {
    key.is_strict || key.name.contains(['_', '-'])
}

fn unquoted(source: &str, range: Range<usize>) -> Range<usize> {
    let text = &source[range.clone()];
    let ticks = text.len() - text.trim_start_matches('`').len();
    let quoted = ticks > 0 && text.len() > 2 * ticks && text.ends_with(&text[..ticks]);
    let inner = if quoted { &text[ticks..text.len() - ticks] } else { text };
    if inner.contains('`') {
        return range;
    }
    let start = range.start + if quoted { ticks } else { 0 };
    let lead = inner.len() - inner.trim_start().len();
    start + lead..start + lead + inner.trim().len()
}

fn fenced(document: &Document<'_>, block: usize) -> Option<Range<usize>> {
    let Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) = document.at(block).0 else {
        return None;
    };
    let lines: Vec<&Range<usize>> =
        document.children(block).map(|line| document.at(line).1).collect();
    match (lines.first(), lines.last()) {
        (Some(first), Some(last)) => Some(document.trimmed(&(first.start..last.end))),
        _ => {
            let start = document.at(block).1.start;
            Some(start..start)
        }
    }
}

/// The text of a code block, without its last line end.
fn code_text(document: &Document<'_>, block: usize) -> String {
    let text = document.plain_text(block).replace("\r\n", "\n");
    text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
}

/// The Markdown of `rest` without key items, moved left by the item's indentation.
fn body(
    source: &str,
    marker: &Range<usize>,
    rest: Range<usize>,
    after_title: bool,
    keys: &[KeyItem<'_>],
) -> String {
    let indent = content_column(source, marker);
    let mut removed = keys.iter().map(|key| whole_lines(source, &key.whole)).peekable();
    let mut lines: Vec<String> = Vec::new();
    let mut at = rest.start;
    let mut after_removal = false;
    while at < rest.end {
        let end = source[at..rest.end].find('\n').map_or(rest.end, |length| at + length + 1);
        // A key may share the line of the number: `1. - tools: x`.
        while removed.next_if(|gone| gone.end <= at).is_some() {}
        let cut = removed.peek().filter(|gone| gone.start < end);
        let kept = match cut {
            Some(gone) if at < gone.start => &source[at..gone.start],
            Some(_) => "",
            None => &source[at..end],
        };
        let line = kept.trim_end();
        let line = if at == rest.start {
            if after_title { without_dash(line).to_owned() } else { line.trim_start().to_owned() }
        } else {
            dedented(line, indent)
        };
        let repeats_blank =
            after_removal && line.is_empty() && lines.last().is_none_or(String::is_empty);
        if (cut.is_none() || !line.is_empty()) && !repeats_blank {
            lines.push(line);
            after_removal = false;
        }
        after_removal |= cut.is_some();
        at = end;
    }
    let start = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    lines[start..].join("\n").trim_end().to_owned()
}

/// Drops the dash between a title and its text.
fn without_dash(text: &str) -> &str {
    let text = text.trim_start();
    ["—", "–", "-"]
        .into_iter()
        .find_map(|dash| text.strip_prefix(dash))
        .filter(|after| {
            after.is_empty() || after.starts_with(char::is_whitespace) || !text.starts_with('-')
        })
        .unwrap_or(text)
        .trim_start()
}

/// `range` with the indentation before it and the line end after it.
fn whole_lines(source: &str, range: &Range<usize>) -> Range<usize> {
    let before = source[..range.start].trim_end_matches([' ', '\t']);
    let start = if before.ends_with('\n') { before.len() } else { range.start };
    let end = source[range.end..].find('\n').map_or(source.len(), |length| range.end + length + 1);
    start..end
}

const TAB_STOP: usize = 4;

/// The column at which an item's content begins.
/// Source: CommonMark 0.31, list items, rules 1 and 2.
fn content_column(source: &str, marker: &Range<usize>) -> usize {
    let line_start = source[..marker.start].rfind('\n').map_or(0, |newline| newline + 1);
    let after_marker = columns(&source[line_start..marker.end], 0);
    let spaces: String =
        source[marker.end..].chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
    let is_blank = source[marker.end + spaces.len()..].starts_with(['\n', '\r']);
    let width = columns(&spaces, after_marker) - after_marker;
    after_marker + if is_blank || width == 0 || width > TAB_STOP { 1 } else { width }
}

pub(super) fn columns(text: &str, from: usize) -> usize {
    text.chars().fold(from, |column, c| match c {
        '\t' => (column / TAB_STOP + 1) * TAB_STOP,
        '\u{feff}' => column,
        _ => column + 1,
    })
}

/// `line` without up to `indent` columns of white space; a tab that reaches further leaves spaces.
fn dedented(line: &str, indent: usize) -> String {
    let mut column = 0;
    for (at, c) in line.char_indices() {
        if column >= indent || !matches!(c, ' ' | '\t') {
            return " ".repeat(column.saturating_sub(indent)) + &line[at..];
        }
        column = if c == '\t' { (column / TAB_STOP + 1) * TAB_STOP } else { column + 1 };
    }
    String::new()
}
