use std::sync::Arc;

use serde_json::{Value, json};
use sop_core::definition::SourceFiles;
use sop_core::event::{Data, Source};
use sop_runtime::envelope::{Body, Envelope};
use sop_runtime::flow::{self, Host, Published};
use sop_runtime::port::{Consumer, QueueName};
use sop_testkit::{ManualClock, Memory};

use super::*;

const TOML: &str = r#"
[sop]
name = "deploy"
description = "Deploys."

[[triggers]]
type = "webhook"
path = "/sop/deploy me"
"#;

const MARKDOWN: &str = "# Deploy\n\n## Steps\n\n1. **Do it** — As it says.\n";

type World = Arc<Host<Memory, Memory, ManualClock>>;

async fn world() -> (World, String) {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    let host = Host::new(memory.clone(), memory, clock);
    let files = SourceFiles {
        directory: "sops/deploy".into(),
        toml: TOML.into(),
        markdown: Some(MARKDOWN.into()),
    };
    let published =
        flow::publish(&host, [files][..].into(), flow::Push::Publish, "test").await.unwrap();
    assert!(matches!(published, Published::Active { .. }), "{published:?}");
    let (token, _) = flow::issue_token(&host, "test").await.unwrap();
    (Arc::new(host), token)
}

/// As an HTTP API sends it.
fn call(path: &str, token: &str, body: &str, is_base64_encoded: bool) -> Call {
    let call = json!({
        "version": "2.0",
        "routeKey": "ANY /sop/{proxy+}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "authorization": format!("Bearer {token}"),
            "content-type": "application/json",
            "host": "abc123.execute-api.eu-west-1.amazonaws.com",
            "x-idempotency-key": "k-1",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": is_base64_encoded,
    });
    serde_json::from_value(call).unwrap()
}

#[tokio::test]
async fn a_request_is_an_event_and_a_repeated_one_the_same_event() {
    let (host, token) = world().await;
    let router = sop_http::doors(Arc::clone(&host), Arc::new(()));
    let first = answer(router.clone(), call("/sop/deploy me", &token, "{\"a\":1}", false)).await;
    assert_eq!(first.status_code, 202, "{}", first.body);
    let again = answer(router, call("/sop/deploy%20me", &token, "eyJhIjoxfQ==", true)).await;
    assert_eq!(again.status_code, 200, "{}", again.body);
    let body: Value = serde_json::from_str(&first.body).unwrap();
    assert_eq!(body["matched_sops"], json!(["deploy"]));
    let sent = host.queue.receive(QueueName::Events, 10, 1_000).await.unwrap();
    assert_eq!(sent.len(), 2);
    for delivery in sent {
        let Ok(Body::Event { event }) = Envelope::parse(&delivery.body) else { panic!("no event") };
        assert_eq!(json!(event.id), body["event_id"]);
        assert_eq!((event.source, event.subject.as_str()), (Source::Webhook, "/sop/deploy me"));
        assert_eq!(event.data, Data::Text("{\"a\":1}".into()));
    }
}

#[tokio::test]
async fn what_is_not_let_in_changes_nothing() {
    let (host, token) = world().await;
    let router = sop_http::doors(Arc::clone(&host), Arc::new(()));
    for (path, token, body, status) in [
        ("/sop/deploy me", "wrong", "{}", 401),
        ("/sop/deploy me", token.as_str(), "{", 400),
        ("/sop/other", token.as_str(), "{}", 404),
        ("/sop/../api/runs", token.as_str(), "{}", 400),
        ("/sop/a%252e", token.as_str(), "{}", 404),
        ("/api/runs", token.as_str(), "{}", 404),
        ("/webhook", token.as_str(), "{}", 501),
    ] {
        let answer = answer(router.clone(), call(path, token, body, false)).await;
        assert_eq!(answer.status_code, status, "{path}: {}", answer.body);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    assert_eq!(host.queue.backlog(QueueName::Events), 0);
}
