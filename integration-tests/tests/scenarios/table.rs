//! The README's table of scenarios and hosts is what the scenarios say.

use std::path::Path;

use anyhow::{Context, Result, bail};
use integration_tests::{Kind, Stage};

const BEGIN: &str = "<!-- the table of scenarios: written by the tests -->\n";
const END: &str = "<!-- end -->\n";

/// Compares the README's table with the scenarios; `SOPWITH_BLESS=1` writes it.
pub(crate) fn check() -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&file)?;
    let (before, rest) = readme.split_once(BEGIN).context("README.md has no table's beginning")?;
    let (found, after) = rest.split_once(END).context("README.md has no table's end")?;
    let table = table();
    if found == table {
        return Ok(());
    }
    if std::env::var_os("SOPWITH_BLESS").is_some() {
        return Ok(std::fs::write(&file, format!("{before}{BEGIN}{table}{END}{after}"))?);
    }
    bail!("the table in README.md is not the scenarios': SOPWITH_BLESS=1 writes this:\n{table}");
}

fn table() -> String {
    let mut table = String::from("| scenario |");
    for kind in Kind::ALL {
        table.push_str(&format!(" {} |", kind.name()));
    }
    table.push_str(&format!("\n|---|{}\n", "---|".repeat(Kind::ALL.len())));
    for stage in crate::stages() {
        let (Stage::InOrder(scenarios) | Stage::Together(scenarios)) = stage;
        for scenario in scenarios {
            table.push_str(&format!("| {} |", scenario.name));
            for kind in Kind::ALL {
                let cell = scenario
                    .left_out(kind)
                    .map_or_else(|| "yes".to_owned(), |reason| format!("no: {reason}"));
                table.push_str(&format!(" {cell} |"));
            }
            table.push('\n');
        }
    }
    table
}
