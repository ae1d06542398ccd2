//! The grammar of steps.

use serde_json::json;
use sop_core::definition::markdown::parse_steps;

use super::*;

/// The steps of a section, which must be without fault.
fn steps(list: &str) -> Vec<Step> {
    let parsed = parse_steps(&format!("## Steps\n\n{list}"));
    assert_eq!(parsed.diagnostics, [], "{list}");
    parsed.steps
}

fn codes(markdown: &str) -> Vec<&'static str> {
    parse_steps(markdown).diagnostics.iter().map(|found| found.code).collect()
}

#[test]
fn titles_and_bodies() {
    for (list, title, body) in [
        ("1. **Title** — Body.", "Title", "Body."),
        ("1. **Title** – Body.", "Title", "Body."),
        ("1. **Title** - Body.", "Title", "Body."),
        ("1. **Title** -5 degrees.", "Title", "-5 degrees."),
        ("1. **Title**: Body.", "Title", ": Body."),
        ("1. **Title**", "Title", ""),
        ("1. __Title__ Body.", "Title", "Body."),
        ("1. **A `b` *c*** — Body.", "A b c", "Body."),
        ("1) **Title** — Body.", "Title", "Body."),
        ("1. Plain words.", "Plain words.", ""),
        ("1. Plain words,\n   and more.", "Plain words,", "and more."),
        ("1. Plain **bold** words.", "Plain bold words.", ""),
        (
            "1. **Title** — Some *text*\nlazily **continued**.",
            "Title",
            "Some *text*\nlazily **continued**.",
        ),
        ("1. **Title** — One.\n\n   Two.\n\n       code\n", "Title", "One.\n\nTwo.\n\n    code"),
        ("1.  **Title** — One.\n\n    Two.\n", "Title", "One.\n\nTwo."),
        ("1.\t**Title** — One.\n\n\tTwo.\n", "Title", "One.\n\nTwo."),
        ("1. **Title**\r\n\r\n   One.\r\n   Two.\r\n", "Title", "One.\nTwo."),
        ("1. **Titel für 温度** — Größe.", "Titel für 温度", "Größe."),
        (
            "1. **T** — Do:\n   1. first\n   2. second\n      - deep\n   - a bullet\n",
            "T",
            "Do:\n1. first\n2. second\n   - deep\n- a bullet",
        ),
        (
            "1. **T** — Run:\n\n   ```sh\n   # 2. not a step\n   - tools: not a key\n\n   ## Steps\n   ```\n",
            "T",
            "Run:\n\n```sh\n# 2. not a step\n- tools: not a key\n\n## Steps\n```",
        ),
        ("1. **T** — x\n\n   > - tools: quoted\n", "T", "x\n\n> - tools: quoted"),
        (
            "1. **T** — x\n   - check the dial\n   - tools: a\n   - Note: hot\n",
            "T",
            "x\n- check the dial\n- Note: hot",
        ),
        ("1. **T** — x\n   - tools: a\n\n   After.\n", "T", "x\n\nAfter."),
        ("1. **T** — x\n\n   - tools: a\n\n   After.\n", "T", "x\n\nAfter."),
        ("1. **T** — x\n   - https://example.com/a\n", "T", "x\n- https://example.com/a"),
        ("1. **T** — x\n   1. tools: not a bullet\n", "T", "x\n1. tools: not a bullet"),
        (
            "1. **T** — x\n   - Deeper:\n     - note: not a key\n",
            "T",
            "x\n- Deeper:\n  - note: not a key",
        ),
        ("1. **T** — x\n\n   ---\n\n   y\n\n   ---\n", "T", "x\n\n---\n\ny\n\n---"),
    ] {
        let found = steps(list);
        assert_eq!(found.len(), 1, "{list}");
        assert_eq!((found[0].title.as_str(), found[0].body.as_str()), (title, body), "{list}");
    }
}

#[test]
fn keys_are_read() {
    let found = &steps(
        "1. **T** — x\n   * tools: a, b c ,d\n   * requires_confirmation: `true`\n   * mode:   step_by_step\n",
    )[0];
    assert_eq!(found.suggested_tools, ["a", "b c", "d"]);
    assert!(found.requires_confirmation);
    assert_eq!(found.mode, Some(ExecutionMode::StepByStep));
    assert_eq!((found.kind, found.body.as_str()), (StepKind::Execute, "x"));
    let found = &steps("1. **T** — x\n\n   - kind: checkpoint\n\n   - tools:a\n")[0];
    assert_eq!((found.kind, found.suggested_tools.join("")), (StepKind::Checkpoint, "a".into()));
}

#[test]
fn inputs_of_capabilities_are_read_wherever_they_stand() {
    for with in [
        "with: {\"seconds\": 2}",
        "with: `{\"seconds\": 2}`",
        "with: {seconds = 2}",
        "with: { \"seconds\":\n       2 }",
        "with:\n     {\"seconds\": 2}",
        "with:\n     ```json\n     {\n       \"seconds\": 2\n     }\n     ```",
        "with:\n\n     ~~~\n     {\"seconds\": 2}\n     ~~~",
    ] {
        let found =
            &steps(&format!("1. **T** — x\n   - capability: wait\n   - {with}\n\n   After.\n"))[0];
        assert_eq!(found.kind, StepKind::Capability, "{with}");
        assert_eq!(found.with, Some(json!({"seconds": 2})), "{with}");
        assert_eq!(found.body, "x\n\nAfter.", "{with}");
    }
}

#[test]
fn lists_that_number_on_are_one_procedure() {
    let markdown = "Intro\n\n## STEPS ##\n\nFirst read this.\n\n- and this\n\n### Before\n\n1. **A** — a\n\n\
                    <!-- a remark -->\n\n### After\n\n2. **B** — b\n3) **C** — c\n\n## Notes\n\n4. not a step\n";
    let parsed = parse_steps(markdown);
    assert_eq!(parsed.diagnostics, []);
    let found: Vec<_> =
        parsed.steps.iter().map(|step| (step.number, step.title.as_str())).collect();
    assert_eq!(found, [(1, "A"), (2, "B"), (3, "C")]);
}

#[test]
fn the_section_is_the_whole_heading() {
    assert_eq!(codes("## Steps to do\n\n1. **A** — a\n"), ["SOP0303"]);
    assert_eq!(codes("```\n## Steps\n1. a\n```\n"), ["SOP0303"]);
    assert_eq!(codes("\u{feff}## Steps\n1. **A** — a\n"), [] as [&str; 0]);
    assert_eq!(codes("Steps\n-----\n1. **A** — a\n"), [] as [&str; 0]);
    assert_eq!(codes(""), ["SOP0303"]);
}

#[test]
fn a_gate_is_never_lost_to_its_spelling() {
    for key in [
        "requires_confirmation : true",
        "Requires_Confirmation: true",
        "requires-confirmation: true",
        "**requires_confirmation**: true",
        "`requires_confirmation`: true",
        "requires confirmation: true",
        "requires_confirmation:yes",
        "requires_confirmation: True",
        "requires_confirmation:",
        "requires_confirmation: true, unless it is late",
        "requires_confirmation = true",
    ] {
        let parsed = parse_steps(&format!("## Steps\n\n1. **T** — x\n   - {key}\n"));
        let is_error = parsed.diagnostics.iter().any(|found| found.severity == Severity::Error);
        let gated = parsed.steps[0].requires_confirmation;
        assert!(is_error || gated, "{key}: {parsed:?}");
    }
}

#[test]
fn other_keys_that_gate_are_not_lost_either() {
    for key in ["Kind: checkpoint", "kind = checkpoint", "Mode: step_by_step", "**Mode:** x"] {
        let found = codes(&format!("## Steps\n\n1. **T** — x\n   - {key}\n"));
        assert_eq!(found, ["SOP0401"], "{key}");
    }
    assert_eq!(codes("## Steps\n\n1. **T** — x\n   - Next: call the lead\n"), [] as [&str; 0]);
}

#[test]
fn a_key_that_stands_too_deep_is_reported() {
    for list in [
        "   1. sub\n      - requires_confirmation: true\n",
        "   - Remark:\n     - kind: checkpoint\n",
        "   - Remark\n    that goes on\n       - kind: checkpoint\n",
    ] {
        assert_eq!(codes(&format!("## Steps\n\n1. **T** — x\n{list}")), ["SOP0306"], "{list}");
    }
}

#[test]
fn rules_hide_no_steps() {
    let found = parse_steps(
        "---\ntitle: t\n---\n\n## Steps\n\n1. **A** — a\n\n---\n\n2. **B** — b\n\n---\n",
    );
    assert_eq!(found.diagnostics, []);
    assert_eq!(found.steps.len(), 2);
}

#[test]
fn values_take_no_blocks() {
    for (item, code) in [
        ("tools: a\n     - nested", "SOP0403"),
        ("tools:\n     ```\n     a\n     ```", "SOP0403"),
        ("with: 1\n     ```\n     2\n     ```", "SOP0407"),
        ("with:\n     ```\n     ```", "SOP0407"),
        ("with:\n     ```\n     1\n     ```\n     > more", "SOP0407"),
    ] {
        let markdown = format!("## Steps\n\n1. **T** — x\n   - capability: noop\n   - {item}\n");
        assert_eq!(codes(&markdown), [code], "{item}");
    }
}

#[test]
fn deep_nesting_is_survived() {
    let quotes = "> ".repeat(20_000);
    let lists = "- ".repeat(20_000);
    let emphasis = "*a ".repeat(20_000);
    for hostile in [quotes, lists, emphasis] {
        let _ = parse_steps(&format!("## Steps\n\n1. **T** — x\n   {hostile}\n"));
        let _ = parse_steps(&format!("## Steps\n\n{hostile}\n"));
    }
    let with = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let markdown = format!("## Steps\n\n1. **T** — x\n   - capability: noop\n   - with: {with}\n");
    assert_eq!(codes(&markdown), ["SOP0407"]);
}

#[test]
fn many_keys_take_no_long_time() {
    let keys: String = (0..15_000).map(|n| format!("   - k{n}: 1\n")).collect();
    let parsed = parse_steps(&format!("## Steps\n\n1. **T** — x\n{keys}"));
    assert_eq!(parsed.diagnostics.len(), sop_core::limits::DIAGNOSTICS_MAX);
    assert_eq!(parsed.steps[0].body, "x");
}
