//! Tokens: where they are kept and found.
//!
//! `sop pair` keeps them in `$XDG_CONFIG_HOME/sop/credentials.toml`, one table a URL, mode 0600. A host
//! on this machine leaves one for its own user in `.sop/token`.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// What is kept for one URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credential {
    pub(crate) token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<String>,
}

type Credentials = BTreeMap<String, Credential>;

/// The token for `url`: the one saved for it, else, for this machine, the one in `.sop/token`.
///
/// # Errors
/// When the file of credentials is there and cannot be read.
pub(crate) fn find(url: &str) -> Result<Option<String>> {
    if let Some(path) = path()
        && let Some(credential) = load(&path)?.remove(url)
    {
        return Ok(Some(credential.token));
    }
    if !is_loopback(url) {
        return Ok(None);
    }
    Ok(env::current_dir().ok().and_then(|dir| local_token(&dir)))
}

/// Saves the credential for `url`, and tells where.
///
/// # Errors
/// When there is no home directory, or the file cannot be written.
pub(crate) fn save(url: &str, credential: Credential) -> Result<PathBuf> {
    let path =
        path().context("no home directory: set HOME or XDG_CONFIG_HOME, or use SOP_TOKEN")?;
    let mut all = load(&path)?;
    all.insert(url.to_owned(), credential);
    let text = toml::to_string(&all).context("could not write the credentials as TOML")?;
    write_private(&path, &text).with_context(|| format!("could not write `{}`", path.display()))?;
    Ok(path)
}

fn path() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(config.join("sop").join("credentials.toml"))
}

fn load(path: &Path) -> Result<Credentials> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Credentials::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("could not read `{}`", path.display()));
        }
    };
    // The parser's message would show a line of the file, and with it a token.
    toml::from_str(&text).ok().with_context(|| {
        format!("`{}` is not a file of credentials: remove it and pair again", path.display())
    })
}

/// Writes beside the file and renames, so that it is whole and private at every moment.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let temporary = path.with_extension(format!("toml.{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        drop(fs::remove_file(&temporary));
    }
    renamed
}

fn local_token(from: &Path) -> Option<String> {
    from.ancestors().find_map(|dir| {
        let text = fs::read_to_string(dir.join(".sop").join("token")).ok()?;
        let token = text.trim();
        (!token.is_empty()).then(|| token.to_owned())
    })
}

/// Whether `url` leads to this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let Some(host) = url.host_str() else { return false };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    // Source: RFC 6761, section 6.3.
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for here in
            ["http://127.0.0.1:3000", "http://[::1]:1", "http://localhost", "http://a.localhost"]
        {
            assert!(is_loopback(here), "{here}");
        }
        for there in [
            "http://127.0.0.1.example.com",
            "https://localhost.example.com",
            "no",
            "http://10.0.0.1",
        ] {
            assert!(!is_loopback(there), "{there}");
        }
    }
}
