use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::json;
use sop_core::Timestamp;

use super::*;
use crate::testing::call;

const NOW: Timestamp = Timestamp::from_millis(1_772_352_000_000);

/// What the server does with one connection.
enum Reply {
    /// Sends this and closes.
    Bytes(Vec<u8>),
    /// Sends this, then nothing more until the client goes away.
    Stalls(&'static str),
}

/// A server on a free port that gives each connection the next reply, and tells what it was sent.
fn serve(replies: Vec<Reply>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sent, seen) = channel();
    thread::spawn(move || {
        for reply in replies {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = sent.send(request(&mut stream));
            match reply {
                // A client that has read enough may be gone.
                Reply::Bytes(bytes) => drop(stream.write_all(&bytes)),
                Reply::Stalls(start) => {
                    stream.write_all(start.as_bytes()).unwrap();
                    let _ = stream.read(&mut [0; 1]);
                }
            }
        }
    });
    (address, seen)
}

fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut chunk = [0; 4_096];
    loop {
        let read = stream.read(&mut chunk).unwrap();
        text.push_str(&String::from_utf8_lossy(&chunk[..read]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
        });
        if read == 0 || body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}

fn http(status: &str, kind: &str, body: &[u8]) -> Reply {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nset-cookie: s=1\r\nconnection: close\r\n\r\n"
    );
    Reply::Bytes([head.as_bytes(), body].concat())
}

fn redirect(to: &str) -> Reply {
    Reply::Bytes(
        format!(
            "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        .into(),
    )
}

async fn perform(with: Value, input: Value) -> Result<Value, String> {
    Client::default().perform(&call("http.request", with, input), NOW).await
}

#[tokio::test]
async fn the_key_and_the_trace_are_handed_on() {
    let (at, seen) = serve(vec![http("200 OK", "application/json", b"{\"ok\":true}")]);
    let with = json!({
        "url": format!("http://{at}/x?a=1"),
        "headers": { "X-Api-Key": "k", "idempotency-key": "mine", "content-length": "7" },
    });
    let output = perform(with, json!({ "in": 1 })).await.unwrap();
    let expected = json!({ "status": 200, "headers": { "content-type": "application/json" }, "body": { "ok": true } });
    assert_eq!(output, expected);
    let sent = seen.recv().unwrap();
    let key = call("http.request", Value::Null, Value::Null).key.to_string();
    assert!(sent.starts_with("GET /x?a=1 HTTP/1.1\r\n"), "{sent}");
    assert!(sent.contains(&format!("idempotency-key: {key}\r\n")), "{sent}");
    assert!(sent.contains("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{sent}");
    assert!(sent.contains("x-api-key: k\r\n"), "{sent}");
    assert!(!sent.contains("mine") && !sent.contains("content-length: 7"), "{sent}");
    assert!(sent.ends_with("\r\n\r\n"), "a GET sends no input: {sent}");
}

#[tokio::test]
async fn bodies_are_sent_as_they_are_meant() {
    for (more, input, kind, body) in [
        (json!({ "method": "POST" }), json!({ "in": 1 }), "application/json", "{\"in\":1}"),
        (json!({ "method": "PUT", "body": [1] }), json!(2), "application/json", "[1]"),
        (json!({ "method": "PATCH", "body": "a=1" }), json!(2), "text/plain; charset=utf-8", "a=1"),
        (
            json!({ "method": "POST", "body": "a=1", "headers": { "Content-Type": "application/x-www-form-urlencoded" } }),
            json!(2),
            "application/x-www-form-urlencoded",
            "a=1",
        ),
    ] {
        let (at, seen) = serve(vec![http("204 No Content", "text/plain", b"")]);
        let mut with = more.clone();
        with["url"] = json!(format!("http://{at}"));
        assert_eq!(perform(with, input).await.unwrap()["body"], Value::Null);
        let sent = seen.recv().unwrap();
        assert!(sent.contains(&format!("content-type: {kind}\r\n")), "{more}: {sent}");
        assert!(sent.ends_with(&format!("\r\n\r\n{body}")), "{more}: {sent}");
    }
}

#[tokio::test]
async fn answers_are_json_text_or_base_64() {
    for (kind, sent, body, encoding) in [
        ("application/json; charset=utf-8", &b"[1]"[..], json!([1]), None),
        ("application/problem+json", b"{}", json!({}), None),
        ("application/json", b"{not json", json!("{not json"), None),
        ("text/plain", b"[1]", json!("[1]"), None),
        ("image/png", b"\x89PNG", json!("iVBORw=="), Some("base64")),
        ("text/plain", b"", Value::Null, None),
    ] {
        let (at, _seen) = serve(vec![http("200 OK", kind, sent)]);
        let output = perform(json!({ "url": format!("http://{at}") }), Value::Null).await.unwrap();
        assert_eq!(output["body"], body, "{kind}");
        assert_eq!(output.get("encoding").and_then(Value::as_str), encoding, "{kind}");
        assert_eq!(output["headers"], json!({ "content-type": kind }));
    }
}

#[tokio::test]
async fn a_status_that_is_not_expected_is_a_failure_without_secrets() {
    for (expect, ok) in [
        (None, false),
        (Some(json!(200)), false),
        (Some(json!(503)), true),
        (Some(json!([200, 503])), true),
    ] {
        let (at, _seen) = serve(vec![http("503 Service Unavailable", "text/plain", b"S3CRET")]);
        let mut with = json!({
            "url": format!("http://me:S3CRET@{at}/x?token=S3CRET"),
            "headers": { "authorization": "S3CRET" },
        });
        if let Some(expect) = &expect {
            with["expect_status"] = expect.clone();
        }
        match perform(with, Value::Null).await {
            Ok(output) => assert!(ok && output["status"] == 503),
            Err(reason) => {
                assert!(!ok, "{reason}");
                let start = format!("`{at}` answered 503 Service Unavailable; expected 2");
                assert!(reason.starts_with(&start), "{reason}");
                assert!(!reason.contains("S3CRET"), "{reason}");
            }
        }
    }
}

#[tokio::test]
async fn redirects_are_followed_on_the_same_origin_only() {
    let done = || http("200 OK", "text/plain", b"there");
    let (at, seen) = serve(vec![redirect("/there"), done()]);
    let output = perform(json!({ "url": format!("http://{at}/here") }), Value::Null).await.unwrap();
    assert_eq!(output["body"], "there");
    assert_eq!(seen.iter().count(), 2);

    for to in ["https://127.0.0.1/", "http://127.0.0.1:1/", "http://localhost/", "ftp://127.0.0.1/"]
    {
        let (at, seen) = serve(vec![redirect(to)]);
        let reason = perform(json!({ "url": format!("http://{at}") }), Value::Null).await;
        assert_eq!(reason, Err(format!("`{at}` answered 302 Found; expected 2xx")), "{to}");
        assert_eq!(seen.iter().count(), 1, "{to}");
    }

    let (at, seen) = serve(vec![redirect("/there")]);
    let with = json!({ "url": format!("http://{at}"), "expect_status": 302 });
    assert_eq!(perform(with, Value::Null).await.unwrap()["status"], 302);
    assert_eq!(seen.iter().count(), 1);

    let (at, _seen) = serve((0..=REDIRECTS_MAX).map(|_| redirect("/again")).collect());
    let reason = perform(json!({ "url": format!("http://{at}") }), Value::Null).await;
    assert_eq!(reason, Err(format!("`{at}` redirected more than 5 times")));
}

#[tokio::test]
async fn a_slow_answer_ends_with_its_time() {
    for start in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let (at, _seen) = serve(vec![Reply::Stalls(start)]);
        let with = json!({ "url": format!("http://{at}/?q=S3CRET"), "timeout_ms": 50 });
        let reason = perform(with, Value::Null).await;
        assert_eq!(reason, Err(format!("`{at}` did not answer within 50 ms")), "{start:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    let endless = [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec(), vec![b'a'; 1 << 20]];
    let (at, _seen) = serve(vec![Reply::Bytes(endless.concat())]);
    let reason = perform(json!({ "url": format!("http://{at}") }), Value::Null).await.unwrap_err();
    assert_eq!(reason, format!("the answer of `{at}` has more than 258048 bytes"));
    let most = vec![b'a'; answer::BODY_BYTES_MAX];
    let (at, _seen) = serve(vec![http("200 OK", "text/plain", &most)]);
    let output = perform(json!({ "url": format!("http://{at}") }), Value::Null).await.unwrap();
    assert!(output.to_string().len() <= sop_core::limits::PAYLOAD_BYTES_MAX);
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_a_failure() {
    let (at, _seen) =
        serve(vec![Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".into())]);
    let reason = perform(json!({ "url": format!("http://{at}") }), Value::Null).await;
    assert_eq!(reason, Err(format!("the connection to `{at}` broke off")));
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let reason = perform(json!({ "url": format!("http://{nobody}") }), Value::Null).await;
    assert_eq!(reason, Err(format!("could not connect to `{nobody}`")));
}

#[tokio::test]
async fn a_request_never_outlives_its_deadline() {
    let mut late = call("http.request", json!({ "url": "http://127.0.0.1:1" }), Value::Null);
    late.deadline = NOW;
    let reason = Client::default().perform(&late, NOW).await;
    assert_eq!(reason, Err("there was no time left for the request".to_owned()));
    for (timeout, left, millis) in
        [(None, 60_000, 30_000), (Some(400_000), 600_000, 300_000), (Some(400_000), 5, 5)]
    {
        let mut call = call("http.request", json!({ "url": "http://127.0.0.1:1" }), Value::Null);
        call.deadline = NOW.plus_millis(left);
        if let Some(timeout) = timeout {
            call.with["timeout_ms"] = json!(timeout);
        }
        let ask = Ask::read(&call, NOW).ok().unwrap();
        assert_eq!(ask.timeout, Duration::from_millis(millis));
    }
}

#[tokio::test]
async fn an_input_that_does_not_fit_is_a_failure() {
    for (with, reason) in [
        (json!({}), "`http.request` needs a `url`"),
        (json!({ "url": "file:///etc/passwd" }), "`url` is not an HTTP address"),
        (json!({ "url": "http://" }), "`url` is not an HTTP address"),
        (json!({ "url": "http://a", "method": "A B" }), "`method` is not an HTTP method"),
        (
            json!({ "url": "http://a", "headers": { "x": "a\r\nS3CRET" } }),
            "`headers` has `x`, which is not a header",
        ),
        (json!({ "url": "http://a", "headers": [] }), "`headers` is not an object of texts"),
        (
            json!({ "url": "http://a", "expect_status": [] }),
            "`expect_status` is not a status or a list of them",
        ),
        (
            json!({ "url": "http://a", "expect_status": 99 }),
            "`expect_status` is not a status or a list of them",
        ),
        (json!({ "url": "http://a", "timeout_ms": 0 }), "`timeout_ms` is not a positive number"),
    ] {
        assert_eq!(perform(with, Value::Null).await, Err(reason.to_owned()));
    }
}
