//! Stands in for the HTTP API where an emulator has none: calls functions as an HTTP API calls them.
//!
//! The routes are the template's. Nothing here decides: what a route's function answers is the answer.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::deployment::template::Route;

/// Bytes of a request that an HTTP API takes.
/// Source: Amazon API Gateway developer guide, quotas of HTTP APIs, payload size.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// What names the service and the region to an emulator, which checks no signature.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, \
     SignedHeaders=host, Signature=0";

/// The door; it closes when it is dropped.
pub(crate) struct Door {
    /// Where it answers.
    pub(crate) url: String,
    task: JoinHandle<()>,
}

struct Gateway {
    http: reqwest::Client,
    endpoint: String,
    routes: Vec<Route>,
}

impl Door {
    /// Opens a door to the functions at `endpoint` on a free port.
    pub(crate) async fn open(endpoint: &str, routes: Vec<Route>) -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build()?;
        let gateway = Gateway { http, endpoint: endpoint.to_owned(), routes };
        let app = Router::new().fallback(answer).with_state(Arc::new(gateway));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("the door closed: {error}");
            }
        });
        Ok(Self { url, task })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    match gateway.pass_on(request).await {
        Ok(response) => response,
        // As an HTTP API says that its integration failed.
        Err(error) => plain(500, &json!({ "message": format!("{error:#}") })),
    }
}

fn plain(status: u16, body: &Value) -> Response {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(body.to_string())).expect("a status and a name in ASCII")
}

impl Gateway {
    async fn pass_on(&self, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        let method = parts.method.as_str();
        let path = unescaped(parts.uri.path());
        let Some(route) = self.routes.iter().find(|route| takes(route, method, &path)) else {
            return Ok(plain(404, &json!({ "message": "Not Found" })));
        };
        let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
            return Ok(plain(413, &json!({ "message": "Request Entity Too Large" })));
        };
        let mut headers = BTreeMap::<String, String>::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            headers
                .entry(name.as_str().to_owned())
                .and_modify(|all| *all = format!("{all},{value}"))
                .or_insert_with(|| value.into_owned());
        }
        let (body, encoded) = match std::str::from_utf8(&body) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (STANDARD.encode(&body), true),
        };
        let call = json!({
            "version": "2.0",
            "routeKey": format!("{} {}", route.method, route.path),
            "rawPath": path,
            "rawQueryString": parts.uri.query().unwrap_or_default(),
            "headers": headers,
            "requestContext": {
                "stage": "$default",
                "requestId": "door",
                "http": {
                    "method": method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "integration-tests",
                },
            },
            "body": body,
            "isBase64Encoded": encoded,
        });
        self.invoke(&route.function, &call).await
    }

    async fn invoke(&self, function: &str, call: &Value) -> Result<Response> {
        let url = format!("{}/2015-03-31/functions/sopwith-{function}/invocations", self.endpoint);
        let response = self
            .http
            .post(url)
            .header("authorization", AUTHORIZATION)
            .body(call.to_string())
            .send()
            .await?;
        let failed = response.headers().contains_key("x-amz-function-error");
        let text = response.text().await?;
        if failed {
            anyhow::bail!("`{function}` failed: {text}");
        }
        let answer: Value =
            serde_json::from_str(&text).with_context(|| format!("not JSON: {text}"))?;
        let status = answer["statusCode"].as_u64().with_context(|| format!("no status: {text}"))?;
        let mut response = Response::builder().status(u16::try_from(status)?);
        for (name, value) in answer["headers"].as_object().into_iter().flatten() {
            // The body is whole here; its length is counted anew.
            if name != "content-length" && name != "transfer-encoding" {
                response = response.header(name, value.as_str().unwrap_or_default());
            }
        }
        let body = answer["body"].as_str().unwrap_or_default();
        let body = match answer["isBase64Encoded"].as_bool() {
            Some(true) => STANDARD.decode(body)?,
            Some(false) | None => body.as_bytes().to_vec(),
        };
        Ok(response.body(Body::from(body))?)
    }
}

/// Whether `route` takes `path`; `{name+}` at its end stands for one or more segments.
fn takes(route: &Route, method: &str, path: &str) -> bool {
    if route.method != "ANY" && route.method != method {
        return false;
    }
    match route.path.split_once('{') {
        Some((before, _)) => path.len() > before.len() && path.starts_with(before),
        None => path == route.path,
    }
}

/// `path` as an HTTP API hands it on: every escape but that of the percent sign resolved.
fn unescaped(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let value = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match value {
            Some(byte) if *first == b'%' && byte != b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_take_what_the_http_api_would_hand_them() {
        let route = |method: &str, path: &str| Route {
            method: method.to_owned(),
            path: path.to_owned(),
            function: "api".to_owned(),
        };
        for (route, method, path, taken) in [
            (route("ANY", "/sop/{proxy+}"), "PUT", "/sop/deploy/now", true),
            (route("ANY", "/sop/{proxy+}"), "PUT", "/sop/", false),
            (route("POST", "/pair"), "POST", "/pair", true),
            (route("POST", "/pair"), "GET", "/pair", false),
            (route("POST", "/pair"), "POST", "/pair/", false),
        ] {
            assert_eq!(takes(&route, method, path), taken, "{route:?} {method} {path}");
        }
    }

    #[test]
    fn escapes_are_resolved_but_for_the_percent_sign() {
        assert_eq!(unescaped("/sop/a%20b%2Fc%25%zz%4"), "/sop/a b/c%25%zz%4");
    }
}
