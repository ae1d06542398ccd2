//! `sop dev` is killed while events come in: what it answered 202 to has exactly one run.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Events sent, each twice.
const EVENTS: usize = 2_000;

/// Events after which the process is killed.
const KILLS: [usize; 3] = [300, 900, 1_500];

/// Callers at once.
const CALLERS: usize = 8;

/// After this the test has failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// A `sop dev` over a folder of its own.
struct Server {
    child: Child,
}

struct House {
    folder: tempfile::TempDir,
    port: u16,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sop = folder.path().join("sops/killed");
        std::fs::create_dir_all(&sop).expect("a folder");
        let toml = "[sop]\nname = \"killed\"\ndescription = \"runs through kills\"\n\
                    execution_mode = \"auto\"\nmax_concurrent = 20\n\n\
                    [[triggers]]\ntype = \"webhook\"\npath = \"/sop/killed\"\n";
        let markdown = "## Steps\n\n1. **Check**\n   - capability: json.validate\n   \
                        - with: {\"schema\": {\"type\": \"object\", \"required\": [\"n\"]}}\n\n\
                        2. **Note**\n   - capability: noop\n\n3. **End**\n   - capability: noop\n";
        std::fs::write(sop.join("SOP.toml"), toml).expect("a file");
        std::fs::write(sop.join("SOP.md"), markdown).expect("a file");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        Self { folder, port }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn start(&self) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sop"))
            .args(["dev", "--format", "json", "--mqtt-port", "0", "--log", "error"])
            .args(["--port", &self.port.to_string()])
            .arg("--sops")
            .arg(self.folder.path().join("sops"))
            .arg("--data")
            .arg(self.data())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("sop starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert!(line.contains("\"url\""), "sop dev did not get ready: {line}");
        Server { child }
    }

    fn token(&self) -> String {
        std::fs::read_to_string(self.data().join("token")).expect("the token's file")
    }
}

impl Server {
    /// SIGKILL: the process gets no chance to do anything.
    fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it has ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One caller, which keeps its connection until it breaks.
struct Caller<'a> {
    port: u16,
    token: &'a str,
    stream: Option<BufReader<TcpStream>>,
}

impl Caller<'_> {
    /// Calls until there is an answer: callers try again, that is what the key is for.
    fn call(&mut self, method: &str, path: &str, key: Option<&str>, body: &str) -> (u16, Value) {
        let started = Instant::now();
        loop {
            match self.once(method, path, key, body) {
                Ok((503, _)) | Err(_) => {
                    self.stream = None;
                    assert!(started.elapsed() < PATIENCE, "no answer from {path}");
                    std::thread::yield_now();
                }
                Ok(answer) => return answer,
            }
        }
    }

    fn once(
        &mut self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> std::io::Result<(u16, Value)> {
        let mut reader = match self.stream.take() {
            Some(reader) => reader,
            None => {
                let stream = TcpStream::connect(("127.0.0.1", self.port))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                BufReader::new(stream)
            }
        };
        let key = key.map_or(String::new(), |key| format!("X-Idempotency-Key: {key}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{key}\
             Content-Length: {}\r\n\r\n{body}",
            self.token.trim(),
            body.len()
        );
        reader.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let status = line.split(' ').nth(1).and_then(|it| it.parse().ok()).ok_or_else(broken)?;
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 {
                return Err(broken());
            }
            if header == "\r\n" {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| broken())?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        self.stream = Some(reader);
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

/// Sends each event twice; gives the ids that were answered.
fn send(house: &House, token: &str, next: &AtomicUsize, done: &AtomicUsize) -> Vec<String> {
    let mut caller = Caller { port: house.port, token, stream: None };
    let mut ids = Vec::new();
    loop {
        let n = next.fetch_add(1, Ordering::SeqCst);
        if n >= EVENTS {
            return ids;
        }
        let (key, body) = (format!("event-{n}"), format!("{{\"n\":{n}}}"));
        let (first, answer) = caller.call("POST", "/sop/killed", Some(&key), &body);
        // After a kill the answer to the first try may have been lost: then this is a duplicate.
        assert!(first == 202 || first == 200, "{first} {answer}");
        let id = answer["event_id"].as_str().expect("an event id").to_owned();
        let (second, again) = caller.call("POST", "/sop/killed", Some(&key), &body);
        assert_eq!((second, &again["status"]), (200, &Value::from("duplicate")));
        assert_eq!(again["event_id"], answer["event_id"]);
        ids.push(id);
        done.fetch_add(1, Ordering::SeqCst);
    }
}

/// All runs, by the event that started each, once none is on its way any more.
fn settled(house: &House, token: &str) -> Vec<(String, String)> {
    let started = Instant::now();
    let mut caller = Caller { port: house.port, token, stream: None };
    loop {
        let mut runs = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/runs?limit=100{cursor}");
            let (status, page) = caller.call("GET", &path, None, "");
            assert_eq!(status, 200, "{page}");
            for run in page["runs"].as_array().expect("runs") {
                let text = |key: &str| run[key].as_str().unwrap_or_default().to_owned();
                runs.push((text("event"), text("status")));
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        if runs.len() >= EVENTS && runs.iter().all(|(_, status)| status == "completed") {
            return runs;
        }
        let open = runs.iter().filter(|(_, status)| status != "completed").count();
        assert!(started.elapsed() < PATIENCE, "{} runs, {open} not completed", runs.len());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn audit(house: &House, folder: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_sop"))
        .args(["audit", "verify", "--all", "--format", "json"])
        .args(["--url", &format!("http://127.0.0.1:{}", house.port)])
        .args(["--token", house.token().trim()])
        .current_dir(folder)
        .output()
        .expect("sop runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the ledger does not verify: {stderr}");
}

/// 2 000 events, each sent twice, and three kills in between: every 202 has exactly one run, no run is
/// stranded, the ledger verifies.
#[test]
fn kills_lose_nothing_and_start_nothing_twice() {
    let house = House::new();
    let mut server = Some(house.start());
    let token = house.token();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ids = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let sent = send(&house, &token, &next, &done);
                ids.lock().expect("nobody panicked").extend(sent);
            });
        }
        for kill_after in KILLS {
            let started = Instant::now();
            while done.load(Ordering::SeqCst) < kill_after {
                assert!(started.elapsed() < PATIENCE, "the callers are stuck");
                std::thread::sleep(Duration::from_millis(1));
            }
            if let Some(mut server) = server.take() {
                server.kill();
            }
            server = Some(house.start());
        }
    });
    let ids = ids.into_inner().expect("nobody panicked");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), EVENTS, "an event has one id");
    let runs = settled(&house, &token);
    assert_eq!(runs.len(), EVENTS, "one run an event");
    let by_event: BTreeSet<&String> = runs.iter().map(|(event, _)| event).collect();
    assert_eq!(by_event, ids.iter().collect(), "each accepted event has its run");
    audit(&house, house.folder.path());
    drop(server);
}
