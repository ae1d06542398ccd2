//! Writing one item under a condition.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use sop_runtime::port::PortError;

use super::DynamoStore;
use super::attributes::Item;
use crate::error::failed;

/// What became of a conditional put.
pub(super) enum Put {
    /// It is durable.
    Done,
    /// The condition did not hold; this stands there.
    Refused(Option<Item>),
}

impl DynamoStore {
    /// Sends `put`, to this store's table.
    pub(super) async fn put_if(
        &self,
        action: &'static str,
        put: PutItemFluentBuilder,
    ) -> Result<Put, PortError> {
        let result = put
            .table_name(&*self.table)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let error = match result {
            Ok(_) => return Ok(Put::Done),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                Ok(Put::Refused(refused.item().cloned()))
            }
            _ => Err(failed(action, error)),
        }
    }
}
