//! What operators ask: one event, replays, schedules, dead letters.

use serde_json::{Value, json};
use sop_runtime::flow;
use sop_runtime::port::{Consumer, Message, Queue, QueueName};

use crate::request::{Ask, ask};
use crate::world::World;

const STEPS: &str = "## Steps\n\n1. **Do** — it.\n";

fn get(world: &World, path: &str) -> Ask {
    ask(&format!("GET {path}")).bearer(&world.token)
}

fn post(world: &World, path: &str, body: &Value) -> Ask {
    ask(&format!("POST {path}")).bearer(&world.token).body(body.to_string())
}

/// The names of a JSON object's members, sorted.
fn members(value: &Value) -> String {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.join(" ")
}

async fn dispatch(world: &World) {
    for delivery in world.memory.receive(QueueName::Events, 9, 1_000).await.unwrap() {
        flow::dispatch(&world.host, &delivery.body).await.unwrap();
        world.memory.acknowledge(QueueName::Events, &[delivery.receipt]).await.unwrap();
    }
}

/// An event with a payload that its line has no room for; its id.
async fn large_event(world: &World) -> String {
    let body = json!({ "pad": "x".repeat(3_000) }).to_string();
    let accepted = ask("POST /sop/deploy").bearer(&world.token).body(&body);
    let accepted = accepted.taken(world, 202).await;
    dispatch(world).await;
    accepted["event_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_event_is_shown_whole_and_sent_again() {
    let world = World::new().await;
    let event = large_event(&world).await;
    let shown = get(&world, &format!("/api/events/{event}")).taken(&world, 200).await;
    assert_eq!(members(&shown), "detail event outcome source subject time");
    assert_eq!(shown["detail"]["payload"].as_str().unwrap().len(), 3_010);
    let path = format!("/api/events/{event}/replay");
    for (body, runs) in [(json!({}), 2), (json!({ "sop": "deploy" }), 3)] {
        world.clock.advance(1_000);
        let again = post(&world, &path, &body).taken(&world, 202).await;
        assert_eq!(members(&again), "event_id replay_of");
        assert_eq!(again["replay_of"], event.as_str());
        dispatch(&world).await;
        let listed = get(&world, "/api/runs").taken(&world, 200).await;
        assert_eq!(listed["runs"].as_array().unwrap().len(), runs);
        let id = again["event_id"].as_str().unwrap();
        let shown = get(&world, &format!("/api/events/{id}")).taken(&world, 200).await;
        assert_eq!(shown["detail"]["replay_of"], event.as_str());
    }
    post(&world, &path, &json!({ "sop": "nobody" })).refused(&world, 404, "no_sop", &[]).await;
    post(&world, &path, &json!({ "sop": "../x" })).refused(&world, 400, "bad_sop_name", &[]).await;
    post(&world, &path, &json!({ "all": true })).refused(&world, 400, "bad_body", &[]).await;
    let nobody = "/api/events/01kjm6jm00v5p9dyrcs0b2e0ba";
    get(&world, nobody).refused(&world, 404, "no_event", &[]).await;
    post(&world, &format!("{nobody}/replay"), &json!({}))
        .refused(&world, 404, "no_event", &[])
        .await;
    get(&world, "/api/events/x").refused(&world, 400, "bad_event_id", &[]).await;
    ask(&format!("GET /api/events/{event}")).refused(&world, 401, "unauthorized", &[]).await;
    ask(&format!("POST {path}")).refused(&world, 401, "unauthorized", &[]).await;
}

#[tokio::test]
async fn the_log_is_filtered() {
    let world = World::new().await;
    large_event(&world).await;
    world.clock.advance(1_000);
    let emit = json!({ "source": "mqtt", "subject": "a/b" });
    post(&world, "/api/events", &emit).taken(&world, 202).await;
    let emit = json!({ "source": "event", "subject": "aws.s3/Object Created", "payload": {} });
    post(&world, "/api/events", &emit).taken(&world, 202).await;
    dispatch(&world).await;
    for (query, sources) in [
        ("", vec!["webhook", "mqtt", "event"]),
        ("source=mqtt", vec!["mqtt"]),
        ("source=event", vec!["event"]),
        ("outcome=matched", vec!["webhook"]),
        ("outcome=unmatched", vec!["mqtt", "event"]),
        ("sop=deploy", vec!["webhook"]),
        ("sop=deploy&source=mqtt", vec![]),
    ] {
        let page = get(&world, &format!("/api/events?{query}")).taken(&world, 200).await;
        let mut found: Vec<&str> = page["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["source"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        let mut sources = sources;
        sources.sort_unstable();
        assert_eq!(found, sources, "{query}");
    }
    for query in ["source=smtp", "outcome=late", "outcome=", "source="] {
        let path = format!("/api/events?{query}");
        get(&world, &path).refused(&world, 400, "bad_query", &[]).await;
    }
    get(&world, "/api/events?sop=..").refused(&world, 400, "bad_sop_name", &[]).await;
    for subject in ["aws.s3", "/x", "aws.s3/", "a%/x", "a/\u{7}"] {
        let emit = json!({ "source": "event", "subject": subject });
        post(&world, "/api/events", &emit).refused(&world, 400, "bad_subject", &[]).await;
    }
}

#[tokio::test]
async fn schedules_are_listed_and_switched() {
    let world = World::new().await;
    let toml = "[[triggers]]\ntype = \"cron\"\nexpression = \"0 9 * * *\"\n";
    world.publish("daily", toml, STEPS, "").await;
    let listed = get(&world, "/api/routines").taken(&world, 200).await;
    let routine = &listed["routines"][0];
    assert_eq!(members(routine), "by on schedules since sop");
    assert_eq!(
        routine["schedules"],
        json!([{ "expression": "0 9 * * *", "timezone": "UTC", "next": "2026-03-01T09:00:00.000Z" }])
    );
    let path = "/api/sops/daily/routine";
    let off = post(&world, path, &json!({ "on": false })).taken(&world, 200).await;
    assert_eq!((members(&off).as_str(), &off["on"]), ("by on since sop", &json!(false)));
    let listed = get(&world, "/api/routines").taken(&world, 200).await;
    assert_eq!(listed["routines"][0]["since"], off["since"]);
    post(&world, path, &json!({ "on": true })).taken(&world, 200).await;
    for body in [json!({}), json!({ "on": "yes" }), json!({ "off": true }), json!([])] {
        post(&world, path, &body).refused(&world, 400, "bad_body", &[]).await;
    }
    for name in ["deploy", "nobody"] {
        let path = format!("/api/sops/{name}/routine");
        let order = post(&world, &path, &json!({ "on": false }));
        order.refused(&world, 404, "no_schedule", &[]).await;
    }
    ask("GET /api/routines").refused(&world, 401, "unauthorized", &[]).await;
    ask(&format!("POST {path}"))
        .body("{\"on\":false}")
        .refused(&world, 401, "unauthorized", &[])
        .await;
}

/// A message with `body` that was received too often.
async fn kill(world: &World, queue: QueueName, body: &str) {
    let message = Message { body: body.to_owned(), delay_secs: 0 };
    world.memory.send(queue, &[message]).await.unwrap();
    loop {
        let received = world.memory.receive(queue, 1, 1_000).await.unwrap();
        let Some(one) = received.into_iter().next() else { return };
        let now = world.host.now();
        flow::note_failure(&world.memory, &one.body, one.attempt, "why it died", now)
            .await
            .unwrap();
        world.memory.release(queue, &one.receipt, 0).await.unwrap();
    }
}

#[tokio::test]
async fn dead_letters_are_listed_redriven_and_discarded() {
    let world = World::new().await;
    assert_eq!(get(&world, "/api/dlq").taken(&world, 200).await, json!({ "letters": [] }));
    for body in ["x", "y"] {
        kill(&world, QueueName::Events, body).await;
    }
    kill(&world, QueueName::Effects, "z").await;
    let all = get(&world, "/api/dlq").taken(&world, 200).await;
    let letters = all["letters"].as_array().unwrap();
    assert_eq!(letters.len(), 3);
    assert_eq!(members(&letters[0]), "at attempts event id kind queue reason run");
    assert_eq!(letters[0]["reason"], "why it died");
    let of = |queue: &str| format!("/api/dlq?queue={queue}");
    for (queue, count) in [("events", 2), ("effects", 1), ("arrivals", 0)] {
        let some = get(&world, &of(queue)).taken(&world, 200).await;
        assert_eq!(some["letters"].as_array().unwrap().len(), count, "{queue}");
    }
    let id = sop_runtime::port::dead_id("x");
    let shown = get(&world, &format!("/api/dlq/events/{id}")).taken(&world, 200).await;
    assert_eq!((&shown["body"], &shown["id"]), (&json!("x"), &json!(id)));
    let order = json!({ "queue": "events", "ids": [id] });
    let done = post(&world, "/api/dlq/redrive", &order).taken(&world, 200).await;
    assert_eq!(done, json!({ "queue": "events", "redriven": 1 }));
    post(&world, "/api/dlq/redrive", &order).refused(&world, 404, "no_letter", &[]).await;
    let rest = json!({ "queue": "events", "all": true });
    let done = post(&world, "/api/dlq/discard", &rest).taken(&world, 200).await;
    assert_eq!(done, json!({ "queue": "events", "discarded": 1 }));
    get(&world, &format!("/api/dlq/events/{id}")).refused(&world, 404, "no_letter", &[]).await;
}

#[tokio::test]
async fn orders_on_dead_letters_say_which() {
    let world = World::new().await;
    kill(&world, QueueName::Events, "x").await;
    let id = sop_runtime::port::dead_id("x");
    for verb in ["redrive", "discard"] {
        let path = format!("/api/dlq/{verb}");
        for body in [
            json!({}),
            json!({ "queue": "events" }),
            json!({ "queue": "events", "ids": [] }),
            json!({ "queue": "events", "ids": [id], "all": true }),
            json!({ "queue": "events", "ids": id }),
            json!({ "ids": [id] }),
            json!({ "queue": "events", "all": true, "force": true }),
        ] {
            post(&world, &path, &body).refused(&world, 400, "bad_body", &[]).await;
        }
        let wrong = post(&world, &path, &json!({ "queue": "inputs", "all": true }));
        wrong.refused(&world, 400, "bad_queue", &[]).await;
        let order = json!({ "queue": "events", "all": true }).to_string();
        ask(&format!("POST {path}")).body(order).refused(&world, 401, "unauthorized", &[]).await;
    }
    let arrivals = post(&world, "/api/dlq/redrive", &json!({ "queue": "arrivals", "all": true }));
    arrivals.refused(&world, 409, "not_redrivable", &[]).await;
    get(&world, "/api/dlq?queue=x").refused(&world, 400, "bad_queue", &[]).await;
    get(&world, "/api/dlq?limit=x").refused(&world, 400, "bad_query", &[]).await;
    get(&world, "/api/dlq/x/y").refused(&world, 400, "bad_queue", &[]).await;
    ask("GET /api/dlq").refused(&world, 401, "unauthorized", &[]).await;
    ask("GET /api/dlq/events/x").refused(&world, 401, "unauthorized", &[]).await;
}
