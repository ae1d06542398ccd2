//! The table of `docs/store.md`, and the same table as it was measured.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;

use sop_aws::count::{Count, Meter};
use sop_runtime::report::chain;

/// What operations cost, by their names in the document.
pub struct Bill {
    meter: Meter,
    rows: Vec<(String, String)>,
}

impl Bill {
    pub fn new(meter: Meter) -> Self {
        Self { meter, rows: Vec::new() }
    }

    /// Makes `call` and notes what it cost as `name`.
    pub async fn of<T, E: std::error::Error>(
        &mut self,
        name: &str,
        call: impl Future<Output = Result<T, E>>,
    ) -> T {
        self.meter.take();
        let value = call.await.unwrap_or_else(|error| panic!("{name}: {}", chain(&error)));
        let cost = cells(&self.meter.take());
        match self.rows.iter().find(|(known, _)| known == name) {
            Some((_, known)) => assert_eq!(*known, cost, "{name} costs the same each time"),
            None => self.rows.push((name.to_owned(), cost)),
        }
        value
    }
}

/// Requests, write units, index units and read units, as the document writes them.
fn cells(count: &Count) -> String {
    let requests: Vec<String> = count
        .requests
        .iter()
        .map(|(name, n)| if *n == 1 { name.clone() } else { format!("{name} x {n}") })
        .collect();
    let requests = if requests.is_empty() { "none".to_owned() } else { requests.join(" + ") };
    let units = count.units;
    format!("{requests} | {} | {} | {}", units.write, units.index, units.read)
}

/// # Panics
/// When a row was measured otherwise, is not in the document, or is only there.
pub fn assert_documented(bill: &Bill) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/store.md");
    let text = std::fs::read_to_string(&path).expect("docs/store.md is there");
    let documented = rows(&text);
    let measured: BTreeMap<String, String> = bill.rows.iter().cloned().collect();
    let mut table = String::new();
    for (name, cost) in &bill.rows {
        let _ = writeln!(table, "| `{name}` | {cost} |");
    }
    for (name, cost) in &measured {
        assert_eq!(documented.get(name), Some(cost), "`{name}`; the whole table is:\n{table}");
    }
    for name in documented.keys() {
        assert!(measured.contains_key(name), "`{name}` is documented and was not measured");
    }
}

/// The rows of the tables from `## Operations` on: the first cell without its backticks, and the rest.
fn rows(text: &str) -> BTreeMap<String, String> {
    let (_, section) = text.split_once("\n## Operations").expect("the document has the tables");
    let mut rows = BTreeMap::new();
    for line in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (name, rest) = line.split_once("` | ").expect("a row has a name and cells");
        let cost = rest.trim_end().trim_end_matches('|').trim_end();
        let before = rows.insert(name.to_owned(), cost.to_owned());
        assert!(before.is_none(), "`{name}` is documented twice");
    }
    rows
}
