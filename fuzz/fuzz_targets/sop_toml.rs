//! Any `SOP.toml` beside a fixed `SOP.md`: read without panic, spans within the text, and what is a definition
//! survives being stored and can be listed, matched and explained.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sop_core::definition::{self, Definition, Severity, SourceFiles, Workspace};
use sop_core::matching::{Index, Listed, describe};

const MARKDOWN: &str = "## Steps\n\n1. **A** — a\n2. **B** — b\n   - capability: noop\n";

fuzz_target!(|toml: &str| {
    let files = SourceFiles {
        directory: "sops/x".into(),
        toml: toml.into(),
        markdown: Some(MARKDOWN.into()),
    };
    let parsed = definition::parse(&files, &Workspace::default());
    let has_errors = parsed.diagnostics.iter().any(|found| found.severity == Severity::Error);
    assert_eq!(parsed.definition.is_none(), has_errors);
    for found in &parsed.diagnostics {
        let text = if found.file.ends_with(".toml") { toml } else { MARKDOWN };
        assert!(text.get(found.span.clone()).is_some(), "{found:?}");
    }
    if let Some(definition) = parsed.definition {
        let stored: Definition =
            serde_json::from_str(&definition.to_json()).expect("what was stored");
        assert_eq!(stored.digest(), definition.digest());
        let printed = definition::parse(&definition::print(&definition), &Workspace::default());
        assert_eq!(printed.definition.as_ref(), Some(&definition), "{:?}", printed.diagnostics);
        for trigger in &definition.triggers {
            assert!(!describe(trigger).is_empty());
        }
        let index = Index::build([Listed::from(&definition)]);
        assert!(index.find(&definition.name).is_some());
    }
});
