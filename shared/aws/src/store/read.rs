//! Reading items: one by key, a page of a query, many by key.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::KeysAndAttributes;
use sop_runtime::port::PortError;

use super::DynamoStore;
use super::attributes::{Item, key, text};
use crate::error::failed;
use crate::keys::{PK, SK};

/// Keys that one `BatchGetItem` takes.
/// Source: Amazon DynamoDB API reference, `BatchGetItem`.
const BATCH_KEYS_MAX: usize = 100;

/// Rounds in which a batch asks for what it was not given.
const BATCH_ROUNDS_MAX: usize = 8;

/// Which items of one partition.
pub(super) struct Range<'a> {
    /// The index to ask, or the table.
    pub(super) index: Option<&'static str>,
    /// Name of the partition key there.
    pub(super) pk: &'static str,
    /// Name of the sort key there.
    pub(super) sk: &'static str,
    /// The partition.
    pub(super) partition: String,
    /// The first and the last sort key, both included; or what sort keys begin with.
    pub(super) within: Within<'a>,
    /// Newest (greatest) first.
    pub(super) descending: bool,
    /// Whether it must see every write that was acknowledged; tables only.
    pub(super) consistent: bool,
    /// Items to return at most.
    pub(super) limit: usize,
}

/// Bounds of a sort key.
pub(super) enum Within<'a> {
    /// None.
    All,
    /// Both included.
    Between(String, String),
    /// A prefix.
    Prefix(&'a str),
}

impl DynamoStore {
    /// One item by its key.
    pub(super) async fn get(
        &self,
        action: &'static str,
        pk: String,
        sk: &str,
        consistent: bool,
    ) -> Result<Option<Item>, PortError> {
        let output = self
            .client
            .get_item()
            .table_name(&*self.table)
            .set_key(Some(key(pk, sk)))
            .consistent_read(consistent)
            .send()
            .await
            .map_err(|error| failed(action, error))?;
        Ok(output.item)
    }

    /// The items of `range`, in order; asks again until the limit or the end is reached.
    pub(super) async fn query(
        &self,
        action: &'static str,
        range: Range<'_>,
    ) -> Result<Vec<Item>, PortError> {
        let mut items = Vec::new();
        let mut start = None;
        while items.len() < range.limit {
            let rest = i32::try_from(range.limit - items.len()).unwrap_or(i32::MAX);
            let output = self
                .range(&range)
                .limit(rest)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| failed(action, error))?;
            items.extend(output.items.unwrap_or_default());
            start = output.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(items)
    }

    fn range(&self, range: &Range<'_>) -> QueryFluentBuilder {
        let query = self
            .client
            .query()
            .table_name(&*self.table)
            .set_index_name(range.index.map(str::to_owned))
            .scan_index_forward(!range.descending)
            .consistent_read(range.consistent)
            .expression_attribute_names("#p", range.pk)
            .expression_attribute_values(":p", text(&range.partition));
        match &range.within {
            Within::All => query.key_condition_expression("#p = :p"),
            Within::Between(low, high) => query
                .key_condition_expression("#p = :p AND #s BETWEEN :l AND :h")
                .expression_attribute_names("#s", range.sk)
                .expression_attribute_values(":l", text(low))
                .expression_attribute_values(":h", text(high)),
            Within::Prefix(prefix) => query
                .key_condition_expression("#p = :p AND begins_with(#s, :b)")
                .expression_attribute_names("#s", range.sk)
                .expression_attribute_values(":b", text(*prefix)),
        }
    }

    /// The items at `keys`, in no order; what is not there is left out.
    pub(super) async fn batch(
        &self,
        action: &'static str,
        keys: Vec<Item>,
    ) -> Result<Vec<Item>, PortError> {
        let mut items = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(BATCH_KEYS_MAX) {
            let mut rest = chunk.to_vec();
            for round in 0.. {
                if rest.is_empty() {
                    break;
                }
                if round == BATCH_ROUNDS_MAX {
                    return Err(PortError::retryable(action, "keys stayed unprocessed"));
                }
                crate::pause::backoff(round).await;
                let request = KeysAndAttributes::builder()
                    .set_keys(Some(std::mem::take(&mut rest)))
                    .build()
                    .map_err(|error| PortError::permanent(action, error))?;
                let output = self
                    .client
                    .batch_get_item()
                    .request_items(&*self.table, request)
                    .send()
                    .await
                    .map_err(|error| failed(action, error))?;
                items.extend(output.responses.unwrap_or_default().into_values().flatten());
                let unprocessed = output.unprocessed_keys.unwrap_or_default();
                rest = unprocessed.into_values().flat_map(|keys| keys.keys).collect();
            }
        }
        Ok(items)
    }
}

/// Items of one partition of the table itself, in order and up to date.
pub(super) fn in_table<'a>(partition: String, within: Within<'a>, limit: usize) -> Range<'a> {
    Range {
        index: None,
        pk: PK,
        sk: SK,
        partition,
        within,
        descending: false,
        consistent: true,
        limit,
    }
}
