//! A real `sop dev` over a folder of its own, and those who call it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// After this a test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A folder with one SOP and the data, and the port of whatever serves them.
pub(crate) struct House {
    folder: TempDir,
    pub(crate) port: u16,
}

impl House {
    pub(crate) fn new(name: &str, toml: &str, markdown: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sop = folder.path().join("sops").join(name);
        std::fs::create_dir_all(&sop).expect("a folder");
        std::fs::write(sop.join("SOP.toml"), toml).expect("a file");
        std::fs::write(sop.join("SOP.md"), markdown).expect("a file");
        // Callers of these tests call as often as they can.
        let config = "[gateway]\nwebhook_rate_limit_per_minute = 0\n";
        std::fs::write(folder.path().join("config.toml"), config).expect("a file");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        Self { folder, port }
    }

    /// What the host is told besides, from its next start on.
    pub(crate) fn configure(&self, config: &str) {
        std::fs::write(self.path().join("config.toml"), config).expect("a file");
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.data().join("token")).expect("the token's file")
    }

    /// Starts `sop dev`, which says on standard error what went wrong.
    pub(crate) fn start(&self) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sop"));
        Server::start(self.told(&mut command, "error"))
    }

    /// Starts `sop dev`, whose log is kept, and which the system may keep from writing without ending it.
    pub(crate) fn start_logged(&self) -> Server {
        let mut command = Command::new("sh");
        // A signal that is ignored stays so: without it, a write past the limit ends the process.
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_sop")]);
        Server::start(self.told(&mut command, "warn").stderr(Stdio::piped())).with_log()
    }

    /// Starts `sop dev` with MQTT at `port` and the settings in `config`; its log is kept.
    pub(crate) fn start_with(&self, port: u16, config: Option<&str>) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sop"));
        self.told_all(&mut command, "warn", port);
        if let Some(config) = config {
            self.configure(config);
        }
        Server::start(command.stderr(Stdio::piped())).with_log()
    }

    fn told<'a>(&self, command: &'a mut Command, log: &str) -> &'a mut Command {
        self.told_all(command, log, 0)
    }

    fn told_all<'a>(&self, command: &'a mut Command, log: &str, mqtt: u16) -> &'a mut Command {
        command
            .args(["dev", "--format", "json", "--mqtt-port", &mqtt.to_string(), "--log", log])
            .args(["--port", &self.port.to_string()])
            .arg("--config")
            .arg(self.path().join("config.toml"))
            .arg("--sops")
            .arg(self.path().join("sops"))
            .arg("--data")
            .arg(self.data())
    }

    /// All `runs` or `events`.
    pub(crate) fn list(&self, what: &str) -> Vec<Value> {
        let token = self.token();
        let mut caller = Caller::new(self.port, &token);
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/{what}?limit=100{cursor}");
            let (status, page) = caller.call("GET", &path, None, "");
            assert_eq!(status, 200, "{page}");
            all.extend_from_slice(page[what].as_array().expect("a list"));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }
}

/// A running `sop dev`; it ends with the value.
pub(crate) struct Server {
    child: Child,
    /// Where devices connect: `127.0.0.1:1883`.
    pub(crate) mqtt: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("sop starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("sop dev gets ready");
        let mqtt = ready["mqtt"].as_str().and_then(|url| url.split_once("://")).map(|(_, it)| it);
        Self { child, mqtt: mqtt.expect("an address").to_owned(), log: Arc::default() }
    }

    /// Keeps what is said on standard error, which is piped.
    fn with_log(mut self) -> Self {
        let stderr = self.child.stderr.take().expect("stderr is piped");
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                log.lock().expect("nobody panicked").push(line);
            }
        });
        self
    }

    /// What the server of [`House::start_logged`] has logged until now.
    pub(crate) fn log(&self) -> Vec<Value> {
        let lines = self.log.lock().expect("nobody panicked");
        let line = |line: &String| serde_json::from_str(line).expect("a line of JSON");
        lines.iter().map(line).collect()
    }

    /// Lets no file of the process grow, or lets them again.
    pub(crate) fn let_write(&self, may: bool) {
        let limit = if may { "--fsize=unlimited:unlimited" } else { "--fsize=4096:unlimited" };
        let pid = self.child.id().to_string();
        let set = Command::new("prlimit").args(["--pid", &pid, limit]).status();
        assert!(set.expect("prlimit runs").success(), "{limit}");
    }

    /// SIGKILL: the process gets no chance to do anything.
    pub(crate) fn kill(&mut self) {
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
pub(crate) struct Caller<'a> {
    port: u16,
    token: &'a str,
    stream: Option<BufReader<TcpStream>>,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(port: u16, token: &'a str) -> Self {
        Self { port, token, stream: None }
    }

    /// Calls until there is an answer: callers try again, that is what the key is for.
    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        key: Option<&str>,
        body: &str,
    ) -> (u16, Value) {
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
