//! Why messages failed: `DEAD#<message> / NOTE`, a day longer than a dead letter lives.

use sop_runtime::port::{Failure, Failures, PortError};

use super::DynamoStore;
use super::attributes::{get_text, key, number, text};
use crate::error::{failed, unreadable};
use crate::keys;

const SORT: &str = "NOTE";
const NOTE: &str = "note a failure";
const READ: &str = "read why a message failed";

impl Failures for DynamoStore {
    async fn put_failure(&self, failure: &Failure) -> Result<(), PortError> {
        let json =
            serde_json::to_string(failure).map_err(|error| PortError::permanent(NOTE, error))?;
        let mut item = key(keys::dead(&failure.message), SORT);
        item.insert(keys::BODY.to_owned(), text(json));
        item.insert(keys::TTL.to_owned(), number(keys::ttl(failure.expires_at)));
        let put = self.client.put_item().table_name(&*self.table).set_item(Some(item));
        put.send().await.map(|_| ()).map_err(|error| failed(NOTE, error))
    }

    async fn failure(&self, message: &str) -> Result<Option<Failure>, PortError> {
        let Some(item) = self.get(READ, keys::dead(message), SORT, true).await? else {
            return Ok(None);
        };
        let json = get_text(&item, keys::BODY).ok_or_else(|| unreadable(READ, keys::BODY))?;
        serde_json::from_str(json).map(Some).map_err(|error| PortError::permanent(READ, error))
    }
}
