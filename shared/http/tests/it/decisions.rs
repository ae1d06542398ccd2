//! What people say to runs that do not wait for it, and in ways that cannot be read.

use sop_core::limits::PAYLOAD_BYTES_MAX;

use crate::request::ask;
use crate::world::World;

#[tokio::test]
async fn words_have_a_shape_and_a_size() {
    let world = World::new().await;
    let run = world.at_gate().await;
    let decision = format!("POST /api/gates/{run}/decision");
    for body in [
        "",
        "{",
        "[]",
        "null",
        "1",
        "\"approve\"",
        "\u{feff}{}",
        r#"{"revision":1}"#,
        r#"{"decision":"approve"}"#,
        r#"{"revision":"1","decision":"approve"}"#,
        r#"{"revision":-1,"decision":"approve"}"#,
        r#"{"revision":1.0,"decision":"approve"}"#,
        r#"{"revision":4294967296,"decision":"approve"}"#,
        r#"{"revision":1e400,"decision":"approve"}"#,
        r#"{"revision":1,"decision":"Approve"}"#,
        r#"{"revision":1,"decision":"amend"}"#,
        r#"{"revision":1,"decision":["approve"]}"#,
        r#"{"revision":1,"decision":"approve","admin":true}"#,
        r#"{"revision":1,"revision":1,"decision":"approve"}"#,
        r#"{"revision":1,"decision":"approve","comment":{"a":1}}"#,
        r#"{"revision":1,"decision":"deny","reason":7}"#,
        r#"{"revision":1,"decision":"approve"} {}"#,
    ] {
        ask(&decision).bearer(&world.token).body(body).refused(&world, 400, "bad_body", &[]).await;
    }
    for body in [
        r#"{"revision":1,"decision":"deny"}"#,
        r#"{"revision":1,"decision":"deny","reason":null}"#,
        r#"{"revision":1,"decision":"deny","reason":""}"#,
        r#"{"revision":1,"decision":"deny","reason":" \n\u0000"}"#,
    ] {
        ask(&decision).bearer(&world.token).body(body).refused(&world, 400, "no_reason", &[]).await;
    }
    let long = format!(r#"{{"revision":1,"decision":"deny","reason":"{}"}}"#, "x".repeat(16_384));
    ask(&decision).bearer(&world.token).body(&long).refused(&world, 413, "too_large", &[]).await;
    ask(&decision)
        .bearer(&world.token)
        .body(&long)
        .chunked()
        .refused(&world, 413, "too_large", &[])
        .await;
    for action in ["cancel", "steps/1/fail"] {
        let line = format!("POST /api/runs/{run}/{action}");
        for body in
            ["", "{}", "{\"reason\":null}", "{\"reason\":[]}", "{\"reason\":\"x\",\"y\":1}", "[[["]
        {
            ask(&line).bearer(&world.token).body(body).refused(&world, 400, "bad_body", &[]).await;
        }
        let request = ask(&line).bearer(&world.token).body("{\"reason\":\"  \"}");
        request.refused(&world, 400, "no_reason", &[]).await;
    }
    let good = r#"{"revision":1,"decision":"approve"}"#;
    for key in [&b""[..], b"\xff", &[b'k'; 256]] {
        let request = ask(&decision).bearer(&world.token).header("idempotency-key", key).body(good);
        request.refused(&world, 400, "bad_key", &[]).await;
    }
    ask(&decision)
        .bearer(&world.token)
        .key("a")
        .key("a")
        .body(good)
        .refused(&world, 400, "bad_key", &[])
        .await;
}

#[tokio::test]
async fn gates_take_their_own_decision_once() {
    let world = World::new().await;
    let (first, second) = (world.at_gate().await, world.at_second_gate().await);
    let (person, done) = (world.at_person().await, world.finished().await);
    let cases = [
        (&first, 0, "gate_not_open"),
        (&first, 2, "gate_not_open"),
        (&first, u32::MAX, "gate_not_open"),
        (&second, 0, "gate_not_open"),
        (&second, 1, "superseded"),
        (&second, 3, "gate_not_open"),
        (&person, 1, "gate_not_open"),
        (&person, 2, "not_waiting"),
        (&person, 0, "not_waiting"),
        (&done, 1, "already_finished"),
        (&done, 9, "already_finished"),
    ];
    for (run, revision, code) in cases {
        for say in [r#""approve""#, r#""deny","reason":"no""#] {
            let body = format!(r#"{{"revision":{revision},"decision":{say}}}"#);
            let line = format!("POST /api/gates/{run}/decision");
            ask(&line).bearer(&world.token).body(body).refused(&world, 409, code, &[]).await;
        }
    }
}

#[tokio::test]
async fn steps_take_reports_only_when_a_person_is_awaited() {
    let world = World::new().await;
    let (gate, person, done) =
        (world.at_gate().await, world.at_person().await, world.finished().await);
    let refused = [
        (&gate, "1", "not_awaited"),
        (&gate, "2", "not_awaited"),
        (&person, "0", "not_awaited"),
        (&person, "1", "not_awaited"),
        (&person, "3", "not_awaited"),
        (&person, "4294967295", "not_awaited"),
        (&done, "1", "already_finished"),
    ];
    // Above what is kept inside an entry: a value that is refused must not be stored either.
    let large = format!(r#"{{"output":"{}"}}"#, "x".repeat(10_000));
    for (run, step, code) in refused {
        let complete = format!("POST /api/runs/{run}/steps/{step}/complete");
        for body in ["", "{}", r#"{"output":{"a":1}}"#, &large] {
            ask(&complete).bearer(&world.token).body(body).refused(&world, 409, code, &[]).await;
        }
        let fail = format!("POST /api/runs/{run}/steps/{step}/fail");
        let body = r#"{"reason":"x"}"#;
        ask(&fail).bearer(&world.token).body(body).refused(&world, 409, code, &[]).await;
    }
    for step in ["x", "-1", "+2", "1.5", "4294967296", "%20", "2%00", "0x2", "%D9%A2"] {
        for action in ["complete", "fail"] {
            let line = format!("POST /api/runs/{person}/steps/{step}/{action}");
            let body = r#"{"reason":"x"}"#;
            ask(&line).bearer(&world.token).body(body).refused(&world, 400, "bad_step", &[]).await;
        }
    }
    let cancel = format!("POST /api/runs/{done}/cancel");
    let body = r#"{"reason":"x"}"#;
    ask(&cancel)
        .bearer(&world.token)
        .body(body)
        .refused(&world, 409, "already_finished", &[])
        .await;
}

#[tokio::test]
async fn outputs_have_a_size() {
    let world = World::new().await;
    let run = world.at_person().await;
    let line = format!("POST /api/runs/{run}/steps/2/complete");
    let of = |bytes: usize| format!(r#"{{"output":"{}"}}"#, "x".repeat(bytes - 2));
    for bytes in [PAYLOAD_BYTES_MAX + 1, PAYLOAD_BYTES_MAX + 1_000] {
        let request = ask(&line).bearer(&world.token).body(of(bytes));
        request.clone().refused(&world, 413, "too_large", &[]).await;
        request.chunked().refused(&world, 413, "too_large", &[]).await;
    }
    // Small as it came, too large as it would be kept.
    let grows = format!(r#"{{"output":[{}0]}}"#, "1e15,".repeat(40_000));
    ask(&line).bearer(&world.token).body(grows).refused(&world, 413, "too_large", &[]).await;
    for body in ["{", "[]", r#"{"outputs":1}"#, r#"{"output":1,"output":2}"#, r#"{"output":1e999}"#]
    {
        ask(&line).bearer(&world.token).body(body).refused(&world, 400, "bad_body", &[]).await;
    }
    let deep = format!(r#"{{"output":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    ask(&line).bearer(&world.token).body(deep).refused(&world, 400, "bad_body", &[]).await;
    ask(&line).bearer(&world.token).body(of(PAYLOAD_BYTES_MAX)).taken(&world, 200).await;
}
