//! Hostile definitions pushed at the API change nothing, not even the store of definitions.

use serde_json::{Value, json};
use sop_core::limits::DEFINITION_BYTES_MAX;

use crate::request::{Ask, ask};
use crate::world::World;

const GOOD: &str = "[sop]\nname = \"good\"\ndescription = \"g\"\nversion = \"1.0.0\"\n\
    [[triggers]]\ntype = \"manual\"\n";
const STEPS: &str = "## Steps\n\n1. **A** — a\n";

fn sop(toml: &str, markdown: &str) -> Value {
    json!({ "directory": "x", "toml": toml, "markdown": markdown })
}

fn push(world: &World, sops: &[Value]) -> Ask {
    let body = json!({ "sops": sops, "prune": true }).to_string();
    ask("POST /api/sops").bearer(&world.token).body(body)
}

#[tokio::test]
async fn definitions_with_errors_change_nothing() {
    let world = World::new().await;
    let large = format!("{GOOD}# {}\n", "x".repeat(DEFINITION_BYTES_MAX));
    let many: String = (1..=201).map(|n| format!("{n}. **A** — a\n")).collect();
    let bad = [
        sop("", STEPS),
        sop("[sop", STEPS),
        sop("[sop]\n", STEPS),
        sop(&large, STEPS),
        sop(GOOD, &format!("{STEPS}{}", "x".repeat(DEFINITION_BYTES_MAX))),
        sop(GOOD, ""),
        sop(GOOD, "no steps here"),
        sop(GOOD, "## Steps\n\nnothing numbered\n"),
        json!({ "directory": "x", "toml": GOOD }),
        json!({ "directory": "x", "toml": GOOD, "markdown": null }),
        sop(GOOD, &format!("## Steps\n\n{many}")),
        sop(GOOD, "## Steps\n\n1. **A** — a\n   - capability: shell.exec\n"),
        sop(GOOD, "## Steps\n\n1. **A** — a\n   - toools: x\n"),
        sop(&GOOD.replace("good", "../etc/passwd"), STEPS),
        sop(&GOOD.replace("good", ""), STEPS),
        sop(&GOOD.replace("good", &"x".repeat(65)), STEPS),
        sop(&format!("{GOOD}secret = 1\n"), STEPS),
        sop(&GOOD.replace("manual", "smtp"), STEPS),
        sop(&GOOD.replace("\"manual\"", "\"mqtt\"\ntopic = \"a/#/b\""), STEPS),
        sop(&GOOD.replace("\"manual\"", "\"mqtt\"\ntopic = \"a\"\ncondition = \"$.x >\""), STEPS),
        sop(&GOOD.replace("\"manual\"", "\"webhook\"\npath = \"/api/runs\""), STEPS),
        sop(&GOOD.replace("\"manual\"", "\"cron\"\nexpression = \"61 * * * *\""), STEPS),
        sop(&format!("{GOOD}a = {}\n", "[".repeat(10_000)), STEPS),
        sop(&GOOD.replace("1.0.0", "1\\u0000"), &"> ".repeat(5_000)),
        sop(&GOOD.replace("version", "input = { type = \"objekt\" }\nversion"), STEPS),
        sop(GOOD, "## Steps\n\n1. **A** — a\n   - output: {\"type\": \"objekt\"}\n"),
        sop(GOOD, "## Steps\n\n1. **A** — a\n   - input: {\"required\": \"id\"}\n"),
    ];
    for one in &bad {
        push(&world, std::slice::from_ref(one))
            .refused(&world, 422, "invalid_definitions", &[])
            .await;
        // One that is wrong keeps all others out.
        let with_good = [sop(GOOD, STEPS), one.clone()];
        push(&world, &with_good).refused(&world, 422, "invalid_definitions", &[]).await;
    }
    let answer = push(&world, &[sop("[sop", STEPS)]).send(&world).await;
    let diagnostics = answer.body["diagnostics"].as_array().unwrap();
    assert!(!diagnostics.is_empty());
    for member in ["code", "severity", "file", "line", "column", "message"] {
        assert!(!diagnostics[0][member].is_null(), "{member}: {}", diagnostics[0]);
    }
    let twice = [sop(GOOD, STEPS), json!({ "directory": "y", "toml": GOOD, "markdown": STEPS })];
    push(&world, &twice).refused(&world, 422, "invalid_definitions", &[]).await;
}

#[tokio::test]
async fn a_push_is_checked_under_the_workspace_that_it_brings() {
    let world = World::new().await;
    let gated = sop(GOOD, "## Steps\n\n1. **A** — a\n   - kind: checkpoint\n   - policy: two\n");
    let push = |workspace: Value| {
        let body = json!({ "sops": [gated], "workspace": workspace }).to_string();
        ask("POST /api/sops").bearer(&world.token).body(body)
    };
    let workspace = |toml: &str| json!({ "file": "sops/workspace.toml", "toml": toml });
    push(Value::Null).refused(&world, 422, "invalid_definitions", &[]).await;
    let broken = workspace("[policies.two]\nquorum = 0\n");
    let said = push(broken).send(&world).await;
    assert_eq!(said.body["diagnostics"][0]["file"], "sops/workspace.toml", "{}", said.body);
    push(workspace("[policies.two]\nquorum = 2\n")).taken(&world, 200).await;
    let shown = ask("GET /api/sops/good").bearer(&world.token).taken(&world, 200).await;
    assert_eq!(shown["sop"]["policies"]["two"]["quorum"], 2);
}

#[tokio::test]
async fn pushes_have_a_shape_and_a_size() {
    let world = World::new().await;
    for body in [
        "",
        "{",
        "[]",
        "{}",
        "null",
        r#"{"sops":{}}"#,
        r#"{"sops":[1]}"#,
        r#"{"sops":[{}]}"#,
        r#"{"sops":[{"directory":"x","toml":1}]}"#,
        r#"{"sops":[],"prune":"yes"}"#,
        r#"{"sops":[],"force":true}"#,
        r#"{"sops":[{"directory":"x","toml":"","markdown":"","x":1}]}"#,
    ] {
        ask("POST /api/sops")
            .bearer(&world.token)
            .body(body)
            .refused(&world, 400, "bad_body", &[])
            .await;
    }
    let bytes =
        [b"{\"sops\":[{\"directory\":\"x\",\"toml\":\"".as_slice(), b"\xff", b"\"}]}"].concat();
    ask("POST /api/sops")
        .bearer(&world.token)
        .body(bytes)
        .refused(&world, 400, "bad_body", &[])
        .await;
    let huge = " ".repeat(5 * 1024 * 1024 + 1);
    ask("POST /api/sops")
        .bearer(&world.token)
        .body(&huge)
        .refused(&world, 413, "too_large", &[])
        .await;
    ask("POST /api/sops")
        .bearer(&world.token)
        .body(huge)
        .chunked()
        .refused(&world, 413, "too_large", &[])
        .await;
}

/// What is right is published once, and publishing it again is no new version.
#[tokio::test]
async fn a_push_twice_is_one_version() {
    let world = World::new().await;
    let body = json!({ "sops": [sop(GOOD, STEPS)] }).to_string();
    let push = ask("POST /api/sops").bearer(&world.token).body(body);
    let first = push.taken(&world, 200).await;
    let before = world.memory.fingerprint();
    assert_eq!(push.taken(&world, 200).await, first);
    assert_eq!(world.memory.fingerprint(), before);
    let listed = ask("GET /api/sops").bearer(&world.token).taken(&world, 200).await;
    assert_eq!(listed["version"], first["version"]);
    assert_eq!(listed["sops"].as_array().unwrap().len(), 4);
}

/// A schema that is none is told as `sop validate` tells it, with its place.
#[tokio::test]
async fn a_schema_is_checked_when_it_is_pushed() {
    let world = World::new().await;
    let steps = "## Steps\n\n1. **A** — a\n   - output: {\"type\": \"objekt\"}\n";
    for draft in [true, false] {
        let body = json!({ "sops": [sop(GOOD, steps)], "draft": draft }).to_string();
        let answer = ask("POST /api/sops").bearer(&world.token).body(body).send(&world).await;
        let told = &answer.body["diagnostics"][0];
        let at = (told["file"].as_str(), told["line"].as_u64());
        assert_eq!((answer.status, at), (422, (Some("x/SOP.md"), Some(4))), "{}", answer.body);
        let message = told["message"].as_str().unwrap();
        assert!(message.starts_with("`output` is not a JSON Schema: at `/type`"), "{message}");
    }
}
