//! `make bench`: one table of what things take, measured side by side in one run.
//!
//! Nothing here passes or fails; `docs/performance.md` keeps the numbers of a named machine.

mod cost;
mod dev;
mod lambdas;
mod matching;

use std::path::{Path, PathBuf};

/// One line of the table.
struct Row {
    what: String,
    value: String,
    beside: String,
}

impl Row {
    fn new(what: impl Into<String>, value: impl Into<String>, beside: impl Into<String>) -> Self {
        Self { what: what.into(), value: value.into(), beside: beside.into() }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The value that `part` of `sorted` is not above.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
    let at = ((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

fn main() {
    let mut rows = Vec::new();
    rows.extend(matching::rows());
    rows.extend(dev::rows());
    rows.extend(lambdas::rows());
    rows.extend(cost::rows());
    let width = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).chars().count()).max();
    let (what, value) = (width(|row| &row.what).unwrap_or(0), width(|row| &row.value).unwrap_or(0));
    println!();
    for Row { what: a, value: b, beside } in &rows {
        println!("| {a:what$} | {b:>value$} | {beside} |");
    }
}
