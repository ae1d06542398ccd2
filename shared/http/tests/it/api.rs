//! The API: nobody without a token, nothing that is not well formed.

use crate::request::ask;
use crate::world::World;

const UNKNOWN: &str = "01kjm15w00m6x8q8k2v6hqwz3d";

#[tokio::test]
async fn every_route_wants_a_token_before_anything_else() {
    let world = World::new().await;
    let run = world.at_gate().await;
    let (foreign, lapsed) = (world.foreign_token().await, world.lapsed_token().await);
    let lines = [
        "POST /api/pairing-codes".to_owned(),
        "GET /api/sops".into(),
        "GET /api/sops/deploy".into(),
        "GET /api/sops/%ff".into(),
        "POST /api/sops".into(),
        "POST /api/sops/deploy/run".into(),
        "GET /api/runs?limit=x".into(),
        format!("GET /api/runs/{run}"),
        "GET /api/runs/%ff".into(),
        format!("GET /api/runs/{run}/journal"),
        "GET /api/inbox?cursor=x".into(),
        format!("POST /api/gates/{run}/decision"),
        format!("POST /api/runs/{run}/steps/1/complete"),
        format!("POST /api/runs/{run}/steps/x/fail"),
        format!("POST /api/runs/{run}/cancel"),
        format!("GET /api/runs/{run}/gates/1"),
        format!("POST /api/runs/{run}/pause"),
        format!("POST /api/runs/{run}/resume"),
        format!("POST /api/runs/{run}/retry"),
        format!("POST /api/runs/{run}/rerun"),
        "GET /api/sops/deploy/versions".into(),
        "POST /api/sops/deploy/publish".into(),
        "POST /api/sops/deploy/archive".into(),
        "GET /api/definitions/x".into(),
        "GET /api/events?since=x".into(),
        "POST /api/events".into(),
    ];
    for line in &lines {
        let request = ask(line).body("not json");
        request.clone().refused(&world, 401, "unauthorized", &[]).await;
        for token in [&foreign, &lapsed, "wrong"] {
            request.clone().bearer(token).refused(&world, 401, "unauthorized", &[]).await;
        }
    }
    for line in [
        "DELETE /api/sops/deploy",
        "PUT /api/sops",
        "POST /api/runs",
        "DELETE /api/inbox",
        "GET /api/sops/deploy/run",
        "PATCH /api/events",
    ] {
        ask(line).refused(&world, 405, "method_not_allowed", &[]).await;
    }
}

#[tokio::test]
async fn ids_and_names_are_looked_at() {
    let world = World::new().await;
    let shouted = UNKNOWN.to_uppercase();
    let long = "a".repeat(5_000);
    let bad_runs = [
        "x",
        "..%2f..",
        "%20",
        "0",
        &shouted,
        &long,
        "01kjm15w00m6x8q8k2v6hqwz3",
        "%E6%B8%A9",
        "%00",
    ];
    for run in bad_runs {
        for line in [
            format!("GET /api/runs/{run}"),
            format!("GET /api/runs/{run}/journal"),
            format!("POST /api/runs/{run}/cancel"),
            format!("POST /api/gates/{run}/decision"),
            format!("POST /api/runs/{run}/steps/1/complete"),
            format!("POST /api/runs/{run}/steps/1/fail"),
            format!("GET /api/runs/{run}/gates/1"),
            format!("POST /api/runs/{run}/pause"),
            format!("POST /api/runs/{run}/resume"),
            format!("POST /api/runs/{run}/retry"),
            format!("POST /api/runs/{run}/rerun"),
        ] {
            let body = r#"{"reason":"x"}"#;
            ask(&line)
                .bearer(&world.token)
                .body(body)
                .refused(&world, 400, "bad_run_id", &[])
                .await;
        }
    }
    for line in ["GET /api/runs/%ff", "POST /api/runs/%ff/steps/1/fail", "GET /api/sops/%fe%ff"] {
        ask(line).bearer(&world.token).refused(&world, 400, "bad_path", &[]).await;
    }
    for (line, body) in [
        (format!("GET /api/runs/{UNKNOWN}"), ""),
        (format!("GET /api/runs/{UNKNOWN}/journal"), ""),
        (format!("POST /api/runs/{UNKNOWN}/cancel"), r#"{"reason":"x"}"#),
        (format!("POST /api/gates/{UNKNOWN}/decision"), r#"{"revision":1,"decision":"approve"}"#),
        (format!("POST /api/runs/{UNKNOWN}/steps/1/complete"), ""),
        (format!("POST /api/runs/{UNKNOWN}/steps/1/fail"), r#"{"reason":"x"}"#),
        (format!("GET /api/runs/{UNKNOWN}/gates/1"), ""),
        (format!("POST /api/runs/{UNKNOWN}/pause"), ""),
        (format!("POST /api/runs/{UNKNOWN}/resume"), ""),
        (format!("POST /api/runs/{UNKNOWN}/retry"), ""),
        (format!("POST /api/runs/{UNKNOWN}/rerun"), r#"{"from":1}"#),
    ] {
        ask(&line).bearer(&world.token).body(body).refused(&world, 404, "no_run", &[]).await;
    }
    for name in ["-x", "a%20b", "a%2fb", "%2e%2e", "%00", &"x".repeat(65), "%E6%B8%A9"] {
        for line in [
            format!("GET /api/sops/{name}"),
            format!("POST /api/sops/{name}/run"),
            format!("GET /api/sops/{name}/versions"),
            format!("POST /api/sops/{name}/publish"),
            format!("POST /api/sops/{name}/archive"),
        ] {
            ask(&line).bearer(&world.token).refused(&world, 400, "bad_sop_name", &[]).await;
        }
    }
    for line in ["GET /api/sops/Deploy", "POST /api/sops/nothing/run", "GET /api/sops/constructor"]
    {
        ask(line).bearer(&world.token).refused(&world, 404, "no_sop", &[]).await;
    }
    let no_trigger = ask("POST /api/sops/guarded/run").bearer(&world.token);
    no_trigger.refused(&world, 409, "not_started", &[]).await;
}

#[tokio::test]
async fn queries_are_looked_at() {
    let world = World::new().await;
    world.at_gate().await;
    for query in [
        "limit=x",
        "limit=-1",
        "limit=1.5",
        "limit=",
        "limit=18446744073709551616",
        "limit=1&limit=2",
        "cursor=a&cursor=b",
        "limit=1%00",
        "limit=%ff",
    ] {
        for path in ["/api/runs", "/api/inbox", "/api/events"] {
            let line = format!("GET {path}?{query}");
            ask(&line).bearer(&world.token).refused(&world, 400, "bad_query", &[]).await;
        }
    }
    let long = "9".repeat(4_000);
    let garbage = [
        "x",
        "0",
        "%00",
        "-",
        "..%2f",
        "1.x",
        "x.01kjm15w00m6x8q8k2v6hqwz3d",
        "RUN%2301",
        &long,
        "'--",
    ];
    for cursor in garbage {
        for path in ["/api/runs", "/api/inbox", "/api/events"] {
            let line = format!("GET {path}?cursor={cursor}");
            ask(&line).bearer(&world.token).refused(&world, 400, "bad_cursor", &[]).await;
        }
    }
    for time in [
        "x",
        "",
        "2026-13-01T00:00:00Z",
        "2026-03-01",
        "2026-03-01T08:00:00",
        "1772352000000",
        "2026-02-30T00:00:00Z",
        "now",
        "%00",
        "2026-03-01T08:00:00+99:00",
    ] {
        for name in ["since", "until"] {
            let line = format!("GET /api/events?{name}={time}");
            ask(&line).bearer(&world.token).refused(&world, 400, "bad_time", &[]).await;
        }
    }
    // At the edges, and of another time: an answer.
    for line in [
        "GET /api/runs?limit=0",
        "GET /api/runs?limit=18446744073709551615",
        "GET /api/runs?cursor=",
        "GET /api/runs?unknown=1",
        "GET /api/inbox?limit=1",
        "GET /api/runs?cursor=00000000000000000000000000",
        "GET /api/inbox?cursor=99999999999999999.zzzzzzzzzzzzzzzzzzzzzzzzzz",
        "GET /api/events?cursor=-1.00000000000000000000000000",
        "GET /api/events?since=9999-12-31T23:59:59Z&until=0000-01-01T00:00:00Z",
        "GET /api/events?since=0000-01-01T00:00:00Z&limit=100000",
    ] {
        ask(line).bearer(&world.token).taken(&world, 200).await;
    }
}

/// A page holds what was asked for, and pages put together hold everything once.
#[tokio::test]
async fn pages_join() {
    let world = World::new().await;
    for _ in 0..7 {
        world.at_gate().await;
        world.clock.advance(1_000);
    }
    for path in ["/api/runs", "/api/inbox", "/api/events"] {
        let member = if path == "/api/events" { "events" } else { "runs" };
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let line = format!("GET {path}?limit=3&cursor={cursor}");
            let page = ask(&line).bearer(&world.token).taken(&world, 200).await;
            let items = page[member].as_array().unwrap();
            assert!(items.len() <= 3);
            seen.extend(items.iter().map(ToString::to_string));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        let all = ask(&format!("GET {path}")).bearer(&world.token).taken(&world, 200).await;
        let all = all[member].as_array().unwrap();
        assert_eq!(seen, all.iter().map(ToString::to_string).collect::<Vec<_>>(), "{path}");
        assert_eq!(seen.len(), 7, "{path}");
    }
}
