//! `sop dev` under load: durable accepts and durable starts, ready times, memory. The client is on the
//! same machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::{Row, quantile, root};

const SOP_TOML: &str = "[sop]\nname = \"bench\"\ndescription = \"measured\"\nexecution_mode = \"auto\"\n\
                        \n[[triggers]]\ntype = \"webhook\"\npath = \"/sop/bench\"\n\
                        \n[[triggers]]\ntype = \"manual\"\n";
const SOP_MD: &str = "## Steps\n\n1. **Do it** — A person does it.\n";

struct Server {
    child: Child,
    port: u16,
    token: String,
    ready_ms: f64,
}

impl Server {
    fn start(binary: &Path, folder: &Path) -> Option<Self> {
        // Callers of these call as often as they can.
        let config = folder.join("config.toml");
        std::fs::write(&config, "[gateway]\nwebhook_rate_limit_per_minute = 0\n").ok()?;
        let started = Instant::now();
        let mut child = Command::new(binary)
            .args(["dev", "--format", "json", "--port", "0", "--mqtt-port", "0", "--log", "error"])
            .arg("--config")
            .arg(&config)
            .arg("--sops")
            .arg(folder.join("sops"))
            .arg("--data")
            .arg(folder.join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
        let ready_ms = started.elapsed().as_secs_f64() * 1_000.0;
        let ready: serde_json::Value = serde_json::from_str(&line).ok()?;
        let port = ready["url"].as_str()?.rsplit(':').next()?.parse().ok()?;
        let token = std::fs::read_to_string(folder.join("data/token")).ok()?.trim().to_owned();
        Some(Self { child, port, token, ready_ms })
    }

    /// Resident memory in MB.
    fn memory_mb(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
        let kb: f64 = line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0.0);
        kb / 1_000.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct Connection {
    reader: BufReader<TcpStream>,
    head: String,
}

impl Connection {
    fn open(server: &Server, path: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", server.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n",
            server.token
        );
        Ok(Self { reader: BufReader::new(stream), head })
    }

    /// Sends one request and reads its answer whole; gives the status.
    fn post(&mut self, key: &str, body: &str) -> std::io::Result<u16> {
        let request = format!(
            "{}Idempotency-Key: {key}\r\nContent-Length: {}\r\n\r\n{body}",
            self.head,
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
        let mut length = 0;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            if line == "\r\n" || line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body)?;
        Ok(status)
    }
}

/// Milliseconds each request took, sorted, and requests a second.
fn load(server: &Server, path: &str, prefix: &str, callers: usize, n: usize) -> (Vec<f64>, f64) {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let mut times: Vec<f64> = std::thread::scope(|scope| {
        let spawn = |_| {
            scope.spawn(|| {
                let mut connection = Connection::open(server, path).expect("it listens");
                let mut times = Vec::new();
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= n {
                        return times;
                    }
                    let sent = Instant::now();
                    let status = connection
                        .post(&format!("{prefix}-{i}"), "{\"message\":\"deploy-service-a\"}")
                        .expect("it answers");
                    assert_eq!(status, 202, "{path}");
                    times.push(sent.elapsed().as_secs_f64() * 1_000.0);
                }
            })
        };
        let callers: Vec<_> = (0..callers).map(spawn).collect();
        callers.into_iter().flat_map(|it| it.join().expect("a caller")).collect()
    });
    let elapsed = started.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let rate = times.len() as f64 / elapsed;
    (times, rate)
}

fn row(server: &Server, what: &str, path: &str, callers: usize, n: usize) -> Row {
    let (times, rate) = load(server, path, &format!("{what}-{callers}"), callers, n);
    Row::new(
        format!("sop dev: {what}, {callers} at once"),
        format!("{rate:.0}/s"),
        format!("p50 {:.2} ms, p99 {:.2} ms", quantile(&times, 0.5), quantile(&times, 0.99)),
    )
}

pub(crate) fn rows() -> Vec<Row> {
    let binary: PathBuf =
        std::env::var_os("SOP_BIN").map_or_else(|| root().join("target/release/sop"), Into::into);
    let folder = tempfile::tempdir().expect("a folder");
    let sop = folder.path().join("sops/bench");
    std::fs::create_dir_all(&sop).expect("a folder");
    std::fs::write(sop.join("SOP.toml"), SOP_TOML).expect("a file");
    std::fs::write(sop.join("SOP.md"), SOP_MD).expect("a file");
    let Some(server) = Server::start(&binary, folder.path()) else {
        return vec![Row::new("sop dev", "did not start", binary.display().to_string())];
    };
    let (hook, run) = ("/sop/bench", "/api/sops/bench/run");
    let mut rows = vec![Row::new(
        "sop dev: first start, ready after",
        format!("{:.0} ms", server.ready_ms),
        "new data",
    )];
    rows.push(row(&server, "durable start (answer when the run exists)", run, 1, 2_000));
    rows.push(row(&server, "durable start (answer when the run exists)", run, 32, 15_000));
    rows.push(row(&server, "durable accept (webhook, 202)", hook, 1, 2_000));
    rows.push(row(&server, "durable accept (webhook, 202)", hook, 32, 15_000));
    rows.push(drained(&server, folder.path()));
    rows.push(Row::new(
        "sop dev: most memory so far",
        format!("{:.0} MB", server.memory_mb()),
        "resident, after 34 000 runs",
    ));
    drop(server);
    if let Some(again) = Server::start(&binary, folder.path()) {
        rows.push(Row::new(
            "sop dev: start after SIGKILL, ready after",
            format!("{:.0} ms", again.ready_ms),
            "34 000 runs in the store",
        ));
    }
    rows
}

/// How long the webhooks' runs take to all exist, counted in the store's queue.
fn drained(server: &Server, folder: &Path) -> Row {
    let n = 5_000;
    let started = Instant::now();
    let (_, accepted) = load(server, "/sop/bench", "drain", 32, n);
    let mut left = usize::MAX;
    while left > 0 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
        left = due_messages(folder);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of runs")]
    let rate = n as f64 / started.elapsed().as_secs_f64();
    Row::new(
        "sop dev: webhook to run, 32 at once, until every run exists",
        format!("{rate:.0}/s"),
        format!("accepted at {accepted:.0}/s; what the loads before left included"),
    )
}

/// Messages of the events queue that wait to be handled.
fn due_messages(folder: &Path) -> usize {
    let output = Command::new("python3")
        .arg("-c")
        .arg(
            "import sqlite3,sys;c=sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True);\
             print(c.execute(\"select count(*) from message where queue='events'\").fetchone()[0])",
        )
        .arg(folder.join("data/sop.db"))
        .output();
    output
        .ok()
        .and_then(|output| String::from_utf8_lossy(&output.stdout).trim().parse().ok())
        .unwrap_or(0)
}
