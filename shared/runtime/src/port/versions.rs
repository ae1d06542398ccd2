//! The versions of each SOP: what was ever pushed, and what of it was active.

use std::future::Future;

use serde::{Deserialize, Serialize};
use sop_core::Timestamp;
use sop_core::id::{Digest, SopName, Tenant};

use crate::port::PortError;

/// One definition of one SOP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The SOP.
    pub sop: SopName,
    /// Names the definition.
    pub digest: Digest,
    /// The author's version.
    pub version: String,
    /// When it was first pushed.
    pub pushed_at: Timestamp,
    /// By whom.
    pub pushed_by: String,
    /// When it last became active; never yet when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// Who made it so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_by: Option<String>,
}

/// Versions by SOP and digest. Which of them is active the catalog's snapshot says, and it alone.
pub trait Versions: Send + Sync {
    /// Keeps `version`. Of one that is there already `pushed_at` and `pushed_by` stay, and so do
    /// `published_at` and `published_by` when `version` has none.
    fn put_version(
        &self,
        tenant: &Tenant,
        version: &Version,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The versions of `sop`, or of all SOPs, up to `limit`; of an SOP the one pushed last comes first.
    /// Reads its own writes.
    fn versions(
        &self,
        tenant: &Tenant,
        sop: Option<&SopName>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Version>, PortError>> + Send;
}
