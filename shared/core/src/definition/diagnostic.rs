//! What is said about a definition, and where.

use std::ops::Range;

use serde::Serialize;
use unicode_width::UnicodeWidthChar;

use crate::limits;

/// Whether a definition can be used in spite of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can.
    Warning,
}

impl Severity {
    /// The name used in JSON and in rendered text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding in one place of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Such as `SOP0107`; `sop explain` knows each.
    pub code: &'static str,
    /// Whether it stops the definition.
    pub severity: Severity,
    /// The name that the definition gives itself, where it could be read.
    pub sop: Option<String>,
    /// Path of the file, for display.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// Bytes of the file.
    #[serde(skip)]
    pub span: Range<usize>,
    /// What is wrong: lower case, no period.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// Collects the diagnostics of one file.
pub(super) struct Sink<'s> {
    file: String,
    source: &'s str,
    line_starts: Vec<usize>,
    found: Vec<Diagnostic>,
}

impl<'s> Sink<'s> {
    pub(super) fn new(file: String, source: &'s str) -> Self {
        let line_starts =
            std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file, source, line_starts, found: Vec::new() }
    }

    pub(super) fn source(&self) -> &'s str {
        self.source
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn has_errors(&self) -> bool {
        self.found.iter().any(|found| found.severity == Severity::Error)
    }

    /// How many findings there are.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// Whether an error has a code that begins so.
    pub(super) fn has_errors_of(&self, prefix: &str) -> bool {
        let is_such = |found: &Diagnostic| {
            found.severity == Severity::Error && found.code.starts_with(prefix)
        };
        self.found.iter().any(is_such)
    }

    pub(super) fn error(&mut self, code: &'static str, span: Range<usize>, message: String) {
        self.push(code, Severity::Error, span, message, None);
    }

    pub(super) fn error_with_help(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: String,
        help: impl Into<Option<String>>,
    ) {
        self.push(code, Severity::Error, span, message, help.into());
    }

    pub(super) fn warn(
        &mut self,
        code: &'static str,
        span: Range<usize>,
        message: String,
        help: impl Into<Option<String>>,
    ) {
        self.push(code, Severity::Warning, span, message, help.into());
    }

    /// The findings in the order of the text.
    pub(super) fn finish(mut self, sop: Option<&str>) -> Vec<Diagnostic> {
        self.found.sort_by_key(|found| (found.span.start, found.span.end));
        for found in &mut self.found {
            found.sop = sop.map(str::to_owned);
        }
        self.found
    }

    fn push(
        &mut self,
        code: &'static str,
        severity: Severity,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        // The first error is always kept: without it a broken definition would pass.
        let first_error = severity == Severity::Error && !self.has_errors();
        if self.found.len() >= limits::DIAGNOSTICS_MAX && !first_error {
            return;
        }
        let start = floor_boundary(self.source, span.start);
        let span = start..floor_boundary(self.source, span.end).max(start);
        let (line, column) = self.position(start);
        self.found.push(Diagnostic {
            code,
            severity,
            sop: None,
            file: self.file.clone(),
            line,
            column,
            span,
            message,
            help,
        });
    }

    pub(super) fn position(&self, at: usize) -> (u32, u32) {
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = self.line_starts[line - 1];
        let column = self.source[start..at].chars().filter(|c| *c != '\u{feff}').count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

const TAB_COLUMNS: usize = 4;
const LINE_COLUMNS_MAX: usize = 160;
const LEAD_CHARS: usize = 60;

/// Renders a diagnostic for a terminal: header, place, the line with carets, help.
///
/// `source` is the text of the diagnostic's file. Control characters are shown as pictures, so a
/// file cannot drive the terminal; long lines are cut around the place. Ends with a newline.
pub fn render(diagnostic: &Diagnostic, source: &str) -> String {
    let mut out = format!(
        "{}[{}]: {}\n",
        diagnostic.severity.as_str(),
        diagnostic.code,
        printable(&diagnostic.message)
    );
    let gutter = " ".repeat(diagnostic.line.to_string().len());
    out += &format!(
        "{gutter}--> {}:{}:{}\n",
        printable(&diagnostic.file),
        diagnostic.line,
        diagnostic.column
    );
    if !source.is_empty() {
        let (text, carets) = excerpt(source, &diagnostic.span);
        out += &format!("{gutter} |\n");
        out += format!("{} | {text}", diagnostic.line).trim_end();
        out += &format!("\n{gutter} | {carets}\n");
    }
    if let Some(help) = &diagnostic.help {
        out += &format!("{gutter} = help: {}\n", printable(help));
    }
    out
}

/// The line that a span begins on, and the carets below it.
fn excerpt(source: &str, span: &Range<usize>) -> (String, String) {
    let at = floor_boundary(source, span.start);
    let line_start = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = source[at..].find('\n').map_or(source.len(), |length| at + length);
    let line = source[line_start..line_end].trim_end_matches('\r');
    let end = span.end.min(line_start + line.len());
    let first = skipped_chars(line, at - line_start);
    let (mut text, mut lead, mut width) = (String::new(), 0, 0);
    if first > 0 {
        text.push('…');
        lead = 1;
    }
    let mut columns = lead;
    for (offset, c) in line.char_indices().skip(first) {
        if columns >= LINE_COLUMNS_MAX {
            text.push('…');
            break;
        }
        let shown = if c == '\t' { " ".repeat(TAB_COLUMNS) } else { picture(c).to_string() };
        let wide: usize = shown.chars().map(|c| c.width().unwrap_or(0)).sum();
        if line_start + offset < at {
            lead += wide;
        } else if line_start + offset < end {
            width += wide;
        }
        columns += wide;
        text += &shown;
    }
    (text, " ".repeat(lead) + &"^".repeat(width.max(1)))
}

/// How many characters at the head of `line` to leave out so that byte `at` is in view.
fn skipped_chars(line: &str, at: usize) -> usize {
    let before = line[..at.min(line.len())].chars().count();
    if before < LINE_COLUMNS_MAX / 2 { 0 } else { before - LEAD_CHARS }
}

fn printable(text: &str) -> String {
    text.chars().map(picture).collect()
}

fn picture(c: char) -> char {
    match c {
        '\u{7f}' => '\u{2421}',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        // Direction marks could make a line read as another.
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other => other,
    }
}

/// `text` in backticks, cut to a length that fits a message.
pub(super) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.is_empty() {
        return "an empty text".into();
    }
    match text.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("`{}…`", &text[..cut]),
        None => format!("`{text}`"),
    }
}

/// The candidate that `word` was probably meant to be.
pub(super) fn suggest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    if word.len() > 64 {
        return None;
    }
    let folded = fold(word);
    candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &fold(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> String {
    word.trim().to_ascii_lowercase().replace(['-', ' ', '.'], "_")
}

/// A help line: the probable word, and all that there are.
pub(super) fn choices(word: &str, candidates: &[&str]) -> String {
    let all = listed(candidates);
    match suggest(word, candidates) {
        Some(probable) => format!("did you mean `{probable}`? it is one of {all}"),
        None => format!("it is one of {all}"),
    }
}

/// The words in backticks, with commas.
pub(super) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &str, span: Range<usize>) -> Diagnostic {
        let mut sink = Sink::new("x/SOP.toml".into(), source);
        sink.error_with_help("SOP0101", span, "no".into(), Some("yes".into()));
        sink.finish(None).remove(0)
    }

    #[test]
    fn carets_stand_below_wide_and_tabbed_text() {
        let source = "a = 1\n\té温 = \"x\"\n";
        let start = source.find('温').unwrap();
        let found = at(source, start..start + '温'.len_utf8());
        assert_eq!((found.line, found.column), (2, 3));
        assert_eq!(
            render(&found, source),
            "error[SOP0101]: no\n --> x/SOP.toml:2:3\n  |\n2 |     é温 = \"x\"\n  |      ^^\n  = help: yes\n"
        );
    }

    #[test]
    fn a_span_at_the_end_of_the_text_has_one_caret() {
        let found = at("ab\n", 3..3);
        assert_eq!((found.line, found.column), (2, 1));
        assert!(render(&found, "ab\n").contains("\n  | ^\n"));
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let source = "a\u{1b}[31m = 1";
        let shown = render(&at(source, 0..usize::MAX), source);
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert!(shown.contains('␛'));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let source = "x".repeat(5_000) + "!" + &"y".repeat(5_000);
        let shown = render(&at(&source, 5_000..5_001), &source);
        assert!(shown.len() < 700, "{shown}");
        let lines: Vec<&str> = shown.lines().collect();
        let bang = lines[3].chars().position(|c| c == '!');
        assert_eq!(bang, lines[4].chars().position(|c| c == '^'));
    }

    #[test]
    fn suggestions_are_near() {
        assert_eq!(suggest("descripton", &["description", "name"]), Some("description"));
        assert_eq!(suggest("Step-By-Step", &["auto", "step_by_step"]), Some("step_by_step"));
        assert_eq!(suggest("zebra", &["auto", "name"]), None);
    }

    #[test]
    fn the_json_has_exactly_its_fields() {
        let json = serde_json::to_value(at("x", 0..1)).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        let mut expected = ["code", "severity", "sop", "file", "line", "column", "message", "help"]
            .map(String::from);
        expected.sort();
        let mut keys: Vec<String> = keys.into_iter().cloned().collect();
        keys.sort();
        assert_eq!(keys, expected);
    }
}
