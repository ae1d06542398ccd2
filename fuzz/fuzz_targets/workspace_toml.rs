//! Any `workspace.toml`: read without panic, spans within the text, and an SOP can be read under what came of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sop_core::definition::{self, SourceFiles, Workspace};

fuzz_target!(|text: &str| {
    let (workspace, found) = Workspace::parse(text, "workspace.toml");
    for found in &found {
        assert!(text.get(found.span.clone()).is_some(), "{found:?}");
    }
    let files = SourceFiles {
        directory: "sops/x".into(),
        toml: "[sop]\nname = \"x\"\n".into(),
        markdown: Some("## Steps\n\n1. **Look** — Look.\n   - kind: checkpoint\n".into()),
    };
    let parsed = definition::parse(&files, &workspace);
    assert!(parsed.definition.is_some(), "{:?}", parsed.diagnostics);
});
