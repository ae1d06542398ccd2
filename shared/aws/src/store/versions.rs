//! The versions of each SOP: `VER#<tenant> / <sop>#<digest>`.
//!
//! One item a version, changed by one update that keeps what must stay. A list is sorted here: an index
//! by time would cost a write more and could not be read up to date.

use std::cmp::Reverse;

use sop_core::Timestamp;
use sop_core::id::{Digest, SopName, Tenant};
use sop_runtime::port::{PortError, Version, Versions};

use super::DynamoStore;
use super::attributes::{Item, get_number, get_text, key, number, text};
use super::read::{Within, in_table};
use crate::error::{failed, unreadable};
use crate::keys;

const PUT: &str = "store a version";
const LIST: &str = "list versions";

/// The author's version.
const VERSION: &str = "b";
/// When it was first pushed, and by whom.
const PUSHED: (&str, &str) = ("t", "u");
/// When it last became active, and who made it so.
const PUBLISHED: (&str, &str) = ("p", "q");

/// Versions that one listing looks at: a bound on memory.
const VERSIONS_MAX: usize = 10_000;

impl Versions for DynamoStore {
    async fn put_version(&self, tenant: &Tenant, version: &Version) -> Result<(), PortError> {
        let sort = keys::version(&version.sop, &version.digest);
        let mut sets = "b = if_not_exists(b, :b), t = if_not_exists(t, :t), \
                        u = if_not_exists(u, :u)"
            .to_owned();
        let mut update = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(key(keys::versions(tenant), sort)))
            .expression_attribute_values(":b", text(&version.version))
            .expression_attribute_values(":t", number(version.pushed_at.as_millis()))
            .expression_attribute_values(":u", text(&version.pushed_by));
        if let Some(at) = version.published_at {
            sets.push_str(", p = :p");
            update = update.expression_attribute_values(":p", number(at.as_millis()));
            match &version.published_by {
                Some(by) => {
                    sets.push_str(", q = :q");
                    update = update.expression_attribute_values(":q", text(by));
                }
                None => sets.push_str(" REMOVE q"),
            }
        }
        update
            .update_expression(format!("SET {sets}"))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed(PUT, error))
    }

    async fn versions(
        &self,
        tenant: &Tenant,
        sop: Option<&SopName>,
        limit: usize,
    ) -> Result<Vec<Version>, PortError> {
        let prefix = sop.map(keys::versions_of);
        let within = prefix.as_deref().map_or(Within::All, Within::Prefix);
        let range = in_table(keys::versions(tenant), within, VERSIONS_MAX);
        let items = self.query(LIST, range).await?;
        let mut versions = items.iter().map(version).collect::<Result<Vec<_>, _>>()?;
        // Stable: of one instant, the digests stay in order.
        versions
            .sort_by(|a, b| (&a.sop, Reverse(a.pushed_at)).cmp(&(&b.sop, Reverse(b.pushed_at))));
        versions.truncate(limit);
        Ok(versions)
    }
}

fn version(item: &Item) -> Result<Version, PortError> {
    let missing = |name| unreadable(LIST, name);
    let of = |name| get_text(item, name).map(str::to_owned);
    let (sop, digest) = get_text(item, keys::SK)
        .and_then(|sort| sort.split_once('#'))
        .and_then(|(sop, digest)| Some((SopName::parse(sop).ok()?, Digest::parse(digest).ok()?)))
        .ok_or_else(|| missing(keys::SK))?;
    let at = |name| get_number(item, name).map(Timestamp::from_millis);
    Ok(Version {
        sop,
        digest,
        version: of(VERSION).ok_or_else(|| missing(VERSION))?,
        pushed_at: at(PUSHED.0).ok_or_else(|| missing(PUSHED.0))?,
        pushed_by: of(PUSHED.1).ok_or_else(|| missing(PUSHED.1))?,
        published_at: at(PUBLISHED.0),
        published_by: of(PUBLISHED.1),
    })
}
