//! A trace as a tree.

use std::collections::BTreeMap;
use std::io;

use super::Row;
use crate::render::{Screen, Style, printable};

/// Columns of what stands before the times.
const NAME_COLUMNS: usize = 64;

/// Prints the spans below one another, each with when it began after the first, how long it took and what
/// was decided in it.
pub(super) fn print(trace: &str, rows: &[Row], screen: &mut Screen) -> io::Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let mut below: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().skip(1) {
        below.entry(row.parent.as_deref().unwrap_or(&first.id)).or_default().push(row);
    }
    for parts in below.values_mut() {
        parts.sort_by_key(|row| row.began);
    }
    screen.line(format!("trace {trace}"))?;
    let mut tree = Tree { below, zero: first.began, screen };
    tree.span(first, "", "")
}

struct Tree<'r, 's> {
    below: BTreeMap<&'r str, Vec<&'r Row>>,
    zero: i64,
    screen: &'s mut Screen,
}

impl Tree<'_, '_> {
    /// One span with its parts; `lead` stands before its own line, `rest` before those of its parts.
    fn span(&mut self, row: &Row, lead: &str, rest: &str) -> io::Result<()> {
        let text = format!("{lead}{:<10} {}", row.service, printable(&row.name));
        let took = match row.ended {
            Some(ended) => duration(ended - row.began),
            None => "goes on".to_owned(),
        };
        let times = format!("{:>10} {took:>10}", format!("+{}", duration(row.began - self.zero)));
        let line = format!("{text:<NAME_COLUMNS$}{times}");
        let line = if row.failed { self.screen.paint(Style::Red, &line) } else { line };
        self.screen.line(line)?;
        let parts = self.below.get(row.id.as_str()).cloned().unwrap_or_default();
        let bar = if parts.is_empty() { "   " } else { "│  " };
        for mark in &row.marks {
            let (service, seq, what) = (mark.service, mark.seq, printable(&mark.what));
            let text =
                format!("{rest}{bar}· {service} #{seq}: {what} (by {})", printable(&mark.by));
            let after = format!("+{}", duration(mark.at - self.zero));
            let line = format!("{text:<NAME_COLUMNS$}{after:>10}");
            let line = self.screen.paint(Style::Dim, &line);
            self.screen.line(line)?;
        }
        for (place, part) in parts.iter().enumerate() {
            let is_last = place + 1 == parts.len();
            let (corner, bar) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            self.span(part, &format!("{rest}{corner}"), &format!("{rest}{bar}"))?;
        }
        Ok(())
    }
}

/// `12 ms`, `1.20 s`, `3 min 20 s`, `2 h 5 min`.
fn duration(millis: i64) -> String {
    let secs = millis / 1_000;
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{secs}.{:02} s", millis % 1_000 / 10),
        60_000..3_600_000 => format!("{} min {} s", secs / 60, secs % 60),
        _ => format!("{} h {} min", secs / 3_600, secs / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let said =
            [(0, "0 ms"), (1_234, "1.23 s"), (200_000, "3 min 20 s"), (7_500_000, "2 h 5 min")];
        for (millis, text) in said {
            assert_eq!(duration(millis), text);
        }
    }
}
