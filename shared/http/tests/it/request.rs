//! A request and what it must be answered.

use std::io;
use std::net::IpAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, header};
use futures_util::stream;
use serde_json::Value;
use tower::ServiceExt;

use crate::log;
use crate::world::World;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    chunked: bool,
    from: Option<IpAddr>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// `GET /path`, as `ask("GET /path")`.
pub(crate) fn ask(line: &str) -> Ask {
    let (method, path) = line.split_once(' ').expect("a method and a path");
    Ask {
        method: method.into(),
        path: path.into(),
        headers: Vec::new(),
        body: Vec::new(),
        chunked: false,
        from: None,
    }
}

impl Ask {
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sends the body in pieces, with no length told.
    pub(crate) fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Sends it from this address.
    pub(crate) fn from(mut self, address: IpAddr) -> Self {
        self.from = Some(address);
        self
    }

    pub(crate) async fn send(&self, world: &World) -> Answer {
        self.send_to(world.router.clone()).await
    }

    pub(crate) async fn send_to(&self, router: Router) -> Answer {
        let mut request = Request::builder()
            .method(Method::from_bytes(self.method.as_bytes()).expect("a method"))
            .uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value.as_slice());
        }
        let body = if self.chunked {
            let pieces: Vec<_> =
                self.body.chunks(8_192).map(|piece| Ok::<_, io::Error>(piece.to_vec())).collect();
            Body::from_stream(stream::iter(pieces))
        } else {
            request = request.header(header::CONTENT_LENGTH, self.body.len());
            Body::from(self.body.clone())
        };
        let mut request = request.body(body).expect("a request");
        if let Some(address) = self.from {
            request.extensions_mut().insert(sop_http::Peer(address));
        }
        let response = router.oneshot(request).await.expect("a router always answers");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("a body");
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    /// Sends it and wants a problem with this status and code, no change of anything but `parts`, and a
    /// line of the log.
    pub(crate) async fn refused(self, world: &World, status: u16, code: &str, parts: &[&str]) {
        let shown = format!("{} {:.120}", self.method, self.path);
        let before = world.memory.fingerprint();
        log::take();
        let answer = self.send(world).await;
        let lines = log::take();
        assert_eq!((answer.status, answer.code()), (status, code), "{shown}: {}", answer.body);
        let kind = &answer.headers[header::CONTENT_TYPE];
        assert_eq!(kind, "application/problem+json", "{shown}");
        for member in ["type", "title", "detail"] {
            assert!(answer.body[member].is_string(), "{shown}: no `{member}`: {}", answer.body);
        }
        assert_eq!(answer.body["status"], status, "{shown}");
        let detail = answer.body["detail"].as_str().unwrap_or_default();
        assert!(detail.chars().count() <= 1_000, "{shown}: {} characters", detail.len());
        assert_eq!(world.memory.fingerprint().changed_since(&before), parts, "{shown} wrote");
        let logged = lines.iter().any(|line| {
            line["fields"]["code"] == code
                && line["fields"]["status"] == status
                && line["level"] == "WARN"
        });
        assert!(logged, "{shown}: not logged in {lines:?}");
        if status == 405 {
            assert!(answer.headers.contains_key(header::ALLOW), "{shown}: no `Allow`");
        }
        if status == 401 {
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer", "{shown}");
        }
    }

    /// Sends it and wants success.
    pub(crate) async fn taken(&self, world: &World, status: u16) -> Value {
        let answer = self.send(world).await;
        assert_eq!(answer.status, status, "{} {}: {}", self.method, self.path, answer.body);
        assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json", "{}", self.path);
        answer.body
    }
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }
}
