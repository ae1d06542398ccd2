//! Signed webhooks, the second layer, and CloudEvents.

use serde_json::json;
use sop_core::definition::Scheme;
use sop_core::signature::sign;
use sop_runtime::port::{Clock, QueueName};

use crate::request::{Ask, ask};
use crate::world::{SECRETS, World};

const SCHEMES: [(&str, Scheme); 4] = [
    ("github", Scheme::Github),
    ("stripe", Scheme::Stripe),
    ("slack", Scheme::Slack),
    ("standard-webhooks", Scheme::StandardWebhooks),
];

/// A request as its sender signs it, with the host's secret of this name.
fn signed(world: &World, (name, scheme): (&str, Scheme), secret: &str, id: &str) -> Ask {
    let (_, text) = SECRETS.iter().find(|(known, _)| *known == secret).unwrap();
    let body = json!({ "id": id, "event_id": id }).to_string();
    let now = world.clock.now();
    let mut request = ask(&format!("POST /sop/signed/{name}")).body(&body);
    for (header, value) in sign(scheme, text, id, now, body.as_bytes()).unwrap() {
        request = request.header(header, value);
    }
    request
}

#[tokio::test]
async fn each_sender_comes_in_by_its_signature_alone() {
    let world = World::new().await;
    world.publish_signed().await;
    for scheme in SCHEMES {
        for secret in ["hook-old", "hook-new"] {
            let id = format!("{}-{secret}", scheme.0);
            let request = signed(&world, scheme, secret, &id);
            let first = request.taken(&world, 202).await;
            assert_eq!(first["matched_sops"], json!([format!("signed-{}", scheme.0)]));
            // Sent again, as senders do and as whoever saw it could: the same event.
            world.clock.advance(299_000);
            let again = request.taken(&world, 200).await;
            assert_eq!(
                (&again["status"], &again["event_id"]),
                (&json!("duplicate"), &first["event_id"])
            );
            // A key in a header that nobody signed does not make it another.
            let renamed = request.clone().header("x-idempotency-key", "fresh");
            assert_eq!(renamed.taken(&world, 200).await["event_id"], first["event_id"]);
        }
    }
}

#[tokio::test]
async fn what_the_time_stamp_lets_in_is_remembered_as_long() {
    let world = World::new().await;
    world.publish_signed().await;
    for scheme in SCHEMES.into_iter().filter(|(_, scheme)| scheme.is_timed()) {
        // Signed by a clock that is five minutes ahead of ours.
        world.clock.advance(300_000);
        let request = signed(&world, scheme, "hook-new", "ahead");
        world.clock.advance(-300_000);
        request.taken(&world, 202).await;
        world.clock.advance(600_000);
        request.taken(&world, 200).await;
        world.clock.advance(1_000);
        request.clone().refused(&world, 401, "signature_late", &[]).await;
    }
}

#[tokio::test]
async fn slacks_question_is_answered_and_starts_nothing() {
    let world = World::new().await;
    world.publish_signed().await;
    let (_, secret) = SECRETS.iter().find(|(known, _)| *known == "hook-new").unwrap();
    let body =
        json!({ "type": "url_verification", "token": "t", "challenge": "3eZbrw1aB" }).to_string();
    for (name, scheme) in SCHEMES {
        let mut request = ask(&format!("POST /sop/signed/{name}")).body(&body);
        request.clone().refused(&world, 401, "signature_missing", &[]).await;
        for (header, value) in
            sign(scheme, secret, "q", world.clock.now(), body.as_bytes()).unwrap()
        {
            request = request.header(header, value);
        }
        let before = world.memory.backlog(QueueName::Events);
        if name == "slack" {
            // As often as it likes, and nothing comes of it.
            for _ in 0..2 {
                assert_eq!(request.taken(&world, 200).await, json!({ "challenge": "3eZbrw1aB" }));
            }
            assert_eq!(world.memory.backlog(QueueName::Events), before);
        } else {
            request.taken(&world, 202).await;
        }
    }
}

#[tokio::test]
async fn a_missing_or_a_broken_secret_is_the_hosts_fault() {
    let world = World::new().await;
    world.publish_signed().await;
    for (path, logged) in [("missing", "no-such-secret"), ("broken", "broken")] {
        let scheme = (path, Scheme::StandardWebhooks);
        crate::log::take();
        let answer = signed(&world, scheme, "hook-new", "1").send(&world).await;
        assert_eq!((answer.status, answer.code()), (503, "no_secret"));
        assert!(answer.headers.contains_key("retry-after"));
        assert!(!answer.body.to_string().contains(logged), "{}", answer.body);
        let lines = crate::log::take();
        assert!(lines.iter().any(|line| line["fields"]["secret"] == logged), "{lines:?}");
    }
}

#[tokio::test]
async fn the_second_layer_is_in_front_of_all_webhooks() {
    let world = World::with(|gateway| gateway.webhook_secret = Some("layer".into())).await;
    let (_, secret) = SECRETS[2];
    for line in ["POST /sop/deploy", "POST /webhook", "POST /sop/unknown", "PUT /sop/open"] {
        let request = ask(line).bearer(&world.token).body("{}");
        request.clone().refused(&world, 401, "wrong_secret", &[]).await;
        for wrong in ["", "the-second-layer-s3creT", "the-second-layer-s3cret2", "layer"] {
            let request = request.clone().header("x-webhook-secret", wrong);
            request.refused(&world, 401, "wrong_secret", &[]).await;
        }
        let twice = request.clone().header("x-webhook-secret", secret);
        twice.header("x-webhook-secret", secret).refused(&world, 401, "wrong_secret", &[]).await;
    }
    let request = ask("POST /sop/deploy").header("x-webhook-secret", secret).body("{}");
    request.clone().refused(&world, 401, "unauthorized", &[]).await;
    request.bearer(&world.token).taken(&world, 202).await;
    let world = World::with(|gateway| gateway.webhook_secret = Some("none".into())).await;
    let request = ask("POST /sop/deploy").bearer(&world.token).header("x-webhook-secret", "");
    request.refused(&world, 503, "no_secret", &[]).await;
}

#[tokio::test]
async fn a_cloud_event_is_its_data_and_its_source_with_its_id() {
    let world = World::new().await;
    let structured = |id: &str, data: &str| {
        let body = format!(
            r#"{{"specversion":"1.0","type":"alarm","source":"/plant","id":"{id}","data":{data}}}"#
        );
        ask("POST /sop/guarded")
            .bearer(&world.token)
            .header("content-type", "application/cloudevents+json")
            .body(body)
    };
    let first = structured("1", r#"{"severity":3}"#).taken(&world, 202).await;
    // The same event in the other mode.
    let binary = ask("POST /sop/guarded")
        .bearer(&world.token)
        .header("ce-specversion", "1.0")
        .header("ce-type", "alarm")
        .header("ce-source", "/pl%61nt")
        .header("ce-id", "1")
        .body(r#"{"severity":3, "more": true}"#);
    let again = binary.taken(&world, 200).await;
    assert_eq!((&again["status"], &again["event_id"]), (&json!("duplicate"), &first["event_id"]));
    structured("2", r#"{"severity":3}"#).taken(&world, 202).await;
    structured("3", r#"{"severity":1}"#).refused(&world, 404, "no_match", &["log"]).await;
    let outside = r#"{"severity":1},"severity":3"#;
    structured("4", outside).refused(&world, 404, "no_match", &["log"]).await;
    assert_eq!(world.memory.backlog(QueueName::Events), 3);
}
