//! Pairing codes and tokens.

use rusqlite::{Connection, OptionalExtension, params};
use sop_core::id::{Digest, Tenant};
use sop_runtime::port::{Pairing, PortError, Token, Tokens};

use crate::store::error::unreadable;
use crate::store::{Sqlite, integer};

impl Tokens for Sqlite {
    async fn token(&self, hash: &Digest) -> Result<Option<Token>, PortError> {
        self.read("read a token", |connection| {
            connection
                .prepare_cached("SELECT token FROM token WHERE hash = ?1")?
                .query_row([hash.to_string()], |row| {
                    let token = row.get_ref(0)?.as_str()?;
                    serde_json::from_str(token).map_err(|source| unreadable(0, source))
                })
                .optional()
        })
    }

    async fn put_token(&self, token: &Token) -> Result<(), PortError> {
        let json = serde_json::to_string(token).expect("a token has only string keys");
        let hash = token.hash.to_string();
        self.write("store a token", move |connection| {
            connection
                .prepare_cached("INSERT OR REPLACE INTO token (hash, token) VALUES (?1, ?2)")?
                .execute([&hash, &json])
                .map(drop)
        })
        .await
    }

    async fn tokens(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Token>, PortError> {
        let limit = integer(limit);
        self.read("list tokens", |connection| {
            connection
                .prepare_cached(
                    "SELECT token FROM token WHERE token ->> 'tenant' = ?1 AND hash > ?2
                     ORDER BY hash LIMIT ?3",
                )?
                .query_map(params![tenant.as_str(), after.unwrap_or(""), limit], |row| {
                    let token = row.get_ref(0)?.as_str()?;
                    serde_json::from_str(token).map_err(|source| unreadable(0, source))
                })?
                .collect()
        })
    }

    async fn pairing(&self, tenant: &Tenant) -> Result<(u64, Option<Pairing>), PortError> {
        let found = self.read("read the pairing state", |connection| {
            connection
                .prepare_cached("SELECT version, pairing FROM pairing WHERE tenant = ?1")?
                .query_row([tenant.as_str()], |row| {
                    let pairing = serde_json::from_str(row.get_ref(1)?.as_str()?);
                    let pairing = pairing.map_err(|source| unreadable(1, source))?;
                    Ok((row.get::<_, i64>(0)?.unsigned_abs(), Some(pairing)))
                })
                .optional()
        })?;
        Ok(found.unwrap_or((0, None)))
    }

    async fn set_pairing(
        &self,
        tenant: &Tenant,
        expected: u64,
        pairing: &Pairing,
    ) -> Result<bool, PortError> {
        let json = serde_json::to_string(pairing).expect("a pairing has only string keys");
        let tenant = tenant.clone();
        self.write("change the pairing state", move |connection| {
            if version(connection, &tenant)? != integer(expected) {
                return Ok(false);
            }
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO pairing (tenant, version, pairing) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![tenant.as_str(), integer(expected).saturating_add(1), json])?;
            Ok(true)
        })
        .await
    }
}

fn version(connection: &Connection, tenant: &Tenant) -> rusqlite::Result<i64> {
    let found = connection
        .prepare_cached("SELECT version FROM pairing WHERE tenant = ?1")?
        .query_row([tenant.as_str()], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}
