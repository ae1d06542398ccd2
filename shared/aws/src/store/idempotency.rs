//! Idempotency keys of callers: `IDEM#<tenant>#<key> / IDEM`.

use sop_core::Timestamp;
use sop_core::id::Tenant;
use sop_runtime::port::{Claim, Idempotency, PortError};

use super::DynamoStore;
use super::attributes::{get_text, key, number, text};
use super::write::Put;
use crate::error::unreadable;
use crate::keys;

const SORT: &str = "IDEM";
const CLAIM: &str = "claim an idempotency key";

impl Idempotency for DynamoStore {
    async fn claim(
        &self,
        tenant: &Tenant,
        idempotency_key: &str,
        record: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Claim, PortError> {
        let mut item = key(keys::idempotency(tenant, idempotency_key), SORT);
        item.insert(keys::BODY.to_owned(), text(record));
        item.insert(keys::AT.to_owned(), number(expires_at.as_millis()));
        item.insert(keys::TTL.to_owned(), number(keys::ttl(expires_at)));
        let put = self
            .client
            .put_item()
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(PK) OR t <= :now")
            .expression_attribute_values(":now", number(now.as_millis()));
        match self.put_if(CLAIM, put).await? {
            Put::Done => Ok(Claim::New),
            Put::Refused(standing) => {
                let record = standing.as_ref().and_then(|item| get_text(item, keys::BODY));
                record
                    .map(|record| Claim::Held(record.to_owned()))
                    .ok_or_else(|| unreadable(CLAIM, keys::BODY))
            }
        }
    }
}
