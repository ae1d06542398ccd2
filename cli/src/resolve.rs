//! Which run is meant: an id, the beginning of one, or `last`.

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::Value;
use sop_core::RunId;

use crate::client::{Ask, Client, read};
use crate::render::printable;
use crate::wire::{Head, Run};

/// Characters that the beginning of a run's id has at least.
const PREFIX_CHARS_MIN: usize = 6;

/// Heads that one page holds at most, and pages that are looked through for the beginning of an id.
const PAGE_HEADS_MAX: usize = 100;
const PAGES_MAX: usize = 50;

/// One page of heads.
#[derive(Debug, Deserialize)]
pub(crate) struct Heads {
    pub(crate) runs: Vec<Value>,
    #[serde(default)]
    pub(crate) next_cursor: Option<String>,
}

/// One page of `path`, a list of heads.
pub(crate) async fn page(
    client: &Client,
    path: &[&str],
    limit: usize,
    cursor: Option<&str>,
) -> Result<Heads> {
    let ask = Ask::get(path).query("limit", Some(limit)).query("cursor", cursor);
    Ok(client.send(ask).await?)
}

/// At most `limit` heads of `path` that `keep` keeps, as they came and read.
pub(crate) async fn heads(
    client: &Client,
    path: &[&str],
    limit: usize,
    keep: impl Fn(&Head) -> bool,
) -> Result<Vec<(Value, Head)>> {
    let mut kept = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = page(client, path, PAGE_HEADS_MAX, cursor.as_deref()).await?;
        for value in page.runs {
            let head: Head = read(&value)?;
            if kept.len() < limit && keep(&head) {
                kept.push((value, head));
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() || kept.len() >= limit {
            return Ok(kept);
        }
    }
    eprintln!("note: only the first {PAGES_MAX} pages were looked through");
    Ok(kept)
}

/// The id of the run that `given` means.
///
/// # Errors
/// When no run, or more than one, is meant.
pub(crate) async fn run_id(client: &Client, given: &str) -> Result<RunId> {
    let given = given.trim().to_ascii_lowercase();
    if let Ok(id) = RunId::parse(&given) {
        return Ok(id);
    }
    if given == "last" {
        let newest = page(client, &["api", "runs"], 1, None).await?;
        return match newest.runs.first() {
            Some(newest) => Ok(RunId::parse(&read::<Head>(newest)?.run)?),
            None => bail!("there are no runs yet: start one with `sop run NAME`"),
        };
    }
    let is_prefix =
        given.len() >= PREFIX_CHARS_MIN && given.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_prefix {
        bail!(
            "`{given}` is no run: give its id, at least {PREFIX_CHARS_MIN} characters of its \
             beginning, or `last`; `sop runs` lists them"
        );
    }
    let found = heads(client, &["api", "runs"], 6, |head| head.run.starts_with(&given)).await?;
    match found.as_slice() {
        [] => bail!("no run begins with `{given}`; `sop runs` lists them"),
        [(_, head)] => Ok(RunId::parse(&head.run)?),
        several => {
            let list: Vec<String> = several
                .iter()
                .take(5)
                .map(|(_, head)| {
                    format!(
                        "\n  {}",
                        printable(&format!("{}  {}  {}", head.run, head.sop, head.status))
                    )
                })
                .collect();
            let more = if several.len() > 5 { "\n  …" } else { "" };
            bail!("more than one run begins with `{given}`: give more of it{}{more}", list.concat())
        }
    }
}

/// The run that `given` means, as it came and read.
pub(crate) async fn run(client: &Client, given: &str) -> Result<(Value, Run)> {
    let id = run_id(client, given).await?;
    fetch(client, &id).await
}

/// The run `id`, as it came and read.
pub(crate) async fn fetch(client: &Client, id: &RunId) -> Result<(Value, Run)> {
    let value: Value = client.send(Ask::get(&["api", "runs", id.as_str()])).await?;
    let run = read(&value)?;
    Ok((value, run))
}
