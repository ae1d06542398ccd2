//! `sop versions`: what was ever pushed of an SOP, and what of it is active.

use anyhow::Result;
use sop_core::SopName;

use crate::context::Context;
use crate::exit::Exit;
use crate::versions;

/// Characters of a digest that a table shows.
const DIGEST_CHARS: usize = 12;

/// Arguments of `sop versions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the SOP
    name: SopName,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let (answer, versions) = versions::fetch(&client, &args.name).await?;
    if context.is_json() {
        context.screen.json(&answer)?;
        return Ok(Exit::Ok);
    }
    let rows: Vec<Vec<String>> = versions
        .into_iter()
        .map(|it| {
            let by = |who: String| format!(" by {who}");
            let published =
                it.published_at.unwrap_or_default() + &it.published_by.map(by).unwrap_or_default();
            let digest = it.digest.chars().take(DIGEST_CHARS).collect();
            vec![digest, it.version, it.status, it.pushed_at + &by(it.pushed_by), published]
        })
        .collect();
    context.screen.table(&["DIGEST", "VERSION", "STATUS", "PUSHED", "PUBLISHED"], &rows)?;
    Ok(Exit::Ok)
}
