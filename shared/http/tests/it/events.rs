//! Events sent by hand, and payloads of starts by hand.

use serde_json::json;
use sop_core::limits::PAYLOAD_BYTES_MAX;

use crate::request::ask;
use crate::world::World;

#[tokio::test]
async fn subjects_are_what_their_door_could_give() {
    let world = World::new().await;
    let too_long = "a".repeat(65_536);
    for (source, subject) in [
        ("mqtt", ""),
        ("mqtt", "a/+"),
        ("mqtt", "#"),
        ("mqtt", "a\0b"),
        ("mqtt", too_long.as_str()),
        ("peripheral", ""),
        ("peripheral", "pump"),
        ("peripheral", "pump/"),
        ("peripheral", "/p"),
        ("peripheral", "a/b/c"),
        ("peripheral", "a/\0"),
        ("peripheral", "+/x"),
        ("webhook", ""),
        ("webhook", "sop/x"),
        ("webhook", "/"),
        ("webhook", "/sop/"),
        ("webhook", "/api/runs"),
        ("webhook", "/sop/../x"),
        ("webhook", "/sop/a\nb"),
        ("webhook", "/sop/a\u{0}"),
        ("cron", ""),
        ("cron", "x"),
        ("cron", "61 * * * *"),
        ("cron", "* * * * * * * *"),
        ("manual", "deploy"),
    ] {
        let body = json!({ "source": source, "subject": subject }).to_string();
        let request = ask("POST /api/events").bearer(&world.token).body(body);
        request.refused(&world, 400, "bad_subject", &[]).await;
    }
    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"source":"mqtt"}"#,
        r#"{"subject":"a"}"#,
        r#"{"source":"smtp","subject":"a"}"#,
        r#"{"source":"MQTT","subject":"a"}"#,
        r#"{"source":"mqtt","subject":1}"#,
        r#"{"source":"mqtt","subject":"a","tenant":"other"}"#,
        r#"{"source":"mqtt","subject":"a","payload":1e999}"#,
        r#"{"source":"mqtt","subject":"a","subject":"b"}"#,
    ] {
        let request = ask("POST /api/events").bearer(&world.token).body(body);
        request.refused(&world, 400, "bad_body", &[]).await;
    }
    for (source, subject) in [
        ("mqtt", "a//b"),
        ("mqtt", "$SYS/x"),
        ("peripheral", "pump 7/pressure"),
        ("webhook", "/sop/100%"),
        ("webhook", "/webhook"),
        ("cron", "0 8 * * *"),
        ("cron", "0 0 8 * * *"),
    ] {
        let body = json!({ "source": source, "subject": subject, "payload": {} }).to_string();
        ask("POST /api/events").bearer(&world.token).body(body).taken(&world, 202).await;
    }
}

#[tokio::test]
async fn payloads_have_a_size() {
    let world = World::new().await;
    let emit = |bytes: usize| {
        let payload = "x".repeat(bytes - 2);
        let body = format!(r#"{{"source":"mqtt","subject":"a","payload":"{payload}"}}"#);
        ask("POST /api/events").bearer(&world.token).body(body)
    };
    emit(PAYLOAD_BYTES_MAX).taken(&world, 202).await;
    for bytes in [PAYLOAD_BYTES_MAX + 1, PAYLOAD_BYTES_MAX + 900, 2 * PAYLOAD_BYTES_MAX] {
        emit(bytes).refused(&world, 413, "too_large", &[]).await;
        emit(bytes).chunked().refused(&world, 413, "too_large", &[]).await;
    }
    let run = |body: String| ask("POST /api/sops/deploy/run").bearer(&world.token).body(body);
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    run(text(PAYLOAD_BYTES_MAX)).taken(&world, 202).await;
    run(text(PAYLOAD_BYTES_MAX + 1)).refused(&world, 413, "too_large", &[]).await;
    run(text(PAYLOAD_BYTES_MAX + 1)).chunked().refused(&world, 413, "too_large", &[]).await;
    for body in ["{", "x", "{}{}", "\u{feff}{}", "1e999"] {
        run(body.into()).refused(&world, 400, "not_json", &[]).await;
    }
    for key in [&b""[..], b"\xff", &[b'k'; 256]] {
        run("{}".into()).header("idempotency-key", key).refused(&world, 400, "bad_key", &[]).await;
    }
}
