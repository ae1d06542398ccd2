//! What tokens open, until when, and how they are taken back.

use serde_json::{Value, json};

use crate::request::ask;
use crate::world::World;

/// A token of a pairing code that was asked for so.
async fn paired(world: &World, asked: &Value) -> String {
    let code = ask("POST /api/pairing-codes")
        .bearer(&world.token)
        .body(asked.to_string())
        .taken(world, 201)
        .await;
    let code = code["code"].as_str().unwrap();
    let paired = ask("POST /pair").header("x-pairing-code", code).taken(world, 200).await;
    paired["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_role_is_what_its_token_opens() {
    let world = World::new().await;
    let ingress = paired(&world, &json!({ "role": "ingress", "subject": "ci" })).await;
    let viewer = paired(&world, &json!({ "role": "viewer" })).await;
    let run = world.at_gate().await;
    let reads = [
        "GET /api/sops".to_owned(),
        "GET /api/runs".to_owned(),
        format!("GET /api/runs/{run}"),
        format!("GET /api/runs/{run}/journal"),
        format!("GET /api/runs/{run}/gates/1"),
        "GET /api/inbox".to_owned(),
        "GET /api/events".to_owned(),
        "GET /api/sops/deploy".to_owned(),
        "GET /api/sops/deploy/versions".to_owned(),
    ];
    for line in &reads {
        ask(line).bearer(&viewer).taken(&world, 200).await;
        ask(line).bearer(&ingress).refused(&world, 403, "role", &[]).await;
    }
    let writes = [
        "POST /api/pairing-codes".to_owned(),
        "GET /api/tokens".to_owned(),
        "DELETE /api/tokens/0123456789abcdef".to_owned(),
        "POST /api/sops".to_owned(),
        "POST /api/sops/deploy/run".to_owned(),
        "POST /api/sops/deploy/publish".to_owned(),
        "POST /api/sops/deploy/archive".to_owned(),
        format!("POST /api/gates/{run}/decision"),
        format!("POST /api/runs/{run}/cancel"),
        format!("POST /api/runs/{run}/pause"),
        format!("POST /api/runs/{run}/resume"),
        format!("POST /api/runs/{run}/retry"),
        format!("POST /api/runs/{run}/rerun"),
        format!("POST /api/runs/{run}/steps/1/complete"),
        format!("POST /api/runs/{run}/steps/1/fail"),
        "POST /api/events".to_owned(),
    ];
    for line in &writes {
        for token in [&viewer, &ingress] {
            ask(line).bearer(token).body("{}").refused(&world, 403, "role", &[]).await;
        }
    }
    ask("POST /sop/deploy").bearer(&viewer).refused(&world, 403, "role", &[]).await;
    ask("POST /sop/deploy").bearer(&ingress).body("{}").taken(&world, 202).await;
}

#[tokio::test]
async fn a_token_lapses_when_it_was_said_to() {
    let world = World::new().await;
    let token = paired(&world, &json!({ "expires_in": "2h" })).await;
    world.clock.advance(2 * 3_600_000 - 1);
    ask("GET /api/runs").bearer(&token).taken(&world, 200).await;
    world.clock.advance(1);
    ask("GET /api/runs").bearer(&token).refused(&world, 401, "unauthorized", &[]).await;
}

#[tokio::test]
async fn tokens_are_listed_and_taken_back_at_once() {
    let world = World::new().await;
    let asked = json!({ "role": "ingress", "subject": "ci@plant-1", "expires_in": "90d" });
    let token = paired(&world, &asked).await;
    let foreign = world.foreign_token().await;
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let line = format!("GET /api/tokens?limit=1&cursor={cursor}");
        let page = ask(&line).bearer(&world.token).taken(&world, 200).await;
        all.extend(page["tokens"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(all.len(), 2, "this tenant's: {all:?}");
    let shown = json!(all).to_string();
    assert!(!shown.contains(&token) && !shown.contains("hash"), "{shown}");
    let ci = all.iter().find(|it| it["subject"] == "ci@plant-1").unwrap();
    assert_eq!((&ci["role"], &ci["revoked_at"]), (&json!("ingress"), &Value::Null));
    let path = format!("DELETE /api/tokens/{}", ci["id"].as_str().unwrap());
    let gone = ask(&path).bearer(&world.token).taken(&world, 200).await;
    assert!(gone["token"]["revoked_at"].is_string(), "{gone}");
    ask("POST /sop/deploy").bearer(&token).refused(&world, 401, "unauthorized", &[]).await;
    // Again is no harm, and others are not to be had.
    ask(&path).bearer(&world.token).taken(&world, 200).await;
    let id = sop_core::id::Digest::of(foreign.as_bytes()).to_string()[..16].to_owned();
    for id in
        [id.as_str(), "0000000000000000", "", "%2e%2e", "ffffffffffffffff0", "F000000000000000"]
    {
        if id.is_empty() {
            continue;
        }
        let path = format!("DELETE /api/tokens/{id}");
        ask(&path).bearer(&world.token).refused(&world, 404, "no_token", &[]).await;
    }
}

#[tokio::test]
async fn a_code_is_asked_for_in_form() {
    let world = World::new().await;
    for (asked, code) in [
        (json!({ "role": "root" }), "bad_body"),
        (json!({ "subject": "" }), "bad_subject"),
        (json!({ "subject": "a b" }), "bad_subject"),
        (json!({ "subject": "signed:github" }), "bad_subject"),
        (json!({ "subject": "x".repeat(65) }), "bad_subject"),
        (json!({ "expires_in": "0s" }), "bad_duration"),
        (json!({ "expires_in": "soon" }), "bad_duration"),
        (json!({ "expires_in": "99999d" }), "bad_duration"),
        (json!({ "expires": "1d" }), "bad_body"),
    ] {
        let request = ask("POST /api/pairing-codes").bearer(&world.token).body(asked.to_string());
        request.refused(&world, 400, code, &[]).await;
    }
}
