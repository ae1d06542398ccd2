//! Printing: one buffered screen, tables, colour where a terminal shows it.
//!
//! Text from a server or a file goes through [`printable`] first, so that it cannot drive the terminal.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

/// Columns a table cell may have before it is cut.
const CELL_COLUMNS_MAX: usize = 60;

/// How a piece of text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Headings and names.
    Bold,
    /// What matters less.
    Dim,
    /// Good.
    Green,
    /// Waits, or warns.
    Yellow,
    /// Bad.
    Red,
    /// Things to type.
    Cyan,
}

/// Standard output.
pub(crate) struct Screen {
    out: BufWriter<Stdout>,
    colour: bool,
}

impl Screen {
    /// Standard output, in colour only on a terminal and without `NO_COLOR`.
    ///
    /// Source: no-color.org.
    pub(crate) fn stdout() -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = io::stdout().is_terminal() && !is_refused;
        Self { out: BufWriter::new(io::stdout()), colour }
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", text.as_ref())
    }

    /// Prints text as it is.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// Prints a value as indented JSON. What is a control character only to a terminal is escaped too.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        // Such characters stand only inside strings, where an escape means the same.
        let mut safe = String::with_capacity(text.len());
        for c in text.chars() {
            if is_hostile(c) && c != '\n' {
                safe.push_str(&format!("\\u{:04x}", u32::from(c)));
            } else {
                safe.push(c);
            }
        }
        self.line(safe)
    }

    /// `text` in `style`, or plain where colour is off.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match style {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Green => "32",
            Style::Yellow => "33",
            Style::Red => "31",
            Style::Cyan => "36",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Prints rows under a header, in columns as wide as they need to be.
    pub(crate) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        // What stands last may be a command to copy, and has the room.
        let last = header.len().saturating_sub(1);
        let cell = |(at, cell): (usize, &String)| {
            let cell = printable(cell);
            if at == last { cell } else { cut(&cell) }
        };
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().enumerate().map(cell).collect()).collect();
        let mut widths: Vec<usize> = header.iter().map(|title| title.width()).collect();
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let titles: Vec<String> = header.iter().map(|title| (*title).to_owned()).collect();
        let head = columns(&titles, &widths);
        let head = self.paint(Style::Bold, &head);
        self.line(head)?;
        for row in &rows {
            self.line(columns(row, &widths))?;
        }
        Ok(())
    }

    /// Sends out what was printed so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn columns(cells: &[String], widths: &[usize]) -> String {
    let padded: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width()))))
        .collect();
    padded.join("  ").trim_end().to_owned()
}

fn cut(cell: &str) -> String {
    if cell.chars().count() <= CELL_COLUMNS_MAX {
        return cell.to_owned();
    }
    let mut short: String = cell.chars().take(CELL_COLUMNS_MAX - 1).collect();
    short.push('…');
    short
}

/// Whether a character could move a terminal's cursor, change its state or turn text around.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` on one line, without characters that a terminal obeys.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            hostile if is_hostile(hostile) => None,
            other => Some(other),
        })
        .collect()
}

/// `text` on its lines, without characters that a terminal obeys.
pub(crate) fn printable_block(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_hostile(*c)).collect()
}

/// A count with its noun: `1 error`, `2 errors`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_taken_out() {
        assert_eq!(printable("a\u{1b}[31m\nb\u{9b}c\u{202e}d"), "a[31m bcd");
        assert_eq!(printable_block("a\n\tb\u{7}"), "a\n\tb");
    }

    #[test]
    fn cells_are_cut_and_columns_align_by_width() {
        let row = columns(&["温度".into(), "x".into()], &[6, 1]);
        assert_eq!(row, "温度    x");
        assert_eq!(cut(&"y".repeat(100)).chars().count(), CELL_COLUMNS_MAX);
    }
}
