//! The reference of the language: its examples are good definitions.

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
    assert!(checked >= 8, "{checked}");
}

#[test]
fn the_reference_names_every_key_and_capability() {
    let page = read(&repo_dir().join("docs/sop-language.md"));
    for name in definition::capability::KNOWN {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
    for key in ["tools", "requires_confirmation", "kind", "capability", "with", "mode"] {
        assert!(page.contains(&format!("| `{key}` |")), "{key}");
    }
}
