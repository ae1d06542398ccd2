//! Wrong definitions: each gets exactly one diagnostic, as printed in `snapshots/`.

use std::collections::BTreeSet;

use super::*;

#[test]
fn each_wrong_definition_gets_one_precise_diagnostic() {
    let found = directories(&tests_dir().join("wrong"));
    assert!(found.len() >= 100, "{}", found.len());
    one_diagnostic_each(&found);
}

#[test]
fn each_wrong_part_gets_one_precise_diagnostic() {
    one_diagnostic_each(&directories(&tests_dir().join("wrong-in-parts")));
}

fn one_diagnostic_each(found: &[PathBuf]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(tests_dir().join("it/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for directory in found {
        let name = directory.file_name().unwrap().to_str().unwrap().to_owned();
        let files = load(directory, &format!("sops/{name}"));
        let path = directory.join("workspace.toml");
        let workspace = if path.exists() { read(&path) } else { String::new() };
        let parsed = parse_in(&workspace, &files);
        let text = rendered(&files, &workspace, &parsed);
        assert_eq!(parsed.diagnostics.len(), 1, "{name}:\n{text}");
        let is_error = parsed.diagnostics[0].severity == Severity::Error;
        let is_shared = parsed.diagnostics[0].file.ends_with("workspace.toml");
        assert_eq!(parsed.definition.is_none(), is_error && !is_shared, "{name}");
        insta::assert_snapshot!(format!("wrong-{name}"), text);
    }
}

#[test]
fn the_second_of_two_equal_names_is_an_error() {
    let [first, second] = ["sops/a", "sops/b"].map(|directory| {
        parse_files(&SourceFiles {
            directory: directory.into(),
            toml: "[sop]\nname = \"x\"\n".into(),
            markdown: Some("## Steps\n1. Look\n".into()),
        })
    });
    let found = definition::check_workspace(&[first, second]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].code, "SOP0501");
    assert_eq!((found[0].file.as_str(), found[0].line, found[0].column), ("sops/b/SOP.toml", 2, 8));
    assert!(found[0].help.as_ref().unwrap().contains("sops/a/SOP.toml"));
}

#[test]
fn a_file_above_the_limit_is_refused_unread() {
    let long = "#".repeat(sop_core::limits::DEFINITION_BYTES_MAX + 1);
    let parsed =
        parse("[sop]\nname = \"x\"\ndescription = \"d\"\n[[triggers]]\ntype = \"manual\"", &long);
    let codes: Vec<&str> = parsed.diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["SOP0001"]);
    assert_eq!(parsed.definition, None);
}

#[test]
fn steps_above_the_limit_are_one_error() {
    let steps: String = (1..=210).map(|n| format!("{n}. **Step** — x\n")).collect();
    let parsed = parse("[sop]\nname = \"x\"\n", &format!("## Steps\n\n{steps}"));
    let errors: Vec<&str> = parsed
        .diagnostics
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .map(|found| found.code)
        .collect();
    assert_eq!(errors, ["SOP0305"]);
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let pages: BTreeSet<String> = fs::read_dir(repo_dir().join("docs/diagnostics"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name.starts_with("SOP"))
        .collect();
    let codes: BTreeSet<String> = code::ALL.iter().map(|row| row.code.to_owned()).collect();
    assert_eq!(pages, codes);
    assert_eq!(codes.len(), code::ALL.len(), "a code stands twice in the table");
    for row in code::ALL {
        assert!(row.page.starts_with(&format!("# {}: {}\n", row.code, row.title)), "{}", row.code);
        assert!(
            row.page.contains("\n## Wrong\n") && row.page.contains("\n## Right\n"),
            "{}",
            row.code
        );
        assert_eq!(code::explain(&row.code.to_lowercase()), Some(row.page));
    }
    assert_eq!(code::explain("SOP9999"), None);
}

#[test]
fn the_examples_on_the_pages_do_what_the_pages_say() {
    for row in code::ALL {
        let (wrong, right) = row.page.split_once("\n## Right\n").unwrap();
        for (text, is_wrong) in [(wrong, true), (right, false)] {
            for (language, example) in fenced(text) {
                let parsed = parse_example(&language, &example);
                let found: Vec<&str> = parsed.diagnostics.iter().map(|found| found.code).collect();
                let expected = if is_wrong { vec![row.code] } else { vec![] };
                assert_eq!(found, expected, "{}: {example}", row.code);
            }
        }
    }
}

#[test]
fn odd_shapes_of_the_manifest_are_one_error_each() {
    let cases = [
        ("", "SOP0004", (1, 1)),
        ("# only a remark\n", "SOP0004", (1, 1)),
        ("sop = 1", "SOP0103", (1, 7)),
        ("[[sop]]\nname = \"x\"\n", "SOP0103", (1, 1)),
        ("[sop.name]\na = 1\n", "SOP0103", (1, 1)),
        ("[sop]\nname.first = \"x\"\n", "SOP0103", (2, 1)),
        ("triggers = [1]\n[sop]\nname = \"x\"\n", "SOP0103", (1, 13)),
        ("\u{feff}[sop]\nname = 1\n", "SOP0103", (2, 8)),
        ("\u{feff}name = 1\n", "SOP0004", (1, 1)),
        ("[sop]\r\nname = \"x\"\r\npriority = \"hi\"\r\n", "SOP0104", (3, 12)),
        ("[sop]\nname = \"x\"\ncooldown_secs = 1.5\n", "SOP0103", (3, 17)),
        ("[sop]\nname = \"x\"\ncooldown_secs = 99999999999999999999999999\n", "SOP0105", (3, 17)),
        ("[sop]\nname = \"x\"\n[[triggers]]\n", "SOP0204", (3, 1)),
        ("triggers = [{ type = \"manul\" }]\n[sop]\nname = \"x\"\n", "SOP0201", (1, 22)),
    ];
    for (toml, code, place) in cases {
        let parsed = parse(toml, "## Steps\n1. Look\n");
        let found: Vec<_> = parsed
            .diagnostics
            .iter()
            .map(|found| (found.code, (found.line, found.column)))
            .collect();
        assert_eq!(found, [(code, place)], "{toml:?}");
    }
}

#[test]
fn a_stored_definition_reads_back_the_same() {
    for directory in directories(&repo_dir().join("sops")) {
        let sop = parse_shipped(&load(&directory, "x")).definition.unwrap();
        let back: Definition = serde_json::from_str(&sop.to_json()).unwrap();
        assert_eq!(back.digest(), sop.digest());
        assert_eq!(back, sop);
    }
}
