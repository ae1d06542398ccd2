//! Who may call: pairing codes and bearer tokens, only ever stored hashed.

use std::future::Future;

use serde::{Deserialize, Serialize};
use sop_core::Timestamp;
use sop_core::id::{Digest, Tenant};

use crate::port::PortError;

/// A bearer token, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// SHA-256 of the token's text.
    pub hash: Digest,
    /// Whose data it opens.
    pub tenant: Tenant,
    /// Who holds it, for the ledger: `paired:1a2b3c4d`.
    pub subject: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it lapses, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The open pairing code of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// SHA-256 of the code; absent when none is open.
    pub code: Option<Digest>,
    /// When the code lapses.
    pub expires_at: Timestamp,
    /// Wrong tries since the code was made.
    pub failures: u32,
    /// Until when nobody may try.
    pub locked_until: Timestamp,
}

/// Pairing codes and tokens.
pub trait Tokens: Send + Sync {
    /// The token whose hash is `hash`.
    fn token(&self, hash: &Digest)
    -> impl Future<Output = Result<Option<Token>, PortError>> + Send;

    /// Stores a token.
    fn put_token(&self, token: &Token) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The pairing state of `tenant` with its version (0 and `None` when there is none yet). Reads its
    /// own writes.
    fn pairing(
        &self,
        tenant: &Tenant,
    ) -> impl Future<Output = Result<(u64, Option<Pairing>), PortError>> + Send;

    /// Replaces the pairing state if its version is still `expected`; tells whether it did. The new
    /// version is `expected + 1`.
    fn set_pairing(
        &self,
        tenant: &Tenant,
        expected: u64,
        pairing: &Pairing,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;
}
