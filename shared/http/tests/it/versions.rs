//! Versions: drafts, what is active, what was, and what becomes of runs.

use serde_json::{Value, json};
use sop_core::Digest;

use crate::request::{Ask, ask};
use crate::world::World;

const TOML: &str = "[sop]\nname = \"tidy\"\ndescription = \"d\"\nversion = \"VERSION\"\n\
    execution_mode = \"auto\"\n[[triggers]]\ntype = \"webhook\"\npath = \"/sop/tidy\"\n\
    [[triggers]]\ntype = \"manual\"\n";

fn push(world: &World, version: &str, draft: bool) -> Ask {
    let sop = json!({
        "directory": "tidy", "toml": TOML.replace("VERSION", version),
        "markdown": "## Steps\n\n1. **Tidy** — up.\n",
    });
    let body = json!({ "sops": [sop], "draft": draft }).to_string();
    ask("POST /api/sops").bearer(&world.token).body(body)
}

async fn pushed(world: &World, version: &str, draft: bool) -> String {
    world.clock.advance(1_000);
    let answer = push(world, version, draft).taken(world, 200).await;
    assert_eq!(answer["version"].is_null(), draft, "{answer}");
    answer["sops"][0]["digest"].as_str().expect("a digest").to_owned()
}

fn publish(world: &World, body: &Value) -> Ask {
    ask("POST /api/sops/tidy/publish").bearer(&world.token).body(body.to_string())
}

fn hook(world: &World) -> Ask {
    ask("POST /sop/tidy").bearer(&world.token).body("{}")
}

/// Version and status of each, the one pushed last first.
async fn versions(world: &World) -> Vec<(String, String)> {
    let answer = ask("GET /api/sops/tidy/versions").bearer(&world.token).taken(world, 200).await;
    assert_eq!(answer["sop"], "tidy");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let all = answer["versions"].as_array().expect("versions");
    all.iter().map(|it| (text(&it["version"]), text(&it["status"]))).collect()
}

fn told(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn a_draft_starts_nothing_until_it_is_published_and_a_rollback_is_a_publish() {
    let world = World::new().await;
    ask("GET /api/sops/tidy/versions")
        .bearer(&world.token)
        .refused(&world, 404, "no_version", &[])
        .await;
    publish(&world, &json!({})).refused(&world, 404, "no_version", &[]).await;
    let one = pushed(&world, "1", true).await;
    hook(&world).refused(&world, 404, "no_match", &["log"]).await;
    ask("POST /api/sops/tidy/run").bearer(&world.token).refused(&world, 404, "no_sop", &[]).await;
    assert_eq!(versions(&world).await, told(&[("1", "draft")]));
    let published = publish(&world, &json!({})).taken(&world, 200).await;
    assert_eq!((&published["sop"], &published["digest"]), (&json!("tidy"), &json!(one)));
    hook(&world).taken(&world, 202).await;
    let run = world.start("tidy", &world.token, "").await;

    let two = pushed(&world, "2", false).await;
    assert_eq!(versions(&world).await, told(&[("2", "active"), ("1", "archived")]));
    publish(&world, &json!({ "digest": one })).taken(&world, 200).await;
    assert_eq!(versions(&world).await, told(&[("2", "archived"), ("1", "active")]));
    // The same again is nothing new.
    let before = world.memory.fingerprint();
    publish(&world, &json!({ "digest": one })).taken(&world, 200).await;
    assert_eq!(world.memory.fingerprint(), before);
    publish(&world, &json!({ "digest": two })).taken(&world, 200).await;
    assert_eq!(world.run(&run).await["definition"], one.as_str(), "a run keeps its definition");
    // A draft pushed after it waits beside it.
    pushed(&world, "3", true).await;
    let all = told(&[("3", "draft"), ("2", "active"), ("1", "archived")]);
    assert_eq!(versions(&world).await, all);
    push(&world, "4", true)
        .body(r#"{"sops":[],"draft":true,"prune":true}"#)
        .refused(&world, 400, "bad_body", &[])
        .await;
}

#[tokio::test]
async fn only_versions_of_the_sop_are_published() {
    let world = World::new().await;
    pushed(&world, "1", false).await;
    let deploy = ask("GET /api/sops/deploy").bearer(&world.token).taken(&world, 200).await;
    let nothing = Digest::of(b"nothing").to_string();
    for digest in [deploy["digest"].as_str().unwrap(), &nothing] {
        publish(&world, &json!({ "digest": digest })).refused(&world, 404, "no_version", &[]).await;
    }
    for digest in ["", "x", &nothing[..63], "../../etc/passwd"] {
        publish(&world, &json!({ "digest": digest })).refused(&world, 400, "bad_digest", &[]).await;
    }
    for body in [json!([]), json!({ "digest": 1 }), json!({ "version": "1" })] {
        publish(&world, &body).refused(&world, 400, "bad_body", &[]).await;
    }
    let huge = json!({ "digest": "0".repeat(5_000) });
    publish(&world, &huge).refused(&world, 413, "too_large", &[]).await;
}

#[tokio::test]
async fn an_archived_sop_starts_nothing_and_its_runs_go_on() {
    let world = World::new().await;
    let digest = pushed(&world, "1", false).await;
    let run = world.start("tidy", &world.token, "").await;
    let archive = |name: &str| ask(&format!("POST /api/sops/{name}/archive")).bearer(&world.token);
    archive("nothing").refused(&world, 404, "no_version", &[]).await;
    let archived = archive("tidy").taken(&world, 200).await;
    assert_eq!(archived["digest"], Value::Null);
    assert_eq!(archive("tidy").taken(&world, 200).await, archived);
    hook(&world).refused(&world, 404, "no_match", &["log"]).await;
    ask("POST /api/sops/tidy/run").bearer(&world.token).refused(&world, 404, "no_sop", &[]).await;
    assert_eq!(versions(&world).await, told(&[("1", "archived")]));
    let line = format!("POST /api/runs/{run}/steps/1/complete");
    let done = ask(&line).bearer(&world.token).taken(&world, 200).await;
    assert_eq!(done["run"]["status"], "completed");
    publish(&world, &json!({ "digest": digest })).taken(&world, 200).await;
    hook(&world).taken(&world, 202).await;
}

#[tokio::test]
async fn a_definition_is_read_by_its_digest_whatever_its_status() {
    let world = World::new().await;
    let digest = pushed(&world, "1", true).await;
    let read = |digest: &str| ask(&format!("GET /api/definitions/{digest}")).bearer(&world.token);
    let found = read(&digest).taken(&world, 200).await;
    assert_eq!((&found["sop"]["version"], &found["digest"]), (&json!("1"), &json!(digest)));
    let nothing = Digest::of(b"nothing").to_string();
    read(&nothing).refused(&world, 404, "no_definition", &[]).await;
    for bad in ["x", &nothing[..63], "..%2f..", "%00"] {
        read(bad).refused(&world, 400, "bad_digest", &[]).await;
    }
}
