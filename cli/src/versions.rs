//! The versions of an SOP on the host, and which of them is meant.

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use sop_core::{Digest, SopName};

use crate::client::{Ask, Client, read};
use crate::context::Context;
use crate::exit::Exit;
use crate::input::fresh_key;
use crate::render::printable;

/// Characters that the beginning of a digest has at least.
const PREFIX_CHARS_MIN: usize = 6;

/// One version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Version {
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) version: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) pushed_at: String,
    #[serde(default)]
    pub(crate) pushed_by: String,
    #[serde(default)]
    pub(crate) published_at: Option<String>,
    #[serde(default)]
    pub(crate) published_by: Option<String>,
}

/// The versions of `sop`, the one pushed last first, as they came and read.
pub(crate) async fn fetch(client: &Client, sop: &SopName) -> Result<(Value, Vec<Version>)> {
    let answer: Value = client.send(Ask::get(&["api", "sops", sop.as_str(), "versions"])).await?;
    let versions = read(&answer["versions"])?;
    Ok((answer, versions))
}

/// The digest of `sop` that `given`, all of it or its beginning, names.
///
/// # Errors
/// When it names none, or several.
pub(crate) async fn digest(client: &Client, sop: &SopName, given: &str) -> Result<Digest> {
    let given = given.trim().to_ascii_lowercase();
    if let Ok(digest) = Digest::parse(&given) {
        return Ok(digest);
    }
    let is_hex = given.bytes().all(|byte| byte.is_ascii_hexdigit());
    if given.len() < PREFIX_CHARS_MIN || !is_hex {
        bail!(
            "`{given}` is no digest: give at least {PREFIX_CHARS_MIN} characters of its beginning; \
             `sop versions {sop}` lists them"
        );
    }
    let (_, versions) = fetch(client, sop).await?;
    let found: Vec<&Version> =
        versions.iter().filter(|version| version.digest.starts_with(&given)).collect();
    match found.as_slice() {
        [only] => Ok(Digest::parse(&only.digest)?),
        [] => bail!("no version of `{sop}` begins with `{given}`; `sop versions {sop}` lists them"),
        _ => bail!("several versions of `{sop}` begin with `{given}`: give more of it"),
    }
}

/// Makes `digest`, or with none the version pushed last, the active one.
pub(crate) async fn activate(
    context: &mut Context,
    client: &Client,
    sop: &SopName,
    digest: Option<Digest>,
) -> Result<Exit> {
    let body = match digest {
        Some(digest) => json!({ "digest": digest }),
        None => json!({}),
    };
    let path = ["api", "sops", sop.as_str(), "publish"];
    let answer: Value = client.send(Ask::post(&path).json(&body).once(fresh_key()?)).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
    } else {
        let digest = answer["digest"].as_str().unwrap_or_default();
        context.screen.line(format!("{}  {sop}", printable(digest)))?;
        eprintln!("active on {}; runs under way keep the version they started with", context.url());
    }
    Ok(Exit::Ok)
}
