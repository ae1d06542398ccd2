//! Admission counters: `ADM#<tenant>#<sop> / ADM` for an SOP, `TOTAL#<tenant> / ADM` for a workspace,
//! written in the same transaction as the entry.

mod assumed;

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};
use sop_core::Timestamp;
use sop_core::engine::{Counters, SlotChange};
use sop_core::id::RunId;
use sop_core::journal::Sealed;
use sop_runtime::port::{Append, PortError};

use self::assumed::Assumed;
use super::DynamoStore;
use super::attributes::{Item, get_number, get_text};
use crate::error::failed;
use crate::keys::{ACTIVE, AT, LATEST, OPEN, PENDING, WAITING};

/// The sort key of a counter.
pub(super) const SORT: &str = "ADM";

const APPEND: &str = "append to a run's journal and change its SOP's counter";

/// Tries of one transaction. Writers of one SOP, and of one workspace with a limit, meet at its counter;
/// 32 of them are through in ten rounds of back-off or fewer.
const TRIES_MAX: usize = 16;

/// What came of one try.
enum Tried {
    Done(Append),
    /// Another transaction held a counter.
    Again,
    /// A counter is not what was assumed.
    Assume(Assumed),
}

pub(super) fn counters(item: &Item) -> Counters {
    let count = |name| get_number(item, name).unwrap_or(0);
    Counters {
        active: count(ACTIVE),
        waiting: count(WAITING),
        open: count(OPEN),
        pending: count(PENDING),
        completed_at: get_number(item, AT).map(Timestamp::from_millis),
        latest: get_text(item, LATEST).and_then(|run| RunId::parse(run).ok()),
    }
}

impl DynamoStore {
    /// Appends `entry` and applies `slot`, or neither.
    pub(super) async fn append_with_slot(
        &self,
        entry: &Sealed,
        slot: &SlotChange,
    ) -> Result<Append, PortError> {
        let mut assumed = Assumed::default();
        let mut waits = 0;
        for _ in 0..TRIES_MAX {
            crate::pause::backoff(waits).await;
            match self.try_append(entry, slot, assumed).await? {
                Tried::Done(append) => return Ok(append),
                Tried::Again => waits += 1,
                Tried::Assume(next) => assumed = next,
            }
        }
        Err(PortError::retryable(APPEND, "other writers held the counter"))
    }

    async fn try_append(
        &self,
        entry: &Sealed,
        slot: &SlotChange,
        assumed: Assumed,
    ) -> Result<Tried, PortError> {
        let put = TransactWriteItem::builder().put(self.put_of(entry)?).build();
        let counter = assumed.counter_update(&self.table, slot)?;
        let total = assumed.total_update(&self.table, slot)?;
        let updates = [Some(counter), total].into_iter().flatten();
        let updates = updates.map(|update| TransactWriteItem::builder().update(update).build());
        // The SDK gives each call a token of its own, so its retries count once. A token of ours would
        // make a repeated call look like a first one: `Appended` where `Duplicate` is the truth.
        let result = self
            .client
            .transact_write_items()
            .set_transact_items(Some([put].into_iter().chain(updates).collect()))
            .send()
            .await;
        let error = match result {
            Ok(_) => return Ok(Tried::Done(Append::Appended)),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match cancelled.cancellation_reasons() {
                    [place, ..] if refused(place) => {
                        Ok(Tried::Done(self.taken(entry, place.item()).await?))
                    }
                    [_, counters @ ..] if counters.iter().any(refused) => {
                        Ok(judge(slot, assumed, counters))
                    }
                    reasons if reasons.iter().any(is_conflict) => Ok(Tried::Again),
                    reasons => Err(cancelled_for(reasons)),
                }
            }
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => Ok(Tried::Again),
            _ => Err(failed(APPEND, error)),
        }
    }
}

/// What refused updates of the SOP's counter and of the workspace's mean.
fn judge(slot: &SlotChange, assumed: Assumed, reasons: &[CancellationReason]) -> Tried {
    // What is said of an update that was not refused is left as it was assumed.
    let now = |i: usize| {
        let reason = reasons.get(i).filter(|reason| refused(reason))?;
        Some(reason.item().map(counters).unwrap_or_default())
    };
    let mut next = assumed;
    if let Some(now) = now(0) {
        if assumed::is_full(slot, &now) {
            return Tried::Done(Append::Full);
        }
        next = next.of_counter(slot, &now);
    }
    if let Some(now) = now(1) {
        if assumed::is_total_full(slot, now.active) {
            return Tried::Done(Append::Full);
        }
        next = next.of_total(slot, now.active);
    }
    if next == assumed { Tried::Again } else { Tried::Assume(next) }
}

fn refused(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

fn is_conflict(reason: &CancellationReason) -> bool {
    reason.code() == Some("TransactionConflict")
}

/// Source: Amazon DynamoDB API reference, `TransactWriteItems`, cancellation reason codes.
fn cancelled_for(reasons: &[CancellationReason]) -> PortError {
    let codes: Vec<&str> = reasons.iter().filter_map(CancellationReason::code).collect();
    let throttled = codes.iter().any(|code| {
        matches!(
            *code,
            "ThrottlingError" | "ProvisionedThroughputExceeded" | "RequestLimitExceeded"
        )
    });
    let source = format!("the transaction was cancelled for {}", codes.join(", "));
    if throttled {
        PortError::retryable(APPEND, source)
    } else {
        PortError::permanent(APPEND, source)
    }
}
