//! Pairing: wrong codes are counted, and lock.

use axum::http::header;
use serde_json::json;
use sop_runtime::flow;

use crate::request::ask;
use crate::world::World;

#[tokio::test]
async fn what_is_no_code_counts_as_nothing() {
    let world = World::new().await;
    flow::new_code(&world.host).await.unwrap();
    for body in ["", "{}", "{\"code\":null}", "{\"code\":\"\"}", "{\"code\":\"  \"}"] {
        ask("POST /pair").body(body).refused(&world, 400, "no_code", &[]).await;
    }
    for header in [&b""[..], b" ", b"\xff\xfe"] {
        let request = ask("POST /pair").header("x-pairing-code", header);
        request.refused(&world, 400, "no_code", &[]).await;
    }
    let twice = ask("POST /pair").header("x-pairing-code", "1").header("x-pairing-code", "2");
    twice.refused(&world, 400, "no_code", &[]).await;
    for body in [
        "{",
        "[]",
        "\"x\"",
        "{\"code\":123456}",
        "{\"code\":[]}",
        "{\"code\":\"1\",\"admin\":true}",
        "{\"code\":\"1\",\"code\":\"2\"}",
        "\u{feff}{}",
    ] {
        ask("POST /pair").body(body).refused(&world, 400, "bad_body", &[]).await;
    }
    let large = "x".repeat(1_025);
    ask("POST /pair").body(&large).refused(&world, 413, "too_large", &[]).await;
    ask("POST /pair").body(&large).chunked().refused(&world, 413, "too_large", &[]).await;
    ask("POST /api/pairing-codes").refused(&world, 401, "unauthorized", &[]).await;
    ask("GET /api/pairing-codes").refused(&world, 405, "method_not_allowed", &[]).await;
}

#[tokio::test]
async fn five_wrong_codes_lock_for_five_minutes() {
    let world = World::new().await;
    let code = flow::new_code(&world.host).await.unwrap();
    let offer = |code: &str| ask("POST /pair").header("x-pairing-code", code);
    for wrong in ["0", "1234567", "000000x", "' OR 1=1"] {
        offer(wrong).refused(&world, 403, "wrong_code", &["tokens"]).await;
    }
    offer("x").refused(&world, 429, "locked", &["tokens"]).await;
    // Locked out, and with the right code too: nothing more is counted.
    for text in ["x", &code, "y"] {
        let answer = offer(text).send(&world).await;
        assert_eq!(
            (answer.status, answer.headers[header::RETRY_AFTER].as_bytes()),
            (429, &b"300"[..])
        );
        offer(text).refused(&world, 429, "locked", &[]).await;
    }
    world.clock.advance(299_001);
    let answer = offer(&code).send(&world).await;
    assert_eq!((answer.status, answer.headers[header::RETRY_AFTER].as_bytes()), (429, &b"1"[..]));
    world.clock.advance(999);
    offer(&code).taken(&world, 200).await;
    // Used up.
    offer(&code).refused(&world, 403, "wrong_code", &["tokens"]).await;
}

#[tokio::test]
async fn a_code_lives_ten_minutes() {
    let world = World::new().await;
    // No code was ever made: there is nothing to count against.
    let offer = |code: &str| ask("POST /pair").body(json!({ "code": code }).to_string());
    offer("123456").refused(&world, 403, "wrong_code", &[]).await;
    let code = flow::new_code(&world.host).await.unwrap();
    world.clock.advance(600_000);
    offer(&code).refused(&world, 403, "wrong_code", &["tokens"]).await;
    let code = flow::new_code(&world.host).await.unwrap();
    world.clock.advance(599_999);
    let paired = offer(&format!(" {code} ")).taken(&world, 200).await;
    let token = paired["token"].as_str().unwrap();
    ask("GET /api/runs").bearer(token).taken(&world, 200).await;
}
