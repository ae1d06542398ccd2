//! A server that gives the answers it was told to, one a request, the last one again and again.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A status and a body.
pub type Answer = (u16, String);

/// The server; it ends with its test's runtime.
pub struct Stub {
    endpoint: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

/// An error as DynamoDB and SQS say it.
pub fn refusal(status: u16, code: &str) -> Answer {
    (status, format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"no"}}"#))
}

impl Stub {
    pub async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&bodies);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answers.clone(), Arc::clone(&seen)));
            }
        });
        Self { endpoint, bodies }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn requests(&self) -> usize {
        self.bodies.lock().unwrap().len()
    }

    pub fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answers: Vec<Answer>, seen: Arc<Mutex<Vec<String>>>) {
    while let Some(body) = request(&mut stream).await {
        let (status, text) = {
            let mut seen = seen.lock().unwrap();
            seen.push(body);
            answers[(seen.len() - 1).min(answers.len() - 1)].clone()
        };
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        if stream.write_all((head + &text).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next request, or `None` when the connection is closed.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return Some(body.to_owned());
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
