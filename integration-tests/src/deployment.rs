//! The system on one host.

pub(crate) mod aws;
pub(crate) mod dev;
pub(crate) mod emulator;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::deployment::aws::Aws;
use crate::device::Connection;

/// A host with the system on it; dropping it takes the system down.
pub trait Deployment: Send + Sync {
    /// What it is called in reports.
    fn name(&self) -> &'static str;

    /// Where HTTP requests are sent: `http://127.0.0.1:<port>`.
    fn base_url(&self) -> &str;

    /// The `Host` that requests must bear, when it is not the one of [`Self::base_url`].
    fn host(&self) -> Option<&str>;

    /// Where devices connect.
    fn device(&self) -> Connection;

    /// The same with a certificate that is not active, where devices have certificates.
    fn inactive_device(&self) -> Option<Connection>;

    /// A new pairing code, had as an operator has it.
    fn pairing_code(&self) -> BoxFuture<'_, Result<String>>;

    /// Puts one event, an entry of `PutEvents`, on the bus that is listened to; `None` where there is none.
    fn put_event<'a>(&'a self, _entry: &'a Value) -> Option<BoxFuture<'a, Result<()>>> {
        None
    }

    /// Whether it has `feature`.
    fn has(&self, feature: Feature) -> bool;

    /// The services behind it, to look at directly.
    fn aws(&self) -> Option<&Aws>;

    /// What may help to understand a failure: the end of the host's log.
    fn diagnosis(&self) -> String;
}

/// What not every host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Definitions are pushed through the API; else they are files that the host reads.
    Push,
    /// Devices show a certificate of their own, which may be inactive.
    DeviceCertificates,
    /// Paths come to the door as they were sent.
    RawPaths,
    /// Uplinks may be published to a rule itself.
    BasicIngest,
    /// Table and queues can be looked at directly.
    Aws,
}

impl Feature {
    /// Why a scenario that needs it is left out.
    pub const fn absence(self) -> &'static str {
        match self {
            Self::Push => "reads its definitions from files",
            Self::DeviceCertificates => "has no device certificates",
            Self::RawPaths => "decodes paths by itself",
            Self::BasicIngest => "has no rules to publish to",
            Self::Aws => "has no AWS services",
        }
    }
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

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where builds go.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
