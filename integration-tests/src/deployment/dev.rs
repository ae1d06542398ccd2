//! `sop dev`: everything in one process on this machine.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::deployment::aws::Aws;
use crate::deployment::kind::Kind;
use crate::deployment::{Deployment, SopFiles, target};
use crate::device::Connection;

/// How long it may take until it says that it is ready.
const READY: Duration = Duration::from_secs(20);

/// Lines of its log that are kept.
const LOG_LINES_MAX: usize = 200;

/// The deployment.
pub struct Dev {
    base_url: String,
    mqtt_port: u16,
    code: String,
    log: Arc<Mutex<Vec<String>>>,
    // Killed when it is dropped, before its files go.
    _child: Child,
    _files: TempDir,
}

impl Dev {
    /// Starts `sop dev` with `sops` on free ports, and waits until it is ready.
    ///
    /// # Errors
    /// When the program is not built, ends, or says nothing.
    pub async fn start(sops: &[SopFiles]) -> Result<Self> {
        Self::start_with(sops, "").await
    }

    /// Starts one with more in its `config.toml`.
    ///
    /// # Errors
    /// As [`Self::start`]; what the program says is in the error.
    pub async fn start_with(sops: &[SopFiles], more: &str) -> Result<Self> {
        let program = program()?;
        let files = TempDir::new()?;
        let directory = files.path().join("sops");
        for sop in sops {
            let directory = directory.join(&sop.directory);
            std::fs::create_dir_all(&directory)?;
            std::fs::write(directory.join("SOP.toml"), &sop.toml)?;
            std::fs::write(directory.join("SOP.md"), &sop.markdown)?;
        }
        std::fs::write(directory.join("workspace.toml"), super::workspace()?)?;
        let config = files.path().join("config.toml");
        let gateway = format!(
            "[gateway]\nwebhook_secret = \"second-layer\"\nwebhook_rate_limit_per_minute = {}\n{more}",
            super::RATE_LIMIT
        );
        std::fs::write(&config, gateway)?;
        let (port, mqtt_port) = free_ports()?;
        let mut child = Command::new(&program)
            .args(["dev", "--format", "json", "--port", &port.to_string()])
            .args(["--mqtt-port", &mqtt_port.to_string()])
            .arg("--data")
            .arg(files.path().join("data"))
            .arg("--sops")
            .arg(&directory)
            .arg("--config")
            .arg(&config)
            .env("SOP_SECRET_PROBE", super::PROBE_SECRET)
            .envs(super::DOOR_SECRETS.map(|(name, text)| (variable(name), text)))
            .current_dir(files.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = child.stderr.take().context("its standard error")?;
        let kept = tokio::spawn(keep(BufReader::new(stderr).lines(), Arc::clone(&log)));
        let stdout = child.stdout.take().context("its standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = match tokio::time::timeout(READY, ready(&mut lines)).await {
            Ok(Ok(ready)) => ready,
            Ok(Err(error)) => {
                // It has ended, and so soon have its last words.
                drop(tokio::time::timeout(READY, kept).await);
                bail!("{error:#}: {}", tail(&log))
            }
            Err(_) => bail!("`sop dev` was not ready in {} s: {}", READY.as_secs(), tail(&log)),
        };
        tokio::spawn(keep(lines, Arc::clone(&log)));
        let text = |name: &str| ready[name].as_str().map(str::to_owned);
        Ok(Self {
            base_url: text("url").with_context(|| format!("no `url` in {ready}"))?,
            mqtt_port,
            code: text("pairing_code").with_context(|| format!("no `pairing_code` in {ready}"))?,
            log,
            _child: child,
            _files: files,
        })
    }
}

impl Dev {
    /// What it has said since it was ready.
    pub fn said(&self) -> String {
        tail(&self.log)
    }
}

impl Deployment for Dev {
    fn kind(&self) -> Kind {
        Kind::Dev
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn host(&self) -> Option<&str> {
        None
    }

    fn device(&self) -> Option<Connection> {
        Some(Connection { host: "127.0.0.1".to_owned(), port: self.mqtt_port, tls: None })
    }

    fn inactive_device(&self) -> Option<Connection> {
        None
    }

    fn pairing_code(&self) -> BoxFuture<'_, Result<String>> {
        async { Ok(self.code.clone()) }.boxed()
    }

    fn invoke<'a>(&'a self, name: &'a str, _: &'a Value) -> BoxFuture<'a, Result<Value>> {
        std::future::ready(Err(anyhow::anyhow!("it has no function `{name}`"))).boxed()
    }

    fn aws(&self) -> Option<&Aws> {
        None
    }

    fn diagnosis(&self) -> BoxFuture<'_, String> {
        std::future::ready(tail(&self.log)).boxed()
    }
}

/// The variable of the secret `name`.
fn variable(name: &str) -> String {
    format!("SOP_SECRET_{}", name.to_uppercase().replace('-', "_"))
}

/// Where `sop` is: `SOP_BIN`, else the debug build, else the release build.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("SOP_BIN") {
        return Ok(PathBuf::from(program));
    }
    let built = ["debug/sop", "release/sop"].map(|path| target().join(path));
    let found = built.into_iter().find(|path| path.is_file());
    found.context("`sop` is not built: run `cargo build -p sop-cli`, or set SOP_BIN")
}

/// The line that says that it is ready.
async fn ready(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<Value> {
    while let Some(line) = lines.next_line().await? {
        if let Ok(value) = serde_json::from_str::<Value>(&line)
            && value["url"].is_string()
        {
            return Ok(value);
        }
    }
    bail!("`sop dev` ended before it was ready")
}

async fn keep<R: AsyncRead + Unpin>(mut lines: Lines<BufReader<R>>, log: Arc<Mutex<Vec<String>>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let mut log = log.lock().expect("nobody panics while holding it");
        if log.len() == LOG_LINES_MAX {
            log.remove(0);
        }
        log.push(line);
    }
}

fn tail(log: &Mutex<Vec<String>>) -> String {
    log.lock().expect("nobody panics while holding it").join("\n")
}

/// Two ports that nobody has now.
fn free_ports() -> Result<(u16, u16)> {
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let two = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ports = (one.local_addr()?.port(), two.local_addr()?.port());
    ensure!(ports.0 != ports.1, "two listeners have two ports");
    Ok(ports)
}
