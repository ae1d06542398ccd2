//! The events of a Markdown text as a flat tree.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag};

const BOM: &str = "\u{feff}";

/// Events with their bytes; a start knows its end, so walks need no recursion.
pub(super) struct Document<'s> {
    pub(super) source: &'s str,
    events: Vec<(Event<'s>, Range<usize>)>,
    /// For each event the index after its subtree.
    after: Vec<usize>,
}

impl<'s> Document<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        let skipped = if source.starts_with(BOM) { BOM.len() } else { 0 };
        // Pure CommonMark: an extension could take lines away from a step.
        let events: Vec<_> = Parser::new_ext(&source[skipped..], Options::empty())
            .into_offset_iter()
            .map(|(event, range)| (event, range.start + skipped..range.end + skipped))
            .collect();
        let mut after: Vec<usize> = (1..=events.len()).collect();
        let mut open = Vec::new();
        for (index, (event, _)) in events.iter().enumerate() {
            if matches!(event, Event::Start(_)) {
                open.push(index);
            } else if matches!(event, Event::End(_))
                && let Some(start) = open.pop()
            {
                after[start] = index + 1;
            }
        }
        Self { source, events, after }
    }

    pub(super) fn at(&self, index: usize) -> (&Event<'s>, &Range<usize>) {
        let (event, range) = &self.events[index];
        (event, range)
    }

    /// Indices of the blocks that stand in no other.
    pub(super) fn top(&self) -> impl Iterator<Item = usize> + '_ {
        self.siblings(0, self.events.len())
    }

    /// Indices of what stands directly in the element that starts at `index`.
    pub(super) fn children(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self.after[index].saturating_sub(1).max(index);
        self.siblings(index + 1, end)
    }

    /// The index after the element that starts at `index`.
    pub(super) fn after(&self, index: usize) -> usize {
        self.after[index]
    }

    fn siblings(&self, from: usize, to: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(from), |index| self.after.get(*index).copied())
            .take_while(move |index| *index < to)
    }

    /// The text of an element without its formatting; line ends become spaces.
    pub(super) fn plain_text(&self, index: usize) -> String {
        self.events[index..self.after[index]].iter().map(|(event, _)| plain(event)).collect()
    }

    /// `range` without the white space at its end.
    pub(super) fn trimmed(&self, range: &Range<usize>) -> Range<usize> {
        let text = &self.source[range.clone()];
        let lead = text.len() - text.trim_start().len();
        let start = range.start + lead;
        start..start + text.trim().len()
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser has many events, and few matter here"
)]
fn plain<'e>(event: &'e Event<'_>) -> &'e str {
    match event {
        Event::Text(text) | Event::Code(text) | Event::InlineHtml(text) => text,
        Event::SoftBreak | Event::HardBreak => " ",
        _ => "",
    }
}

/// Whether an element is part of a line of text, not a block of its own.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser has many events, and few matter here"
)]
pub(super) fn is_inline(event: &Event<'_>) -> bool {
    match event {
        Event::Start(tag) => matches!(
            tag,
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. }
        ),
        Event::Text(_)
        | Event::Code(_)
        | Event::InlineHtml(_)
        | Event::SoftBreak
        | Event::HardBreak => true,
        _ => false,
    }
}
