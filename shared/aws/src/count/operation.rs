//! What each operation of DynamoDB costs.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{
    TransactWriteItemsError, TransactWriteItemsInput, TransactWriteItemsOutput,
};
use aws_sdk_dynamodb::operation::update_item::{
    UpdateItemError, UpdateItemInput, UpdateItemOutput,
};
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Capacity, ConsumedCapacity, ReturnConsumedCapacity,
};
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;

use super::Units;
use super::size::item_bytes;

/// Bytes of a write unit.
pub const WRITE_UNIT_BYTES: usize = 1024;

/// Bytes of a read unit.
const READ_UNIT_BYTES: usize = 4096;

/// What a transaction's writes cost, compared with others.
const TRANSACTION_FACTOR: f64 = 2.0;

/// What a request says about its cost before it is answered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// Write units of what is sent.
    write: f64,
    /// Whether it reads what was written last.
    consistent: bool,
}

/// Asks for the capacity to be reported, and notes what is sent.
pub(super) fn prepare(input: &mut Input) -> Sent {
    let report = Some(ReturnConsumedCapacity::Indexes);
    if let Some(put) = input.downcast_mut::<PutItemInput>() {
        put.return_consumed_capacity = report;
        return Sent { write: put.item().map_or(1.0, write_units), consistent: false };
    }
    if let Some(update) = input.downcast_mut::<UpdateItemInput>() {
        update.return_consumed_capacity = report;
        // What an update leaves is not in the request; those of this store stay below 1 KB.
        return Sent { write: 1.0, consistent: false };
    }
    if let Some(delete) = input.downcast_mut::<DeleteItemInput>() {
        delete.return_consumed_capacity = report;
        // What is deleted is paid for by its size; waits, and what is not there, are below 1 KB.
        return Sent { write: 1.0, consistent: false };
    }
    if let Some(transaction) = input.downcast_mut::<TransactWriteItemsInput>() {
        transaction.return_consumed_capacity = report;
        let items = transaction.transact_items();
        let each = items.iter().map(|item| item.put().map_or(1.0, |put| write_units(put.item())));
        return Sent { write: TRANSACTION_FACTOR * each.sum::<f64>(), consistent: false };
    }
    if let Some(get) = input.downcast_ref::<GetItemInput>() {
        return Sent { write: 0.0, consistent: get.consistent_read().unwrap_or(false) };
    }
    if let Some(query) = input.downcast_ref::<QueryInput>() {
        return Sent { write: 0.0, consistent: query.consistent_read().unwrap_or(false) };
    }
    if let Some(batch) = input.downcast_ref::<BatchGetItemInput>() {
        let keys = batch.request_items().into_iter().flat_map(HashMap::values);
        let consistent = keys.into_iter().any(|keys| keys.consistent_read().unwrap_or(false));
        return Sent { write: 0.0, consistent };
    }
    Sent::default()
}

/// The units of a request that was answered with `output`.
pub(super) fn answered(output: &Output, sent: Sent) -> Units {
    if let Some(put) = output.downcast_ref::<PutItemOutput>() {
        return reported(put.consumed_capacity().into_iter(), sent);
    }
    if let Some(update) = output.downcast_ref::<UpdateItemOutput>() {
        return reported(update.consumed_capacity().into_iter(), sent);
    }
    if let Some(delete) = output.downcast_ref::<DeleteItemOutput>() {
        return reported(delete.consumed_capacity().into_iter(), sent);
    }
    if let Some(transaction) = output.downcast_ref::<TransactWriteItemsOutput>() {
        return reported(transaction.consumed_capacity().iter(), sent);
    }
    let read = if let Some(get) = output.downcast_ref::<GetItemOutput>() {
        read_units(get.item().map_or(0, item_bytes), sent)
    } else if let Some(query) = output.downcast_ref::<QueryOutput>() {
        read_units(query.items().iter().map(item_bytes).sum(), sent)
    } else if let Some(batch) = output.downcast_ref::<BatchGetItemOutput>() {
        let items = batch.responses().into_iter().flat_map(HashMap::values).flatten();
        items.map(|item| read_units(item_bytes(item), sent)).sum()
    } else {
        0.0
    };
    Units { read, ..Units::default() }
}

/// The units of a request that ended in `error`: a condition that does not hold is paid for too.
pub(super) fn refused(error: &OrchestratorError<Error>, sent: Sent) -> Units {
    let Some(error) = error.as_operation_error() else { return Units::default() };
    let standing = if let Some(PutItemError::ConditionalCheckFailedException(refused)) =
        error.downcast_ref::<PutItemError>()
    {
        refused.item().map_or(0.0, write_units)
    } else if let Some(UpdateItemError::ConditionalCheckFailedException(refused)) =
        error.downcast_ref::<UpdateItemError>()
    {
        refused.item().map_or(0.0, write_units)
    } else if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
        error.downcast_ref::<TransactWriteItemsError>()
    {
        let items = cancelled.cancellation_reasons().iter().filter_map(CancellationReason::item);
        TRANSACTION_FACTOR * items.map(write_units).sum::<f64>()
    } else {
        return Units::default();
    };
    Units { write: sent.write.max(standing), ..Units::default() }
}

/// The units that DynamoDB reports; those of what was sent where it reports none.
fn reported<'a>(all: impl Iterator<Item = &'a ConsumedCapacity>, sent: Sent) -> Units {
    let mut units = Units::default();
    let mut any = false;
    for one in all {
        any = true;
        let indexes = one.global_secondary_indexes().into_iter().flat_map(HashMap::values);
        let index: f64 = indexes.filter_map(Capacity::capacity_units).sum();
        let total = one.capacity_units().unwrap_or(0.0);
        units = units.plus(Units { write: total - index, index, read: 0.0 });
    }
    if any { units } else { Units { write: sent.write, ..Units::default() } }
}

fn write_units(item: &HashMap<String, AttributeValue>) -> f64 {
    started(item_bytes(item), WRITE_UNIT_BYTES)
}

fn read_units(bytes: usize, sent: Sent) -> f64 {
    started(bytes, READ_UNIT_BYTES) * if sent.consistent { 1.0 } else { 0.5 }
}

/// Units of `unit` bytes that are begun; at least one.
fn started(bytes: usize, unit: usize) -> f64 {
    f64::from(u32::try_from(bytes.div_ceil(unit).max(1)).unwrap_or(u32::MAX))
}
