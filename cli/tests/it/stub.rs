//! A host that answers what the test says, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// One request, as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer: status, further header lines, body.
pub(crate) type Reply = (u16, &'static str, String);

/// The status with which the connection is closed instead of answered.
pub(crate) const NO_ANSWER: u16 = 0;

/// A host.
pub(crate) struct Stub {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Stub {
    /// Answers each request with what `answer` makes of it.
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                log.lock().unwrap().push(request.clone());
                let (status, headers, body) = answer(&request);
                if status == NO_ANSWER {
                    continue;
                }
                // A client that has gone has its reasons.
                drop(write!(
                    stream,
                    "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                ));
            }
        });
        Self { url, asked }
    }

    /// Answers requests by the beginning of their line; anything else is a 404 problem.
    pub(crate) fn routes(routes: Vec<(&'static str, u16, Value)>) -> Self {
        Self::start(move |request| {
            let found = routes.iter().find(|(line, ..)| request.line.starts_with(line));
            match found {
                Some((_, status, body)) => (*status, "", body.to_string()),
                None => (404, "", problem(404, "no_route", "there is nothing here").to_string()),
            }
        })
    }

    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|request| request.line).collect()
    }
}

pub(crate) fn problem(status: u16, code: &str, detail: &str) -> Value {
    json!({ "type": "x", "title": "t", "status": status, "code": code, "detail": detail })
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let line = next()?.trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    loop {
        let header = next()?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ")?;
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line, headers, body: String::from_utf8(body).unwrap() })
}
