//! `sop rollback`: makes an earlier version the active one again.

use anyhow::{Result, bail};
use sop_core::{Digest, SopName};

use crate::context::Context;
use crate::exit::Exit;
use crate::versions::{self, Version};

/// Arguments of `sop rollback`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the SOP
    name: SopName,
    /// The version, or the beginning of its digest; the one that was active before when left out
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &mut Context) -> Result<Exit> {
    let client = context.client()?;
    let digest = match &args.to {
        Some(given) => versions::digest(&client, &args.name, given).await?,
        None => {
            let (_, all) = versions::fetch(&client, &args.name).await?;
            match before(&all) {
                Some(version) => Digest::parse(&version.digest)?,
                None => bail!(
                    "no version of `{name}` was active before this one; `sop versions {name}` lists \
                     those there are, `sop publish {name} --digest DIGEST` makes one active",
                    name = args.name
                ),
            }
        }
    };
    versions::activate(context, &client, &args.name, Some(digest)).await
}

/// The version that was active last of those that are not.
fn before(versions: &[Version]) -> Option<&Version> {
    versions
        .iter()
        .filter(|version| version.status == "archived" && version.published_at.is_some())
        .max_by(|a, b| a.published_at.cmp(&b.published_at))
}
