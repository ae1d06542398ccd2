//! Whatever the texts, there is an answer.

use proptest::prelude::*;
use sop_core::definition::markdown::parse_steps;

use super::*;

/// Parses, and checks what must hold of any answer.
fn check(toml: &str, markdown: &str) {
    let files = SourceFiles {
        directory: "sops/x".into(),
        toml: toml.into(),
        markdown: Some(markdown.into()),
    };
    let parsed = parse_files(&files);
    let has_errors = parsed.diagnostics.iter().any(|found| found.severity == Severity::Error);
    assert_eq!(parsed.definition.is_none(), has_errors);
    for found in &parsed.diagnostics {
        let text = if found.file.ends_with(".toml") { toml } else { markdown };
        assert!(text.get(found.span.clone()).is_some(), "{found:?}");
        assert!(found.line >= 1 && found.column >= 1);
        assert!(!found.message.is_empty() && !found.message.ends_with('.'), "{}", found.message);
    }
    assert!(parsed.diagnostics.is_empty() || !rendered(&files, "", &parsed).is_empty());
    let _ = definition::check_workspace(&[parsed.clone(), parsed]);
    let _ = parse_steps(markdown);
}

fn examples() -> Vec<(String, String)> {
    ["sops/deploy-pipeline", "sops/incident-runbook", "sops/pump-pressure-response"]
        .map(|directory| {
            let files = load(&repo_dir().join(directory), directory);
            (files.toml, files.markdown.unwrap())
        })
        .into()
}

/// Cuts a piece out of `text` at character boundaries and puts another in its place.
fn mutated(text: &str, from: f64, length: usize, piece: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction of a length is a length"
    )]
    let from = (from * chars.len() as f64) as usize;
    let to = (from + length).min(chars.len());
    let (before, after) = (&chars[..from], &chars[to..]);
    before.iter().chain(piece.chars().collect::<Vec<_>>().iter()).chain(after).collect()
}

const MARKDOWN: &str = "([0-9]{1,3}[.)] |- |\\* |   |\t|## Steps\n|\\*\\*|`{1,3}|\n|> |tools:|with:|\
                        kind: |\\{\"a\": |\\}|true|—|é|温|\r\n|<!--|x){0,60}";
const TOML: &str = "(\\[sop\\]\n|\\[\\[triggers\\]\\]\n|name|condition|path|topic|type| = |\"|'|\"\"\"|\\\\|\
                    \\\\u00e9|\n|\r\n|\\[|\\]|\\{|\\}|,|#|1|-|mqtt|webhook|温|x){0,60}";

proptest! {
    #[test]
    fn any_text(toml in "\\PC{0,200}", markdown in "(?s).{0,200}") {
        check(&toml, &markdown);
    }

    #[test]
    fn texts_of_the_language(toml in TOML, markdown in MARKDOWN) {
        check(&toml, &markdown);
        check("[sop]\nname = \"x\"\n", &format!("## Steps\n\n1. **A** — a\n{markdown}"));
    }

    #[test]
    fn good_files_with_a_piece_replaced(
        which in 0..3_usize,
        from in 0.0..1.0_f64,
        length in 0..12_usize,
        piece in "(\\PC|\n|\t|\r){0,6}",
        in_toml: bool,
    ) {
        let (toml, markdown) = examples().swap_remove(which);
        if in_toml {
            check(&mutated(&toml, from, length, &piece), &markdown);
        } else {
            check(&toml, &mutated(&markdown, from, length, &piece));
        }
    }

    #[test]
    fn conditions_written_in_any_way(text in "(\\PC|\n|\t){0,30}", quote in 0..4_usize) {
        let escaped: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let literal = match quote {
            0 => format!("\"{escaped}\""),
            1 => format!("'{text}'"),
            2 => format!("'''\n{text}'''"),
            _ => format!("\"\"\"{text}\"\"\""),
        };
        let toml = format!("[sop]\nname = \"x\"\n[[triggers]]\ntype = \"mqtt\"\ntopic = \"a\"\ncondition = {literal}\n");
        check(&toml, "## Steps\n1. A\n");
    }
}
