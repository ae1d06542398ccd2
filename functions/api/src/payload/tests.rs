use std::sync::Arc;

use serde_json::json;
use sop_testkit::{ManualClock, Memory};

use super::*;

type World = Arc<Host<Memory, Memory, ManualClock>>;

fn world() -> (World, axum::Router) {
    let clock = ManualClock::default();
    let memory = Memory::new(clock.clone());
    let host = Arc::new(Host::new(memory.clone(), memory, clock));
    (Arc::clone(&host), sop_http::api(host))
}

/// As an HTTP API sends it.
fn http(method: &str, path: &str, headers: &Value) -> Payload {
    let call = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "limit=5",
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1" },
            "stage": "$default",
        },
        "isBase64Encoded": false,
    });
    serde_json::from_value(call).unwrap()
}

#[tokio::test]
async fn a_direct_call_makes_a_code_that_pairs() {
    let (host, router) = world();
    let call = serde_json::from_value(json!({ "operation": "create_pairing_code" })).unwrap();
    let code = answer(&host, router.clone(), call).await.unwrap();
    assert_eq!(code["expires_in_secs"], 600);
    let pair = http("POST", "/pair", &json!({ "x-pairing-code": code["code"] }));
    let paired = answer(&host, router.clone(), pair).await.unwrap();
    assert_eq!(paired["statusCode"], 200, "{paired}");
    let body: Value = serde_json::from_str(paired["body"].as_str().unwrap()).unwrap();
    let bearer = format!("Bearer {}", body["token"].as_str().unwrap());
    let list = http("GET", "/api/runs", &json!({ "authorization": bearer }));
    let listed = answer(&host, router, list).await.unwrap();
    assert_eq!(listed["statusCode"], 200, "{listed}");
    assert_eq!(listed["body"], r#"{"next_cursor":null,"runs":[]}"#);
}

#[tokio::test]
async fn nobody_makes_a_code_over_http() {
    let (host, router) = world();
    for path in ["/api/pairing-codes", "/api/runs"] {
        let method = if path == "/api/runs" { "GET" } else { "POST" };
        let call = http(method, path, &json!({}));
        let refused = answer(&host, router.clone(), call).await.unwrap();
        assert_eq!(refused["statusCode"], 401, "{path}");
    }
    let sneaky = json!({
        "operation": "create_pairing_code",
        "requestContext": { "http": { "method": "GET" }, "stage": "$default" },
        "rawPath": "/healthz",
    });
    let payload: Payload = serde_json::from_value(sneaky).unwrap();
    assert!(matches!(payload, Payload::Http(_)));
}

#[test]
fn what_is_neither_is_refused() {
    for wrong in [
        json!({}),
        json!(null),
        json!([]),
        json!({ "operation": "drop_table" }),
        json!({ "operation": "create_pairing_code", "tenant": "other" }),
        json!({ "requestContext": null }),
    ] {
        assert!(serde_json::from_value::<Payload>(wrong.clone()).is_err(), "{wrong}");
    }
}
