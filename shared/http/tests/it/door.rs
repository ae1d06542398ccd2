//! The webhook door: what it turns away, what it lets in at the limit.

use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::port::QueueName;

use crate::request::{Ask, ask};
use crate::world::World;

/// JSON of exactly `bytes` bytes.
fn text_of(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

fn deploy() -> Ask {
    ask("POST /sop/deploy")
}

/// Who is not known is refused alike wherever they knock, and learns no path.
#[tokio::test]
async fn nobody_comes_in_without_a_token() {
    let world = World::new().await;
    let (foreign, lapsed) = (world.foreign_token().await, world.lapsed_token().await);
    let token = world.token.as_str();
    let wrong = [
        None,
        Some(String::new()),
        Some("Bearer".into()),
        Some("Bearer ".into()),
        Some(format!("Basic {token}")),
        Some(format!("Bearer{token}")),
        Some(format!("Bearer\t{token}")),
        Some(format!("Bearer {token}x")),
        Some(format!("Bearer {}", token.to_uppercase())),
        Some(format!("Bearer {foreign}")),
        Some(format!("Bearer {lapsed}")),
        Some("Bearer sop_".to_owned() + &"0".repeat(64)),
        Some("Bearer ' OR 1=1 --".into()),
        Some(token.to_owned()),
    ];
    for path in ["/sop/deploy", "/sop/unknown", "/sop/guarded", "/webhook"] {
        for authorization in &wrong {
            let mut request = ask(&format!("POST {path}")).body("{}");
            if let Some(text) = authorization {
                request = request.header("authorization", text);
            }
            request.refused(&world, 401, "unauthorized", &[]).await;
        }
    }
    // A wrong token is wrong where none is asked for, too.
    ask("PUT /sop/open").bearer("wrong").refused(&world, 401, "unauthorized", &[]).await;
    // Not text, and sent twice.
    let bytes = [b"Bearer ".as_slice(), &[0xff, 0xfe]].concat();
    deploy().header("authorization", bytes).refused(&world, 401, "unauthorized", &[]).await;
    deploy().bearer(token).bearer(token).refused(&world, 401, "unauthorized", &[]).await;
    // A method that the path does not take tells the unknown nothing.
    ask("GET /sop/deploy").refused(&world, 401, "unauthorized", &[]).await;
}

#[tokio::test]
async fn the_scheme_has_no_case() {
    let world = World::new().await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let authorization = format!("{scheme} {}", world.token);
        deploy().header("authorization", authorization).taken(&world, 202).await;
    }
    assert_eq!(world.memory.backlog(QueueName::Events), 4);
}

#[tokio::test]
async fn bodies_have_a_size_and_are_json() {
    let world = World::new().await;
    let exact = text_of(PAYLOAD_BYTES_MAX);
    deploy().bearer(&world.token).body(&exact).taken(&world, 202).await;
    deploy().bearer(&world.token).body(&exact).chunked().taken(&world, 202).await;
    for over in [PAYLOAD_BYTES_MAX + 1, 2 * PAYLOAD_BYTES_MAX, 8 * PAYLOAD_BYTES_MAX] {
        let body = text_of(over);
        let request = deploy().bearer(&world.token).body(&body);
        request.clone().refused(&world, 413, "too_large", &[]).await;
        request.chunked().refused(&world, 413, "too_large", &[]).await;
        deploy().body(&body).refused(&world, 413, "too_large", &[]).await;
        ask("PUT /sop/open").body(&body).refused(&world, 413, "too_large", &[]).await;
    }
    // White space counts.
    let blank = " ".repeat(PAYLOAD_BYTES_MAX + 1);
    deploy().bearer(&world.token).body(blank).refused(&world, 413, "too_large", &[]).await;
    let malformed: &[&[u8]] = &[
        b"{",
        b"{}x",
        b"nul",
        b"'x'",
        b"{\"a\":}",
        b"a=b&c=d",
        b"\xff",
        b"\"\xc3\x28\"",
        b"\xef\xbb\xbf{}",
        b"\0",
        b"NaN",
        b"-",
        b"01",
        b"1e999",
        b"{\"n\":-1e999}",
        b"[\"\\ud800\"]",
        b"{\"\\udc00\":1}",
        b"\"tab\tin text\"",
    ];
    for body in malformed {
        deploy().bearer(&world.token).body(body).refused(&world, 400, "not_json", &[]).await;
    }
    for levels in [128, 10_000, 100_000] {
        let body = nested(levels);
        deploy().bearer(&world.token).body(body).refused(&world, 400, "not_json", &[]).await;
    }
    deploy()
        .bearer(&world.token)
        .body("[".repeat(100_000))
        .refused(&world, 400, "not_json", &[])
        .await;
    let good = [
        "",
        " \n",
        "null",
        "0",
        "\"x\"",
        "{\"a\":1,\"a\":2}",
        "123456789012345678901234567890",
        "1e308",
        "{\"__proto__\":{}}",
    ];
    for body in good {
        deploy().bearer(&world.token).body(body).taken(&world, 202).await;
    }
    deploy().bearer(&world.token).body(nested(127)).taken(&world, 202).await;
}

#[tokio::test]
async fn paths_are_looked_at() {
    let world = World::new().await;
    for path in [
        "/sop/%2e%2e/api/runs",
        "/sop/../api/runs",
        "/sop/./deploy",
        "/sop/deploy/..",
        "/sop/deploy%00",
        "/sop/%",
        "/sop/%zz",
        "/sop/%f",
        "/sop/%ff%fe",
        "/sop/%c0%af",
        "/sop/deploy%0d%0aX:%20y",
        "/sop/%7f",
        "/sop/a/%2E/b",
        "/sop/%2e%2e%2fdeploy",
    ] {
        let request = ask(&format!("POST {path}")).body("{}");
        request.clone().bearer(&world.token).refused(&world, 400, "bad_path", &[]).await;
        request.refused(&world, 400, "bad_path", &[]).await;
    }
    // Well formed, authenticated, and no SOP's: each writes its line of the dispatch log and no more.
    for path in [
        "/sop/Deploy",
        "/sop/deploy/",
        "/sop//deploy",
        "/sop/deploy%2f",
        "/sop/deploy%20",
        "/sop/%252e%252e/x",
        "/sop/d\u{65}ploy2",
        "/sop/deploy;a=b",
        "/sop/%E6%B8%A9",
        "/sop/*",
        "/sop/guarded",
    ] {
        let request = ask(&format!("POST {path}")).bearer(&world.token).body("{\"severity\":1}");
        request.refused(&world, 404, "no_match", &["log"]).await;
    }
    ask("POST /webhook").bearer(&world.token).refused(&world, 501, "no_agent", &["log"]).await;
    // Escapes are resolved once, and a query is no part of the path.
    for path in ["/sop/%64eploy", "/sop/deploy?x=1&x=2", "/sop/deploy?../../"] {
        ask(&format!("POST {path}")).bearer(&world.token).taken(&world, 202).await;
    }
    for line in [
        "POST /",
        "GET /sop",
        "POST /sop/",
        "POST /SOP/deploy",
        "POST //sop/deploy",
        "POST /webhook/",
        "GET /api",
        "GET /api/",
        "GET /api/runs/",
        "GET /admin",
        "GET /.env",
        "GET /api/../sop/deploy",
        "POST /api/sops/deploy/run/",
        "GET /api/runs/x/y/z",
        "GET /healthz/",
    ] {
        ask(line).bearer(&world.token).refused(&world, 404, "no_route", &[]).await;
        ask(line).refused(&world, 404, "no_route", &[]).await;
    }
    let long = format!("GET /{}", "a".repeat(8_000));
    ask(&long).refused(&world, 404, "no_route", &[]).await;
}

#[tokio::test]
async fn methods_are_those_of_the_trigger() {
    let world = World::new().await;
    for method in ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let request = ask(&format!("{method} /sop/deploy")).bearer(&world.token);
        request.refused(&world, 405, "method_not_allowed", &[]).await;
    }
    ask("POST /sop/open")
        .bearer(&world.token)
        .refused(&world, 405, "method_not_allowed", &[])
        .await;
    ask("PUT /sop/open").body("{}").taken(&world, 202).await;
    for line in ["GET /webhook", "DELETE /webhook", "GET /pair", "POST /healthz", "PUT /healthz"] {
        ask(line).refused(&world, 405, "method_not_allowed", &[]).await;
    }
}

#[tokio::test]
async fn keys_are_visible_and_short() {
    let world = World::new().await;
    let long = "k".repeat(256);
    let bad: &[&[u8]] =
        &[b"", b"   ", long.as_bytes(), b"\xff", "é".as_bytes(), b"a\tb", "温".as_bytes()];
    for name in ["x-idempotency-key", "idempotency-key", "X-Idempotency-Key"] {
        for key in bad {
            let request = deploy().bearer(&world.token).header(name, key).body("{}");
            request.refused(&world, 400, "bad_key", &[]).await;
        }
        let twice = deploy().bearer(&world.token).header(name, "a").header(name, "b");
        twice.refused(&world, 400, "bad_key", &[]).await;
    }
    let longest = "k".repeat(255);
    let with_key = |key: &str, body: &str| {
        deploy().bearer(&world.token).header("x-idempotency-key", key).body(body)
    };
    let first = with_key(&longest, "{\"a\":1}").taken(&world, 202).await;
    let again = with_key(&longest, "{\"a\":1}").taken(&world, 200).await;
    assert_eq!(again["status"], "duplicate");
    assert_eq!(again["event_id"], first["event_id"]);
    with_key(&longest, "{\"a\":2}").refused(&world, 422, "key_reused", &[]).await;
    let elsewhere = ask("PUT /sop/open").bearer(&world.token).header("x-idempotency-key", &longest);
    elsewhere.body("{\"a\":1}").refused(&world, 422, "key_reused", &[]).await;
    // After five minutes the key is free.
    world.clock.advance(300_000);
    with_key(&longest, "{\"a\":2}").taken(&world, 202).await;
}
