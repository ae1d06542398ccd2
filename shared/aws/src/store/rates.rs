//! How often clients have called: `RATE#<tenant>#<client>#<window> / RATE`.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValue;
use sop_core::Timestamp;
use sop_core::id::Tenant;
use sop_runtime::port::{PortError, RateLimits};

use super::DynamoStore;
use super::attributes::{get_number, key, number};
use crate::error::{failed, unreadable};
use crate::keys;

const SORT: &str = "RATE";
const TAKE: &str = "count a call";

impl RateLimits for DynamoStore {
    /// When the answer to an update is lost, the SDK's second try counts again: the client loses one of its
    /// calls, and none passes that is above the quota.
    async fn take(
        &self,
        tenant: &Tenant,
        client: &str,
        window: Timestamp,
        quota: u32,
        expires_at: Timestamp,
    ) -> Result<Option<u32>, PortError> {
        if quota == 0 {
            return Ok(None);
        }
        let result = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(key(keys::rate(tenant, client, window), SORT)))
            .update_expression("ADD n :one SET #ttl = :ttl")
            .condition_expression("attribute_not_exists(n) OR n < :quota")
            .expression_attribute_names("#ttl", keys::TTL)
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":quota", number(quota))
            .expression_attribute_values(":ttl", number(keys::ttl(expires_at)))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        let error = match result {
            Ok(output) => {
                let taken = output.attributes().and_then(|item| get_number(item, keys::NUMBER));
                return taken.map(Some).ok_or_else(|| unreadable(TAKE, keys::NUMBER));
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
            _ => Err(failed(TAKE, error)),
        }
    }
}
