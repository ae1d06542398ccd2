//! How far the schedule has been looked at: `CRON#<tenant> / CURSOR`.

use sop_core::Timestamp;
use sop_core::id::Tenant;
use sop_runtime::port::{CronCursor, PortError};

use super::DynamoStore;
use super::attributes::{get_number, key, number};
use crate::keys;

const SORT: &str = "CURSOR";

impl CronCursor for DynamoStore {
    async fn last_check(&self, tenant: &Tenant) -> Result<Option<Timestamp>, PortError> {
        let item = self.get("read the schedule's cursor", keys::cron(tenant), SORT, true).await?;
        Ok(item.and_then(|item| get_number(&item, keys::AT)).map(Timestamp::from_millis))
    }

    async fn advance(&self, tenant: &Tenant, to: Timestamp) -> Result<(), PortError> {
        let mut item = key(keys::cron(tenant), SORT);
        item.insert(keys::AT.to_owned(), number(to.as_millis()));
        let put = self
            .client
            .put_item()
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(PK) OR t < :to")
            .expression_attribute_values(":to", number(to.as_millis()));
        self.put_if("move the schedule's cursor", put).await.map(|_| ())
    }
}
