//! The system on one host.

pub(crate) mod aws;
pub(crate) mod dev;
mod door;
pub(crate) mod emulator;
pub(crate) mod kind;
pub(crate) mod localstack;
pub(crate) mod roles;
mod stack;
mod template;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::deployment::aws::Aws;
use crate::deployment::kind::Kind;
use crate::device::Connection;

/// A host with the system on it; dropping it takes the system down.
pub trait Deployment: Send + Sync {
    /// What it is.
    fn kind(&self) -> Kind;

    /// Where HTTP requests are sent: `http://127.0.0.1:<port>`.
    fn base_url(&self) -> &str;

    /// The `Host` that requests must bear, when it is not the one of [`Self::base_url`].
    fn host(&self) -> Option<&str>;

    /// What the command line is told to reach it by.
    fn cli_url(&self) -> String {
        self.base_url().to_owned()
    }

    /// Where devices connect, where they can.
    fn device(&self) -> Option<Connection>;

    /// The same with a certificate that is not active, where devices have certificates.
    fn inactive_device(&self) -> Option<Connection>;

    /// A new pairing code, had as an operator has it.
    fn pairing_code(&self) -> BoxFuture<'_, Result<String>>;

    /// What the function `name` answers to `payload`, where there are functions to call.
    fn invoke<'a>(&'a self, name: &'a str, payload: &'a Value) -> BoxFuture<'a, Result<Value>>;

    /// Puts one event, an entry of `PutEvents`, on the bus that is listened to; `None` where there is none.
    fn put_event<'a>(&'a self, _entry: &'a Value) -> Option<BoxFuture<'a, Result<()>>> {
        None
    }

    /// The services behind it, to look at directly.
    fn aws(&self) -> Option<&Aws>;

    /// What may help to understand a failure: the end of the host's log.
    fn diagnosis(&self) -> BoxFuture<'_, String>;
}

/// The two files of an SOP.
#[derive(Debug, Clone)]
pub struct SopFiles {
    /// The name of its directory.
    pub directory: String,
    /// `SOP.toml`.
    pub toml: String,
    /// `SOP.md`.
    pub markdown: String,
}

impl SopFiles {
    /// Reads every SOP in `directory`, a path from the root of the repository.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn all_in(directory: &str) -> Result<Vec<Self>> {
        let directory = root().join(directory);
        let mut sops = Vec::new();
        let entries = std::fs::read_dir(&directory)
            .with_context(|| format!("reading {}", directory.display()))?;
        for entry in entries {
            let path = entry?.path();
            if !path.join("SOP.toml").is_file() {
                continue;
            }
            let read = |file: &str| {
                let file = path.join(file);
                std::fs::read_to_string(&file)
                    .with_context(|| format!("reading {}", file.display()))
            };
            sops.push(Self {
                directory: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                toml: read("SOP.toml")?,
                markdown: read("SOP.md")?,
            });
        }
        sops.sort_by(|one, other| one.directory.cmp(&other.directory));
        Ok(sops)
    }
}

/// What the SOPs share: the text of `sops/workspace.toml`.
///
/// # Errors
/// When the file cannot be read.
pub fn workspace() -> Result<String> {
    let file = root().join("sops/workspace.toml");
    std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))
}

/// The secret `probe`, on every host.
pub const PROBE_SECRET: &str = "not-for-everybody-7c1f";

/// The secret `second-layer`, on every host: what each webhook has to show as `X-Webhook-Secret`.
pub const SECOND_LAYER: &str = "in-front-of-all-webhooks-51d0";

/// The secret `signing`, on every host: what a sender of webhooks signs with.
pub const SIGNING_SECRET: &str = "known-to-the-sender-too-9e3b";

/// Webhook requests that one client may make in a minute, on every host.
pub const RATE_LIMIT: u32 = 150;

/// The secrets that doors need, by name, on every host.
const DOOR_SECRETS: [(&str, &str); 2] =
    [("second-layer", SECOND_LAYER), ("signing", SIGNING_SECRET)];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where builds go.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Lines of a log that are shown.
const TAIL_LINES: usize = 60;

/// Keeps `text` as `<target>/<name>` and returns its end.
fn kept_and_tail(name: &str, text: &str) -> String {
    let copy = target().join(name);
    let kept = std::fs::write(&copy, text.as_bytes()).is_ok();
    let lines: Vec<&str> = text.lines().collect();
    let mut tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
    if kept {
        tail.push_str(&format!("\nthe whole log is in {}", copy.display()));
    }
    tail
}
