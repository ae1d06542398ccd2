//! Starts an AWS emulator for tests and stops it again.
//!
//! `SOP_AWS_ENDPOINT` names an emulator that is up already; else MiniStack is started from the
//! project's Python environment as a child on free ports of 127.0.0.1. The child ends with the process
//! that started it, however that process ends: a shell holds the other end of a pipe and stops the
//! whole process group when the pipe closes. So an [`Emulator`] may well live in a `static`.
//!
//! MiniStack is an emulator and not AWS: what only AWS does (permissions, throttling) it does not show.

mod error;
mod ready;

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

pub use error::EmulatorError;

/// The region that the emulator is used in.
pub const REGION: &str = "us-east-1";

/// The access key and the secret key that the emulator takes.
pub const CREDENTIALS: (&str, &str) = ("test", "test");

/// How long the emulator may take until it answers.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the emulator may take to stop before it is left to its shell.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts of the child that are tried: a free port may be taken before the child binds it.
const STARTS_MAX: u32 = 3;

/// Runs `"$@"` until it ends or standard input closes; leaves nothing of its process group behind, and
/// nothing of its data unless it ended by itself or somebody made a file `keep` there.
const KEEPER: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
child=$!
{ cat <&3 >/dev/null; : >"$TMPDIR/stopped"; kill -TERM $child; sleep 3; kill -KILL $child; } &
wait $child
[ -e "$TMPDIR/stopped" ] && [ ! -e "$TMPDIR/keep" ] && rm -rf "$TMPDIR"
kill -KILL 0
"#;

/// A running emulator; dropping it stops the one that it started.
#[derive(Debug)]
pub struct Emulator {
    endpoint: String,
    mqtt_port: Option<u16>,
    child: Option<Running>,
}

/// The child, and the directory that has its data and its log.
#[derive(Debug)]
struct Running {
    keeper: Child,
    data: Option<TempDir>,
}

impl Emulator {
    /// Starts an emulator, or takes the one that `SOP_AWS_ENDPOINT` names, and waits until it answers.
    ///
    /// `SOP_AWS_MQTT_PORT` names the MQTT port of one that is up already.
    ///
    /// # Errors
    /// When there is no Python environment, when the child ends or does not answer in a minute.
    /// The error names the file with the child's output.
    pub fn start() -> Result<Self, EmulatorError> {
        Self::start_with(&[])
    }

    /// Starts an emulator as [`Self::start`] does that asks each caller for permission: functions run
    /// with their roles, whose policies are enforced.
    ///
    /// One that is up already is taken as it is.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_enforcing() -> Result<Self, EmulatorError> {
        Self::start_with(&[("AUTH", "true")])
    }

    fn start_with(more: &[(&str, &str)]) -> Result<Self, EmulatorError> {
        if let Ok(endpoint) = std::env::var("SOP_AWS_ENDPOINT") {
            let mqtt_port =
                std::env::var("SOP_AWS_MQTT_PORT").ok().and_then(|port| port.parse().ok());
            return Ok(Self { endpoint, mqtt_port, child: None });
        }
        let program = venv().join("bin/ministack");
        if !program.is_file() {
            return Err(EmulatorError::Missing { program });
        }
        let mut tries = 1;
        loop {
            match Self::spawn(&program, more) {
                Err(EmulatorError::Ended { .. }) if tries < STARTS_MAX => tries += 1,
                result => return result,
            }
        }
    }

    /// Where the emulator answers: `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where devices connect: MQTT over TLS on 127.0.0.1, with a client certificate.
    pub fn mqtt_port(&self) -> Option<u16> {
        self.mqtt_port
    }

    /// The file with the output of the child; `None` when somebody else started the emulator.
    pub fn log(&self) -> Option<PathBuf> {
        let data = self.child.as_ref()?.data.as_ref()?;
        Some(log_in(data.path()))
    }

    fn spawn(program: &Path, more: &[(&str, &str)]) -> Result<Self, EmulatorError> {
        let start = |source| EmulatorError::Start { program: program.to_owned(), source };
        let data = tempfile::Builder::new().prefix("sop-emulator-").tempdir().map_err(start)?;
        let log = File::create(log_in(data.path())).map_err(start)?;
        let (port, mqtt_port) = free_ports().map_err(start)?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", KEEPER, "sop-emulator"]).arg(program);
        for (name, value) in settings(&endpoint, port, mqtt_port) {
            command.env(name, value);
        }
        let keeper = command
            .envs(more.iter().copied())
            .env("TMPDIR", data.path())
            .env("STATE_DIR", data.path().join("state"))
            .env("S3_DATA_DIR", data.path().join("s3"))
            .current_dir(data.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(start)?)
            .stderr(log)
            .spawn()
            .map_err(start)?;
        let mut running = Running { keeper, data: Some(data) };
        match ready::wait(port, &mut running.keeper, READY_TIMEOUT) {
            ready::Answer::Ready => {
                Ok(Self { endpoint, mqtt_port: Some(mqtt_port), child: Some(running) })
            }
            ready::Answer::Ended => Err(EmulatorError::Ended { log: running.keep_log() }),
            ready::Answer::Silent => Err(EmulatorError::Silent {
                secs: READY_TIMEOUT.as_secs(),
                log: running.keep_log(),
            }),
        }
    }
}

impl Running {
    /// Leaves the data directory behind and tells where the log is.
    fn keep_log(&mut self) -> PathBuf {
        let Some(data) = self.data.take() else { return PathBuf::new() };
        // Should this fail the log may be gone, and the error still names what went wrong.
        let _ = File::create(data.path().join("keep"));
        log_in(&data.keep())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        if !ready::ended(&mut self.keeper, STOP_TIMEOUT) {
            // The shell itself is stuck: its group leader goes, the pipe is closed for the rest.
            let _ = self.keeper.kill();
            let _ = self.keeper.wait();
        }
    }
}

/// Source: MiniStack 1.5.33, its environment variables as its own code reads them.
fn settings(endpoint: &str, port: u16, mqtt_port: u16) -> [(&'static str, String); 9] {
    [
        ("GATEWAY_PORT", port.to_string()),
        ("BIND_HOST", "127.0.0.1".to_owned()),
        ("IOT_MTLS_PORT", mqtt_port.to_string()),
        // Functions that it runs call back here.
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", CREDENTIALS.0.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", CREDENTIALS.1.to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("SFTP_ENABLED", "0".to_owned()),
    ]
}

/// The Python environment that has the emulator and its tools: `SOP_VENV`, else `target/venv` of the workspace.
pub fn venv() -> PathBuf {
    std::env::var_os("SOP_VENV").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv"),
        PathBuf::from,
    )
}

fn log_in(data: &Path) -> PathBuf {
    data.join("emulator.log")
}

/// Two ports that nobody has now.
fn free_ports() -> std::io::Result<(u16, u16)> {
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let two = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((one.local_addr()?.port(), two.local_addr()?.port()))
}
