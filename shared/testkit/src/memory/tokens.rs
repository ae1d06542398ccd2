//! Pairing codes and tokens.

use std::collections::BTreeMap;

use sop_core::id::{Digest, Tenant};
use sop_runtime::port::{Pairing, PortError, Token, Tokens};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    tokens: BTreeMap<Digest, Token>,
    pairings: BTreeMap<Tenant, (u64, Pairing)>,
}

impl Tokens for Memory {
    async fn token(&self, hash: &Digest) -> Result<Option<Token>, PortError> {
        Ok(self.state().tokens.tokens.get(hash).cloned())
    }

    async fn put_token(&self, token: &Token) -> Result<(), PortError> {
        self.state().tokens.tokens.insert(token.hash, token.clone());
        Ok(())
    }

    async fn tokens(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Token>, PortError> {
        let state = self.state();
        let mut tokens: Vec<Token> = state.tokens.tokens.values().cloned().collect();
        tokens.retain(|token| token.tenant == *tenant);
        tokens.sort_by_key(|token| token.hash.to_string());
        tokens.retain(|token| after.is_none_or(|after| token.hash.to_string().as_str() > after));
        tokens.truncate(limit);
        Ok(tokens)
    }

    async fn pairing(&self, tenant: &Tenant) -> Result<(u64, Option<Pairing>), PortError> {
        let state = self.state();
        Ok(match state.tokens.pairings.get(tenant) {
            Some((version, pairing)) => (*version, Some(pairing.clone())),
            None => (0, None),
        })
    }

    async fn set_pairing(
        &self,
        tenant: &Tenant,
        expected: u64,
        pairing: &Pairing,
    ) -> Result<bool, PortError> {
        let mut state = self.state();
        let version = state.tokens.pairings.get(tenant).map_or(0, |(version, _)| *version);
        if version != expected {
            return Ok(false);
        }
        state.tokens.pairings.insert(tenant.clone(), (version + 1, pairing.clone()));
        Ok(true)
    }
}
