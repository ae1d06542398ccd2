use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::thread::{self, JoinHandle};

use serde_json::json;
use sop_testkit::{ManualClock, MemorySecrets};

use sop_runtime::flow::{Notice, Perform};
use sop_runtime::port::PortError;

use super::*;
use crate::BuiltIns;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An outlet that keeps what it was told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Outlets for Told {
    async fn mqtt(&self, topic: &str, payload: &str) -> Result<(), PortError> {
        self.0.lock().unwrap().push(format!("{topic} {payload}"));
        Ok(())
    }

    async fn sns(&self, topic_arn: &str, subject: &str, message: &str) -> Result<(), PortError> {
        self.0.lock().unwrap().push(format!("{topic_arn} {subject} {message}"));
        Ok(())
    }
}

/// A server that answers one request with `status`, and gives its head and its body.
fn serve(status: &'static str) -> (String, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?token=S3CRET", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = text.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
            head += &line;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let more = "location: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close";
        write!(stream, "HTTP/1.1 {status}\r\n{more}\r\n\r\n").unwrap();
        (head, String::from_utf8(body).unwrap())
    });
    (url, served)
}

fn built_ins() -> BuiltIns<ManualClock, MemorySecrets, Told> {
    let secrets = MemorySecrets::from([("hook", KEY), ("bad", "not base 64!")]);
    BuiltIns::new(ManualClock::default()).with_secrets(secrets).with_outlets(Told::default())
}

fn notice(route: &Route, word: Word<'_>) -> Notice {
    Notice {
        id: word.id.to_owned(),
        at: word.at,
        subject: word.subject.to_owned(),
        route: route.clone(),
        body: word.body.clone(),
    }
}

fn word(body: &Value) -> Word<'_> {
    let at = Timestamp::from_millis(1_772_352_000_000);
    Word { id: "01RUN-1-0-0", at, subject: "deploy: approve step 2", body }
}

fn to(url: &str, secret: Option<&str>) -> Route {
    Route::Webhook { url: url.to_owned(), secret: secret.map(str::to_owned) }
}

#[tokio::test]
async fn a_webhook_is_signed_over_what_is_sent() {
    let (url, served) = serve("204 No Content");
    let body = json!({ "run": "01RUN", "gate": 1 });
    built_ins().notify(&notice(&to(&url, Some("hook")), word(&body))).await.unwrap();
    let (head, sent) = served.join().unwrap();
    assert_eq!(sent, body.to_string());
    assert!(head.starts_with("POST /hook?token=S3CRET HTTP/1.1\r\n"), "{head}");
    let header = |name: &str| {
        head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
    };
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    assert_eq!(header("webhook-id").as_deref(), Some("01RUN-1-0-0"));
    let seconds = header("webhook-timestamp").unwrap().parse().unwrap();
    assert_eq!(seconds, 1_772_352_000);
    assert_eq!(header("webhook-signature"), signature(KEY, "01RUN-1-0-0", seconds, &sent));
}

#[tokio::test]
async fn a_webhook_without_a_key_is_not_signed() {
    let (url, served) = serve("200 OK");
    built_ins().notify(&notice(&to(&url, None), word(&json!({})))).await.unwrap();
    assert!(!served.join().unwrap().0.contains("webhook-signature"));
}

#[tokio::test]
async fn what_is_not_taken_is_told_without_secrets() {
    for status in ["500 Internal Server Error", "302 Found", "410 Gone"] {
        let (url, served) = serve(status);
        let reason =
            built_ins().notify(&notice(&to(&url, None), word(&json!({})))).await.unwrap_err();
        served.join().unwrap();
        assert!(reason.ends_with(&format!("answered {status}; expected 2xx")), "{reason}");
        assert!(!reason.contains("S3CRET"), "{reason}");
    }
    for (url, secret, expected) in [
        ("http://127.0.0.1:1/?S3CRET", None, "could not connect to `127.0.0.1:1`"),
        ("ftp://127.0.0.1/S3CRET", None, "the address is not an HTTP address"),
        ("http://127.0.0.1:1/", Some("absent"), "there is no secret `absent`"),
        ("http://127.0.0.1:1/", Some("bad"), "the signing key is not base 64, as in `whsec_...`"),
    ] {
        let reason =
            built_ins().notify(&notice(&to(url, secret), word(&json!({})))).await.unwrap_err();
        assert_eq!(reason, expected);
    }
}

#[tokio::test]
async fn topics_are_told_through_the_host() {
    let built_ins = built_ins();
    let body = json!({ "gate": 1 });
    let mqtt = Route::Mqtt { topic: "ops/gates".to_owned() };
    let sns = Route::Sns { topic_arn: "arn:aws:sns:eu-west-1:1:ops".to_owned() };
    built_ins.notify(&notice(&mqtt, word(&body))).await.unwrap();
    built_ins.notify(&notice(&sns, word(&body))).await.unwrap();
    let told = built_ins.outlets.0.into_inner().unwrap();
    assert_eq!(
        told,
        [
            "ops/gates {\"gate\":1}",
            "arn:aws:sns:eu-west-1:1:ops deploy: approve step 2 {\"gate\":1}"
        ]
    );
    let without = BuiltIns::new(ManualClock::default());
    let reason = without.notify(&notice(&mqtt, word(&body))).await.unwrap_err();
    assert_eq!(reason, "could not publish to an MQTT topic: this host has no MQTT broker");
}
