//! Admission counters: `ADM#<tenant>#<sop> / ADM`, written in the same transaction as the entry.
//!
//! DynamoDB cannot clamp or take a maximum in an update, so an update first assumes that nothing has to
//! be clamped, under conditions that say so. What the refused update returns tells what to assume next.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    CancellationReason, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use sop_core::Timestamp;
use sop_core::engine::{Counters, SlotChange};
use sop_core::id::{SopName, Tenant};
use sop_core::journal::Sealed;
use sop_runtime::port::{Append, PortError};

use super::DynamoStore;
use super::attributes::{Item, get_number, get_text, key, number, text};
use super::read::{Range, Within};
use crate::error::failed;
use crate::keys::{self, ACTIVE, AT, G2, INDEX_ATTENTION, S2, WAITING};

/// The sort key of a counter.
pub(super) const SORT: &str = "ADM";

const APPEND: &str = "append to a run's journal and change its SOP's counter";
const CONGESTED: &str = "list SOPs with waiting runs";

/// Tries of one transaction. Writers of one SOP meet at its counter; 32 of them are through in ten
/// rounds of back-off or fewer.
const TRIES_MAX: usize = 16;

/// Counters that one listing looks at; the rest wait for the next one.
const COUNTERS_MAX: usize = 100;

/// What an update takes for granted; its condition says it again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Assumed {
    /// `active` is zero already, and stays so.
    active_is_zero: bool,
    /// `waiting` is zero already, and stays so.
    waiting_is_zero: bool,
    /// A later completion is there already, and stays.
    completed_later: bool,
}

/// What came of one try.
enum Tried {
    Done(Append),
    /// Another transaction held the counter.
    Again,
    /// The counter is not what was assumed.
    Assume(Assumed),
}

pub(super) fn counters(item: &Item) -> Counters {
    Counters {
        active: get_number(item, ACTIVE).unwrap_or(0),
        waiting: get_number(item, WAITING).unwrap_or(0),
        completed_at: get_number(item, AT).map(Timestamp::from_millis),
    }
}

impl Assumed {
    /// What has to be assumed of `now` so that `slot` can be applied.
    fn of(now: &Counters, slot: &SlotChange) -> Self {
        Self {
            active_is_zero: slot.active < 0 && now.active == 0,
            waiting_is_zero: slot.waiting < 0 && now.waiting == 0,
            completed_later: slot.completed_at.is_some_and(|at| Some(at) <= now.completed_at),
        }
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
        // The SDK gives each call a token of its own, so its retries count once. A token of ours would
        // make a repeated call look like a first one: `Appended` where `Duplicate` is the truth.
        let result = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(self.put_of(entry)?).build())
            .transact_items(
                TransactWriteItem::builder().update(self.update_of(slot, assumed)?).build(),
            )
            .send()
            .await;
        let error = match result {
            Ok(_) => return Ok(Tried::Done(Append::Appended)),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                match cancelled.cancellation_reasons() {
                    [place, _] if refused(place) => {
                        Ok(Tried::Done(self.taken(entry, place.item()).await?))
                    }
                    [_, counter] if refused(counter) => Ok(judge(slot, assumed, counter)),
                    reasons if reasons.iter().any(is_conflict) => Ok(Tried::Again),
                    reasons => Err(cancelled_for(reasons)),
                }
            }
            Some(TransactWriteItemsError::TransactionInProgressException(_)) => Ok(Tried::Again),
            _ => Err(failed(APPEND, error)),
        }
    }

    /// The update that applies `slot` as far as `assumed` leaves something to do.
    fn update_of(&self, slot: &SlotChange, assumed: Assumed) -> Result<Update, PortError> {
        let pk = keys::admission(&slot.tenant, &slot.sop);
        let mut update = Update::builder().table_name(&*self.table).set_key(Some(key(pk, SORT)));
        let (mut sets, mut holds) = (Vec::new(), Vec::new());
        for (name, delta, is_zero) in [
            (ACTIVE, slot.active, assumed.active_is_zero),
            (WAITING, slot.waiting, assumed.waiting_is_zero),
        ] {
            if is_zero {
                holds.push(format!("(attribute_not_exists({name}) OR {name} = :zero)"));
            } else if delta != 0 {
                sets.push(format!("{name} = if_not_exists({name}, :zero) + :{name}"));
                update = update.expression_attribute_values(format!(":{name}"), number(delta));
            }
            if delta < 0 && !is_zero {
                holds.push(format!("{name} >= :need{name}"));
                let need = number(delta.unsigned_abs());
                update = update.expression_attribute_values(format!(":need{name}"), need);
            }
        }
        if let Some(max) = slot.active_max {
            // A counter that is not there yet says zero, which is below any limit but zero.
            holds.push(match max {
                0 => format!("{ACTIVE} < :max"),
                1.. => format!("(attribute_not_exists({ACTIVE}) OR {ACTIVE} < :max)"),
            });
            update = update.expression_attribute_values(":max", number(max));
        }
        if slot.waiting > 0 {
            sets.push(format!("{G2} = :g, {S2} = :s"));
            update = update
                .expression_attribute_values(":g", text(keys::congested_of(&slot.tenant)))
                .expression_attribute_values(":s", text(slot.sop.as_str()));
        }
        if let Some(at) = slot.completed_at.filter(|_| !assumed.completed_later) {
            sets.push("#t = :at".to_owned());
            holds.push("(attribute_not_exists(#t) OR #t < :at)".to_owned());
            update = update
                .expression_attribute_names("#t", AT)
                .expression_attribute_values(":at", number(at.as_millis()));
        }
        // Nothing left to set: the item is made sure of, so that there is one thing to write.
        if sets.is_empty() {
            sets.push(format!("{ACTIVE} = if_not_exists({ACTIVE}, :zero)"));
        }
        let all = format!("{} {}", sets.join(" "), holds.join(" "));
        if all.contains(":zero") {
            update = update.expression_attribute_values(":zero", number(0));
        }
        if !holds.is_empty() {
            update = update.condition_expression(holds.join(" AND "));
        }
        update
            .update_expression(format!("SET {}", sets.join(", ")))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| PortError::permanent(APPEND, error))
    }

    /// SOPs with waiting runs; takes counters without any out of the index.
    pub(super) async fn congested_sops(
        &self,
        tenant: &Tenant,
        limit: usize,
    ) -> Result<Vec<SopName>, PortError> {
        let range = Range {
            index: Some(INDEX_ATTENTION),
            pk: G2,
            sk: S2,
            partition: keys::congested_of(tenant),
            within: Within::All,
            descending: false,
            consistent: false,
            limit: COUNTERS_MAX.max(limit),
        };
        let marked = self.query(CONGESTED, range).await?;
        let keys = marked
            .iter()
            .filter_map(|item| get_text(item, keys::PK))
            .map(|pk| key(pk, SORT))
            .collect();
        let mut sops = Vec::new();
        for item in self.batch(CONGESTED, keys).await? {
            let Some(sop) = get_text(&item, S2).and_then(|name| SopName::parse(name).ok()) else {
                continue;
            };
            if counters(&item).waiting > 0 {
                sops.push(sop);
            } else {
                self.unmark(tenant, &sop).await?;
            }
        }
        sops.sort();
        sops.truncate(limit);
        Ok(sops)
    }

    /// Takes a counter out of the index unless a run waits by now.
    async fn unmark(&self, tenant: &Tenant, sop: &SopName) -> Result<(), PortError> {
        let result = self
            .client
            .update_item()
            .table_name(&*self.table)
            .set_key(Some(key(keys::admission(tenant, sop), SORT)))
            .update_expression(format!("REMOVE {G2}, {S2}"))
            .condition_expression(format!("{WAITING} = :zero"))
            .expression_attribute_values(":zero", number(0))
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(failed(CONGESTED, error)),
            },
        }
    }
}

/// What a refused update of the counter means.
fn judge(slot: &SlotChange, assumed: Assumed, reason: &CancellationReason) -> Tried {
    let now = reason.item().map(counters).unwrap_or_default();
    if slot.active_max.is_some_and(|max| now.active >= max) {
        return Tried::Done(Append::Full);
    }
    let next = Assumed::of(&now, slot);
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
