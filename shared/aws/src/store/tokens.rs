//! Who may call: `TOK#<hash> / TOK`, `TOKS#<tenant> / <hash>` and `PAIR#<tenant> / PAIR`.

use sop_core::id::{Digest, Tenant};
use sop_runtime::port::{Pairing, PortError, Token, Tokens};

use super::DynamoStore;
use super::attributes::{Item, get_number, get_text, key, number, text};
use super::write::Put;
use crate::error::{failed, unreadable};
use crate::keys;

const TOKEN: &str = "TOK";
const PAIRING: &str = "PAIR";
const READ_TOKEN: &str = "read a token";
const PUT_TOKEN: &str = "store a token";
const LIST_TOKENS: &str = "list tokens";
const READ_PAIRING: &str = "read the pairing state";
const SET_PAIRING: &str = "change the pairing state";

impl Tokens for DynamoStore {
    async fn token(&self, hash: &Digest) -> Result<Option<Token>, PortError> {
        let Some(item) = self.get(READ_TOKEN, keys::token(hash), TOKEN, true).await? else {
            return Ok(None);
        };
        let json = get_text(&item, keys::BODY).ok_or_else(|| unreadable(READ_TOKEN, keys::BODY))?;
        serde_json::from_str(json)
            .map(Some)
            .map_err(|error| PortError::permanent(READ_TOKEN, error))
    }

    async fn put_token(&self, token: &Token) -> Result<(), PortError> {
        let json =
            serde_json::to_string(token).map_err(|error| PortError::permanent(PUT_TOKEN, error))?;
        // Listed first: a token that works can always be found and taken back.
        let listed = key(keys::tokens(&token.tenant), token.hash.to_string());
        for mut item in [listed, key(keys::token(&token.hash), TOKEN)] {
            item.insert(keys::BODY.to_owned(), text(json.as_str()));
            if let Some(at) = token.expires_at {
                item.insert(keys::TTL.to_owned(), number(keys::ttl(at)));
            }
            let put = self.client.put_item().table_name(&*self.table).set_item(Some(item));
            put.send().await.map_err(|error| failed(PUT_TOKEN, error))?;
        }
        Ok(())
    }

    async fn tokens(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Token>, PortError> {
        let output = self
            .client
            .query()
            .table_name(&*self.table)
            .key_condition_expression("PK = :tenant AND SK > :after")
            .expression_attribute_values(":tenant", text(keys::tokens(tenant)))
            // A sort key is never empty; a blank comes before all digits.
            .expression_attribute_values(":after", text(after.unwrap_or(" ")))
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| failed(LIST_TOKENS, error))?;
        let token = |item: &Item| {
            let missing = || unreadable(LIST_TOKENS, keys::BODY);
            let json = get_text(item, keys::BODY).ok_or_else(missing)?;
            serde_json::from_str(json).map_err(|error| PortError::permanent(LIST_TOKENS, error))
        };
        output.items().iter().map(token).collect()
    }

    async fn pairing(&self, tenant: &Tenant) -> Result<(u64, Option<Pairing>), PortError> {
        let Some(item) = self.get(READ_PAIRING, keys::pairing(tenant), PAIRING, true).await? else {
            return Ok((0, None));
        };
        let missing = |name| unreadable(READ_PAIRING, name);
        let version = get_number(&item, keys::NUMBER).ok_or_else(|| missing(keys::NUMBER))?;
        let json = get_text(&item, keys::BODY).ok_or_else(|| missing(keys::BODY))?;
        let pairing = serde_json::from_str(json)
            .map_err(|error| PortError::permanent(READ_PAIRING, error))?;
        Ok((version, Some(pairing)))
    }

    /// When the answer to a put is lost, the SDK's second try finds the first and `false` comes back: the
    /// caller reads again. Taking an equal state for our own would let two wrong codes count as one.
    async fn set_pairing(
        &self,
        tenant: &Tenant,
        expected: u64,
        pairing: &Pairing,
    ) -> Result<bool, PortError> {
        let json = serde_json::to_string(pairing)
            .map_err(|error| PortError::permanent(SET_PAIRING, error))?;
        let mut item = key(keys::pairing(tenant), PAIRING);
        item.insert(keys::BODY.to_owned(), text(json));
        item.insert(keys::NUMBER.to_owned(), number(expected.saturating_add(1)));
        let put = self.client.put_item().set_item(Some(item));
        let put = if expected == 0 {
            put.condition_expression("attribute_not_exists(PK)")
        } else {
            put.condition_expression("n = :expected")
                .expression_attribute_values(":expected", number(expected))
        };
        Ok(matches!(self.put_if(SET_PAIRING, put).await?, Put::Done))
    }
}
