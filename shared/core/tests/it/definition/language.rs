//! The reference of the language: its examples are good definitions.

use sop_core::definition::keys;

use super::*;

#[test]
fn the_examples_of_the_reference_are_good() {
    let page = read(&repo_dir().join("docs/sop-language.md"));
    let mut checked = 0;
    for (language, example) in fenced(&page) {
        if language == "text" {
            continue;
        }
        let parsed = parse_example(&language, &example);
        assert_eq!(parsed.diagnostics, [], "{example}");
        checked += 1;
    }
    assert!(checked >= 15, "{checked}");
}

#[test]
fn the_reference_names_every_key_and_capability() {
    let page = read(&repo_dir().join("docs/sop-language.md"));
    let (shown, tables): (Vec<String>, String) = (
        fenced(&page).into_iter().map(|(_, example)| example).collect(),
        page.lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| format!("{line}\n"))
            .collect(),
    );
    let shows = |text: &str| shown.iter().any(|example| example.contains(text));
    for name in keys::of_capabilities() {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
    for key in keys::of_steps() {
        assert!(tables.contains(&format!("`{key}`")), "{key}");
        assert!(shows(&format!("   - {key}: ")) || shows(&format!("   - {key}:\n")), "{key}");
    }
    for key in keys::of_sop() {
        assert!(tables.contains(&format!("`{key}`")), "{key}");
        assert!(shows(&format!("\n{key} = ")) || shows(&format!("\n[sop.{key}]\n")), "{key}");
    }
    for key in keys::of_workspaces() {
        let [named, as_table] = [format!("{key} = "), format!("[{key}")];
        assert!(shows(&named) || shows(&as_table), "{key}");
    }
}
