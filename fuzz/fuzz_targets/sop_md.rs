//! Any `SOP.md` beside a fixed `SOP.toml`: read without panic, spans within the text, and what is a definition
//! survives being stored.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sop_core::definition::{self, Definition, Severity, SourceFiles, Workspace};

const TOML: &str = "[sop]\nname = \"x\"\ndescription = \"x\"\n[[triggers]]\ntype = \"manual\"\n";

fuzz_target!(|markdown: &str| {
    let files = SourceFiles {
        directory: "sops/x".into(),
        toml: TOML.into(),
        markdown: Some(markdown.into()),
    };
    let parsed = definition::parse(&files, &Workspace::default());
    let has_errors = parsed.diagnostics.iter().any(|found| found.severity == Severity::Error);
    assert_eq!(parsed.definition.is_none(), has_errors);
    for found in &parsed.diagnostics {
        let text = if found.file.ends_with(".toml") { TOML } else { markdown };
        assert!(text.get(found.span.clone()).is_some(), "{found:?}");
    }
    if let Some(definition) = parsed.definition {
        let stored: Definition =
            serde_json::from_str(&definition.to_json()).expect("what was stored");
        assert_eq!(stored.digest(), definition.digest());
        let printed = definition::parse(&definition::print(&definition), &Workspace::default());
        assert_eq!(printed.definition.as_ref(), Some(&definition), "{:?}", printed.diagnostics);
    }
});
