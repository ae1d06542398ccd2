use axum::extract::Request as Extracted;
use axum::http::{HeaderMap, Method, Uri};
use axum::routing::{any, get};
use serde_json::{Value, json};

use super::*;

/// As an HTTP API sends it.
const CALL: &str = r#"{"version": "2.0", "routeKey": "ANY /sop/{proxy+}", "rawPath": "/sop/deploy",
    "rawQueryString": "a=1&a=%202", "cookies": ["c=1"],
    "headers": {"accept": "*/*", "authorization": "Bearer t", "content-type": "application/json",
        "host": "abc123.execute-api.eu-west-1.amazonaws.com", "x-forwarded-for": "192.0.2.1",
        "x-forwarded-port": "443", "x-forwarded-proto": "https", "x-idempotency-key": "k 1"},
    "queryStringParameters": {"a": "1, 2"},
    "requestContext": {"accountId": "123456789012", "apiId": "abc123",
        "domainName": "abc123.execute-api.eu-west-1.amazonaws.com", "domainPrefix": "abc123",
        "http": {"method": "POST", "path": "/sop/deploy", "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1", "userAgent": "curl/8"},
        "requestId": "JKJaXmPLvHcESHA=", "routeKey": "ANY /sop/{proxy+}", "stage": "$default",
        "time": "01/Mar/2026:08:00:00 +0000", "timeEpoch": 1772352000000},
    "pathParameters": {"proxy": "deploy"}, "body": "{\"ok\":true}", "isBase64Encoded": false}"#;

fn call(change: impl FnOnce(&mut Value)) -> Call {
    let mut call: Value = serde_json::from_str(CALL).unwrap();
    change(&mut call);
    serde_json::from_value(call).unwrap()
}

fn router() -> Router {
    async fn echo(method: Method, uri: Uri, headers: HeaderMap, request: Extracted) -> String {
        let key = headers.get("x-idempotency-key").map(|key| key.to_str().unwrap().to_owned());
        let body = to_bytes(request.into_body(), 1_000).await.unwrap();
        format!("{method} {uri} {key:?} {}", String::from_utf8_lossy(&body))
    }
    Router::new()
        .route("/binary", get(|| async { [0xff_u8, 0xfe].into_response() }))
        .fallback(any(echo))
}

async fn said(call: Call) -> String {
    answer(router(), call).await.body
}

#[tokio::test]
async fn a_call_reaches_the_router_as_it_was_made() {
    assert_eq!(said(call(|_| {})).await, "POST /sop/deploy?a=1&a=%202 Some(\"k 1\") {\"ok\":true}");
}

#[tokio::test]
async fn a_body_in_base_64_is_decoded() {
    let encoded = |text: &'static str| {
        call(move |call| {
            call["body"] = json!(text);
            call["isBase64Encoded"] = json!(true);
        })
    };
    assert!(said(encoded("eyJvayI6MX0=")).await.ends_with(" {\"ok\":1}"));
    let wrong = answer(router(), encoded("?")).await;
    assert_eq!(wrong.status_code, 400);
    assert_eq!(wrong.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn nothing_of_the_path_is_normalised() {
    for (raw, stage, path) in [
        ("/sop/a b", "$default", "/sop/a%20b"),
        ("/sop/ü", "$default", "/sop/%C3%BC"),
        ("/sop/a%252Eb", "$default", "/sop/a%252Eb"),
        ("/sop/100%", "$default", "/sop/100%25"),
        ("/sop/what?a#b", "$default", "/sop/what%3Fa%23b"),
        ("/sop/../api/runs", "$default", "/sop/../api/runs"),
        ("/sop//x/", "$default", "/sop//x/"),
        ("/prod/sop/x", "prod", "/sop/x"),
        ("/prod", "prod", "/"),
        ("/production/x", "prod", "/production/x"),
        ("/sop/x", "prod", "/sop/x"),
    ] {
        let call = call(|call| {
            call["rawPath"] = json!(raw);
            call["requestContext"]["stage"] = json!(stage);
            call["rawQueryString"] = json!("");
        });
        let said = said(call).await;
        assert_eq!(said.split(' ').nth(1), Some(path), "{raw}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_no_panic() {
    for (field, value) in [("rawPath", "sop"), ("rawPath", ""), ("rawQueryString", "a b\u{7f}\n")] {
        let wrong = answer(router(), call(|call| call[field] = json!(value))).await;
        assert_eq!(wrong.status_code, 400, "{field} {value:?}");
    }
    let wrong = call(|call| call["requestContext"]["http"]["method"] = json!("A B"));
    assert_eq!(answer(router(), wrong).await.status_code, 400);
    let odd = call(|call| call["headers"]["x y"] = json!("a\nb"));
    assert_eq!(answer(router(), odd).await.status_code, 200);
}

#[tokio::test]
async fn bytes_are_answered_in_base_64() {
    let binary = call(|call| {
        call["rawPath"] = json!("/binary");
        call["requestContext"]["http"]["method"] = json!("GET");
        call.as_object_mut().unwrap().remove("body");
    });
    let answer = answer(router(), binary).await;
    assert!(answer.is_base64_encoded);
    assert_eq!(answer.body, "//4=");
    let json = serde_json::to_value(&answer).unwrap();
    assert_eq!(json["statusCode"], 200);
    assert_eq!(json["isBase64Encoded"], true);
    assert_eq!(json["headers"]["content-type"], "application/octet-stream");
}

#[tokio::test]
async fn a_client_is_told_by_its_connection_and_not_by_what_it_writes() {
    async fn peer(request: Extracted) -> String {
        format!("{:?}", request.extensions().get::<Peer>())
    }
    let router = Router::new().fallback(any(peer));
    let lying = call(|call| call["headers"]["x-forwarded-for"] = json!("203.0.113.1"));
    assert_eq!(answer(router.clone(), lying).await.body, "Some(Peer(192.0.2.1))");
    let unknown = call(|call| call["requestContext"]["http"]["sourceIp"] = json!("test"));
    assert_eq!(answer(router, unknown).await.body, "None");
}
