//! Who may call: pairing codes and bearer tokens, only ever stored hashed.

use std::future::Future;

use serde::{Deserialize, Serialize};
use sop_core::Timestamp;
use sop_core::id::{Digest, Tenant};

use crate::port::PortError;

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Call webhooks, and nothing else.
    Ingress,
    /// Read, and change nothing.
    Viewer,
    /// Everything.
    #[default]
    Operator,
}

impl Role {
    /// The name used in requests and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What the token of a pairing code will be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Who will hold it; `paired:` and a part of its hash when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What its holder will be allowed to do.
    #[serde(default, skip_serializing_if = "Role::is_default")]
    pub role: Role,
    /// Seconds that it will live from its issue on; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life_secs: Option<u64>,
}

impl Grant {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A bearer token, by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// SHA-256 of the token's text.
    pub hash: Digest,
    /// Whose data it opens.
    pub tenant: Tenant,
    /// Who holds it, for the ledger: `paired:1a2b3c4d`.
    pub subject: String,
    /// What its holder may do.
    #[serde(default, skip_serializing_if = "Role::is_default")]
    pub role: Role,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it lapses, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was taken back, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// What names the token where it is listed: 16 of its hash's 64 digits, which open nothing.
    pub fn id(&self) -> String {
        self.hash.to_string()[..16].to_owned()
    }
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
    /// What the code's token will be.
    #[serde(default, skip_serializing_if = "Grant::is_default")]
    pub grant: Grant,
}

/// Pairing codes and tokens.
pub trait Tokens: Send + Sync {
    /// The token whose hash is `hash`.
    fn token(&self, hash: &Digest)
    -> impl Future<Output = Result<Option<Token>, PortError>> + Send;

    /// Stores a token, or changes it: [`Tokens::token`] gives it as it is from then on. After `Err` it may be
    /// listed and not be there; never the other way round.
    fn put_token(&self, token: &Token) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Up to `limit` tokens of `tenant` in the order of their hashes' digits, from behind the digits `after`.
    /// Those that have lapsed may be missing.
    fn tokens(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Token>, PortError>> + Send;

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
