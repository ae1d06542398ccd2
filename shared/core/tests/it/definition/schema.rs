//! The JSON Schemas for editors are those of the tables that the parser reads.

use serde_json::Value;
use sop_core::definition::{keys, schema};

use super::*;

/// `UPDATE_SCHEMAS=1` writes the files anew.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test compares files, and writes them when asked to"
)]
fn the_files_are_what_the_tables_say() {
    for (file, schema) in [("sop", schema::sop()), ("workspace", schema::workspace())] {
        let path = repo_dir().join(format!("docs/schemas/{file}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(read(&path), text, "run the test with UPDATE_SCHEMAS=1");
    }
}

fn names(table: &Value) -> Vec<&str> {
    table["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema = schema::sop();
    let mut expected = keys::of_sop();
    expected.sort_unstable();
    assert_eq!(names(&schema["properties"]["sop"]), expected);
    let triggers = schema["properties"]["triggers"]["items"]["oneOf"].as_array().unwrap();
    assert_eq!(triggers.len(), 6);
    for trigger in triggers {
        let kind = trigger["properties"]["type"]["const"].as_str().unwrap();
        // Each of its keys is one that the parser knows: a wrong value is told, an unknown key is not.
        for key in names(trigger).into_iter().filter(|key| *key != "type") {
            let toml = format!("[sop]\nname = \"x\"\n[[triggers]]\ntype = \"{kind}\"\n{key} = 1\n");
            let codes: Vec<&str> = parse(&toml, "## Steps\n1. A\n")
                .diagnostics
                .iter()
                .map(|found| found.code)
                .collect();
            assert!(
                codes.contains(&"SOP0103") && !codes.contains(&"SOP0203"),
                "{kind} {key}: {codes:?}"
            );
        }
    }
    let workspace = schema::workspace();
    for table in ["groups", "policies"] {
        for key in names(&workspace["properties"][table]["additionalProperties"]) {
            let (_, found) =
                Workspace::parse(&format!("[{table}.x]\n{key} = 2.5\n"), "workspace.toml");
            assert!(found.iter().any(|found| found.code == "SOP0103"), "{table} {key}: {found:?}");
            assert!(!found.iter().any(|found| found.code == "SOP0701"), "{table} {key}: {found:?}");
        }
    }
}
