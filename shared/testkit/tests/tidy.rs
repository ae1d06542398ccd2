//! The house's rules that a compiler does not check: arrows between rooms, no unused dependency, whose code, sizes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Room → rooms it may depend on. What is not named here may not be an arrow.
const ARROWS: &[(&str, &[&str])] = &[
    ("sop-core", &[]),
    ("sop-runtime", &["sop-core"]),
    ("sop-aws", &["sop-core", "sop-runtime"]),
    ("sop-schema", &["sop-core"]),
    ("sop-capability", &["sop-core", "sop-schema", "sop-runtime"]),
    ("sop-http", &["sop-core", "sop-schema", "sop-runtime"]),
    ("sop-local", &["sop-core", "sop-runtime"]),
    // The built-ins for its own tests only: they play stories with those that compute.
    ("sop-testkit", &["sop-core", "sop-runtime", "sop-capability"]),
    ("sop-emulator", &[]),
    ("sop-wiring", &["sop-core", "sop-runtime", "sop-aws", "sop-http"]),
    ("sopwith-mqtt", &["sop-core", "sop-runtime", "sop-aws", "sop-wiring"]),
    ("sopwith-eventbridge", &["sop-core", "sop-runtime", "sop-aws", "sop-wiring"]),
    ("sopwith-peripheral", &["sop-core", "sop-runtime", "sop-aws", "sop-wiring"]),
    ("sopwith-cron", &["sop-core", "sop-runtime", "sop-aws", "sop-wiring"]),
    ("sopwith-dispatcher", &["sop-core", "sop-runtime", "sop-aws", "sop-wiring"]),
    ("sopwith-executor", &["sop-core", "sop-runtime", "sop-aws", "sop-capability", "sop-wiring"]),
    ("sopwith-webhook", &["sop-core", "sop-runtime", "sop-aws", "sop-http", "sop-wiring"]),
    ("sopwith-api", &["sop-core", "sop-runtime", "sop-aws", "sop-http", "sop-wiring"]),
    (
        "sop-cli",
        &[
            "sop-core",
            "sop-schema",
            "sop-runtime",
            "sop-local",
            "sop-http",
            "sop-capability",
            "sop-testkit",
        ],
    ),
    ("integration-tests", &["sop-core", "sop-runtime", "sop-aws", "sop-emulator"]),
];

/// Rooms that tests, and only tests, may use from anywhere.
const TEST_ROOMS: &[&str] = &["sop-testkit", "sop-emulator", "sop-local"];

/// Licences under which others' code may be linked into what is handed out under Apache-2.0.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "BSD-3-Clause",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

/// The one place that others' code comes from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Lines of a source file, its tests not counted, at which somebody has to look again.
const FILE_LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace is there")
}

/// The workspace's own packages.
fn packages() -> Vec<Value> {
    metadata(&["--no-deps", "--offline"])
}

fn metadata(args: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1"])
        .args(args)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn rooms_depend_only_along_the_arrows() {
    let arrows: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(room, to)| (*room, to.iter().copied().collect())).collect();
    for package in packages() {
        let name = text(&package, "name");
        let Some(allowed) = arrows.get(name) else {
            panic!("`{name}` is a room without arrows: name it in ARROWS and in ARCHITECTURE.md");
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = text(dependency, "name");
            if !arrows.contains_key(to) {
                continue;
            }
            let is_test = text(dependency, "kind") == "dev";
            assert!(
                allowed.contains(to)
                    || is_test && (TEST_ROOMS.contains(&to) || allowed.contains(to)),
                "`{name}` may not depend on `{to}`"
            );
        }
    }
}

#[test]
fn every_dependency_is_used() {
    for package in packages() {
        let name = text(&package, "name");
        let manifest = PathBuf::from(text(&package, "manifest_path"));
        let folder = manifest.parent().expect("a manifest is in a folder");
        let mut source = String::new();
        for path in rust_files(folder) {
            source.push_str(&std::fs::read_to_string(path).expect("a source file"));
        }
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let to = dependency["rename"].as_str().unwrap_or_else(|| text(dependency, "name"));
            let ident = to.replace('-', "_");
            // Named in features only: they choose what another crate links.
            let for_features = matches!(ident.as_str(), "rustls" | "webpki_roots");
            assert!(
                source.contains(&ident) || for_features,
                "`{name}` does not use its dependency `{to}`"
            );
        }
    }
}

/// Others' code comes from the registry, nothing from a branch or a folder, under licences that fit.
#[test]
fn others_code_is_from_the_registry_and_may_be_handed_on() {
    let mut others = metadata(&["--locked", "--filter-platform=x86_64-unknown-linux-gnu"]);
    let root = root();
    others.retain(|package| !Path::new(text(package, "manifest_path")).starts_with(&root));
    assert!(others.len() > 100, "{} packages", others.len());
    for package in &others {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        assert_eq!(text(package, "source"), REGISTRY, "{name}");
        assert!(may_be_handed_on(licence), "`{name}` is under `{licence}`");
    }
}

/// Whether each part of an SPDX expression leaves a licence to choose; a slash is an old `OR`.
fn may_be_handed_on(licence: &str) -> bool {
    licence.split(" AND ").all(|part| {
        let choices = part.trim_matches(['(', ')']).replace('/', " OR ");
        choices.split(" OR ").any(|choice| LICENCES.contains(&choice.trim()))
    })
}

#[test]
fn licences_are_read_as_expressions() {
    for (licence, fits) in [
        ("MIT", true),
        ("Apache-2.0 / MIT", true),
        ("GPL-3.0-only OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0-only", false),
        ("GPL-3.0-only", false),
        ("", false),
    ] {
        assert_eq!(may_be_handed_on(licence), fits, "{licence}");
    }
}

#[test]
fn files_are_short_and_there_is_no_mod_rs() {
    for path in rust_files(&root()) {
        let shown = path.strip_prefix(root()).expect("below the root").display().to_string();
        assert!(!shown.ends_with("/mod.rs"), "{shown}: write `foo.rs` beside `foo/`");
        if shown.contains("/tests") {
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("a source file");
        let lines = source.split("\n#[cfg(test)]").next().unwrap_or_default().lines().count();
        assert!(lines <= FILE_LINES_MAX, "{shown} has {lines} lines: look again");
    }
}

#[test]
fn every_library_file_says_what_it_is_for() {
    for path in rust_files(&root().join("shared")) {
        let is_library = path.components().any(|part| part.as_os_str() == "src");
        if !is_library || path.ends_with("tests.rs") {
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("a source file");
        assert!(
            source.trim_start().starts_with("//!"),
            "{} does not begin with a module doc",
            path.display()
        );
    }
}

/// A row of `docs/semantics.md`: the heading it is under, its number, and the tests it names.
struct Sentence {
    heading: String,
    number: String,
    tests: Vec<String>,
    is_promise: bool,
}

fn sentences() -> Vec<Sentence> {
    let page =
        std::fs::read_to_string(root().join("docs/semantics.md")).expect("the page is there");
    let (mut found, mut heading) = (Vec::new(), String::new());
    for line in page.lines() {
        if let Some(text) = line.strip_prefix("## ") {
            text.clone_into(&mut heading);
        }
        let cells: Vec<&str> = line.split(" | ").collect();
        let [number, _, proof] = cells.as_slice() else { continue };
        let number = number.trim_start_matches('|').trim();
        if !number.ends_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let tests = proof.split('`').skip(1).step_by(2).map(str::to_owned);
        found.push(Sentence {
            heading: heading.clone(),
            number: number.to_owned(),
            tests: tests.collect(),
            is_promise: proof.contains("(no test yet)"),
        });
    }
    found
}

/// Every function of the repository by name, each with its doc comment; the same name may be there twice.
fn functions() -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for path in rust_files(&root()) {
        let source = std::fs::read_to_string(&path).expect("a source file");
        let mut doc = String::new();
        for line in source.lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("///") {
                doc.push_str(text);
                doc.push('\n');
            } else if let Some(at) = line.find("fn ") {
                let name: String = line[at + 3..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                found.entry(name).or_default().push_str(&std::mem::take(&mut doc));
            } else if !line.starts_with('#') {
                doc.clear();
            }
        }
    }
    found
}

/// The numbers that a doc comment begins with: `D4, D11: a denial ...`.
fn numbers(doc: &str) -> Vec<&str> {
    let Some((before, _)) = doc.split_once(':') else { return Vec::new() };
    let all: Vec<&str> = before.split(',').map(str::trim).collect();
    let is_number = |text: &&str| {
        text.len() >= 2
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text[1..].bytes().all(|b| b.is_ascii_digit())
    };
    if all.iter().all(is_number) { all } else { Vec::new() }
}

/// What the engine promises: of these, each sentence is carried by a test.
const PROVED: &[&str] = &[
    "Runs",
    "Flow",
    "Graphs",
    "Gates",
    "Decisions and reports",
    "Failure",
    "Runs that runs start",
    "Operators",
    "Admission",
    "Time",
];

#[test]
fn every_sentence_is_proved_by_a_test_that_carries_it() {
    let (sentences, functions) = (sentences(), functions());
    let mut seen = BTreeSet::new();
    for Sentence { heading, number, tests, is_promise } in &sentences {
        assert!(seen.insert(number.as_str()), "{number} stands twice");
        for test in tests.iter().filter(|name| name.len() > 4) {
            assert!(functions.contains_key(test), "{number} names `{test}`, which is no function");
        }
        if !PROVED.contains(&heading.as_str()) {
            continue;
        }
        assert!(!is_promise, "{number} has no test");
        // A test that carries numbers carries those of the sentences that name it.
        for test in tests {
            let carried = functions.get(test).map(|doc| numbers(doc)).unwrap_or_default();
            assert!(
                carried.is_empty() || carried.contains(&number.as_str()),
                "`{test}` proves {number} and does not carry it"
            );
        }
    }
    for (test, doc) in &functions {
        for number in numbers(doc) {
            let row = sentences.iter().find(|row| row.number == number);
            let is_named = row.is_some_and(|row| row.tests.contains(test));
            assert!(is_named, "`{test}` carries {number}, whose row does not name it");
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !matches!(name.as_str(), "target" | ".git" | "node_modules") {
                open.push(path);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found
}
