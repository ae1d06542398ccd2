//! Runs that wait for an event: `WAIT#<digest> / <run>#<step>`, until DynamoDB deletes what is past.

use sop_core::Timestamp;
use sop_core::id::Digest;
use sop_runtime::port::{PortError, Waiting, Waits};

use super::DynamoStore;
use super::attributes::{get_text, key, number};
use super::read::{Within, in_table};
use crate::error::{failed, unreadable};
use crate::keys;

const SUBSCRIBE: &str = "note who waits for an event";
const UNSUBSCRIBE: &str = "forget who waits for an event";
const LIST: &str = "list who waits for an event";

impl Waits for DynamoStore {
    async fn subscribe(
        &self,
        digest: &Digest,
        waiting: &Waiting,
        until: Timestamp,
    ) -> Result<(), PortError> {
        let mut item = key(keys::wait(digest), keys::waiting(&waiting.run, waiting.step));
        item.insert(keys::TTL.to_owned(), number(keys::ttl(until)));
        // A wait noted again for a shorter time must not be forgotten early.
        let put = self
            .client
            .put_item()
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(PK) OR #t < :until")
            .expression_attribute_names("#t", keys::TTL)
            .expression_attribute_values(":until", number(keys::ttl(until)));
        self.put_if(SUBSCRIBE, put).await.map(|_| ())
    }

    async fn unsubscribe(&self, digest: &Digest, waiting: &Waiting) -> Result<(), PortError> {
        self.client
            .delete_item()
            .table_name(&*self.table)
            .set_key(Some(key(keys::wait(digest), keys::waiting(&waiting.run, waiting.step))))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed(UNSUBSCRIBE, error))
    }

    async fn waiting(&self, digest: &Digest, limit: usize) -> Result<Vec<Waiting>, PortError> {
        let items = self.query(LIST, in_table(keys::wait(digest), Within::All, limit)).await?;
        items
            .iter()
            .map(|item| {
                get_text(item, keys::SK)
                    .and_then(keys::parse_waiting)
                    .map(|(run, step)| Waiting { run, step })
                    .ok_or_else(|| unreadable(LIST, keys::SK))
            })
            .collect()
    }
}
