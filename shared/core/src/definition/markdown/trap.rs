//! Text that Markdown reads otherwise than its author can have meant.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Tag};

use super::document::Document;
use super::item::{columns, key_name};

/// The first line of a code block or an HTML comment in an element that is opened and not closed.
#[expect(clippy::wildcard_enum_match_arm, reason = "only blocks that need an end matter here")]
pub(super) fn unclosed(document: &Document<'_>, root: usize) -> Option<Range<usize>> {
    (root..document.after(root)).find_map(|index| {
        let (event, range) = document.at(index);
        let text = document.source[range.clone()].trim_end();
        let is_open = match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => !ends_with_fence(text),
            Event::Start(Tag::HtmlBlock) => {
                text.trim_start().starts_with("<!--") && !text.contains("-->")
            }
            _ => return None,
        };
        let line = text.lines().next().unwrap_or_default();
        is_open.then(|| range.start..range.start + line.len())
    })
}

/// Source: CommonMark 0.31, fenced code blocks.
fn ends_with_fence(block: &str) -> bool {
    let Some((first, rest)) = block.split_once('\n') else { return false };
    let sign = if first.trim_start().starts_with('~') { '~' } else { '`' };
    let count = |line: &str| line.chars().take_while(|c| *c == sign).count();
    let last = rest.lines().next_back().unwrap_or_default().trim_start_matches([' ', '\t', '>']);
    count(last) >= count(first.trim_start()) && last.trim_end().chars().all(|c| c == sign)
}

/// The key of a line of text that begins at or before `at`, if it has the form of a key item.
pub(super) fn key_in_text(source: &str, at: usize) -> Option<(&str, Range<usize>)> {
    let line = source[at..].lines().next()?;
    let item = line.trim_start().strip_prefix(['-', '*', '+'])?;
    let name = key_name(item.strip_prefix([' ', '\t'])?.trim_start())?;
    let start = at + line.len() - item.trim_start().len();
    Some((name.trim_end(), start..start + name.len()))
}

/// The first line in the item at `index` that goes on a paragraph only because it is indented too little for a block of
/// the step, whose text begins at `column`, and too much for one of the document.
/// Source: CommonMark 0.31, paragraph continuation text.
#[expect(clippy::wildcard_enum_match_arm, reason = "only ends of lines and quotations matter here")]
pub(super) fn too_far_left(
    document: &Document<'_>,
    index: usize,
    column: usize,
) -> Option<Range<usize>> {
    let mut at = index;
    while at < document.after(index) {
        match document.at(at).0 {
            Event::Start(Tag::BlockQuote(_)) => {
                at = document.after(at);
                continue;
            }
            Event::SoftBreak | Event::HardBreak => {
                let start = document.at(at).1.end;
                let before = document.source[..start].rfind('\n').map_or(0, |newline| newline + 1);
                let line = document.source[before..].lines().next().unwrap_or_default();
                let text = line.trim_start();
                let indent = columns(&line[..line.len() - text.len()], 0);
                if (4..column).contains(&indent) && interrupts(text) {
                    let from = before + line.len() - text.len();
                    return Some(from..from + text.trim_end().len());
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Whether a line, indented rightly, might end the paragraph before it.
fn interrupts(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = digits.len() < text.len() && digits.starts_with(['.', ')']);
    is_numbered || text.starts_with(['-', '*', '+', '#', '>', '`', '~', '<', '=', '_'])
}
