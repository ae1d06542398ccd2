//! What an update of a counter takes for granted, and the update that says so.
//!
//! DynamoDB cannot clamp or take a maximum in an update, so an update first assumes that nothing has to
//! be clamped, under conditions that say so. What the refused update returns tells what to assume next.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, Update};
use sop_core::engine::{Counters, SlotChange};
use sop_runtime::port::PortError;

use super::{APPEND, SORT};
use crate::keys::{self, ACTIVE, AT, G4, LATEST, OPEN, PENDING, S4, WAITING};
use crate::store::attributes::{key, number, text};

/// What updates take for granted; their conditions say it again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Assumed {
    /// Of `active`, `waiting`, `open`, `pending`: it is zero already, and stays so.
    zero: [bool; 4],
    /// A later completion is there already, and stays.
    completed_later: bool,
    /// The workspace's count is zero already, and stays so.
    total_is_zero: bool,
}

/// What becomes of one count.
struct Part {
    name: &'static str,
    delta: i32,
    max: Option<u32>,
}

fn parts(slot: &SlotChange) -> [Part; 4] {
    [
        Part { name: ACTIVE, delta: slot.active, max: slot.active_max },
        Part { name: WAITING, delta: slot.waiting, max: None },
        Part { name: OPEN, delta: slot.open, max: slot.open_max },
        Part { name: PENDING, delta: slot.pending, max: slot.pending_max },
    ]
}

fn counts(now: &Counters) -> [u32; 4] {
    [now.active, now.waiting, now.open, now.pending]
}

/// Whether a count of the SOP has reached its bound in `slot`.
pub(super) fn is_full(slot: &SlotChange, now: &Counters) -> bool {
    let mut parts = parts(slot).into_iter().zip(counts(now));
    parts.any(|(part, count)| part.max.is_some_and(|max| count >= max))
}

/// The bound of the workspace's count, where `slot` changes that.
pub(super) fn total_max(slot: &SlotChange) -> Option<u32> {
    slot.total_max.filter(|_| slot.active != 0)
}

/// Whether the workspace's count has reached its bound in `slot`.
pub(super) fn is_total_full(slot: &SlotChange, now: u32) -> bool {
    slot.active > 0 && total_max(slot).is_some_and(|max| now >= max)
}

impl Assumed {
    /// What has to be assumed where the SOP's counter says `now`; the workspace's as before.
    pub(super) fn of_counter(self, slot: &SlotChange, now: &Counters) -> Self {
        let mut zero = [false; 4];
        for ((is_zero, part), count) in zero.iter_mut().zip(parts(slot)).zip(counts(now)) {
            *is_zero = part.delta < 0 && count == 0;
        }
        let completed_later = slot.completed_at.is_some_and(|at| Some(at) <= now.completed_at);
        Self { zero, completed_later, ..self }
    }

    /// What has to be assumed where the workspace's counter says `now`; the SOP's as before.
    pub(super) fn of_total(self, slot: &SlotChange, now: u32) -> Self {
        Self { total_is_zero: slot.active < 0 && now == 0, ..self }
    }

    /// The update of the SOP's counter that applies `slot` as far as is left to do.
    pub(super) fn counter_update(
        self,
        table: &str,
        slot: &SlotChange,
    ) -> Result<Update, PortError> {
        let mut draft = Draft::of(table, keys::admission(&slot.tenant, &slot.sop));
        for (part, is_zero) in parts(slot).into_iter().zip(self.zero) {
            draft.count(&part, is_zero);
        }
        if slot.waiting > 0 {
            draft.sets.push(format!("{G4} = :g, {S4} = :s"));
            draft.value(":g", text(keys::congested_of(&slot.tenant)));
            draft.value(":s", text(slot.sop.as_str()));
        }
        if let Some(latest) = &slot.latest {
            draft.sets.push(format!("{LATEST} = :latest"));
            draft.value(":latest", text(latest.as_str()));
        }
        if let Some(at) = slot.completed_at.filter(|_| !self.completed_later) {
            draft.sets.push(format!("{AT} = :at"));
            draft.holds.push(format!("(attribute_not_exists({AT}) OR {AT} < :at)"));
            draft.value(":at", number(at.as_millis()));
        }
        draft.build()
    }

    /// The update of the workspace's counter, where `slot` changes that.
    pub(super) fn total_update(
        self,
        table: &str,
        slot: &SlotChange,
    ) -> Result<Option<Update>, PortError> {
        let Some(max) = total_max(slot) else { return Ok(None) };
        let mut draft = Draft::of(table, keys::total(&slot.tenant));
        let max = (slot.active > 0).then_some(max);
        draft.count(&Part { name: ACTIVE, delta: slot.active, max }, self.total_is_zero);
        draft.build().map(Some)
    }
}

/// An update in the making.
struct Draft {
    update: UpdateBuilder,
    sets: Vec<String>,
    holds: Vec<String>,
}

impl Draft {
    fn of(table: &str, pk: String) -> Self {
        let update = Update::builder().table_name(table).set_key(Some(key(pk, SORT)));
        Self { update, sets: Vec::new(), holds: Vec::new() }
    }

    fn value(&mut self, name: impl Into<String>, value: aws_sdk_dynamodb::types::AttributeValue) {
        let update = std::mem::take(&mut self.update);
        self.update = update.expression_attribute_values(name, value);
    }

    /// Adds `part.delta` to the count, under its bound; a count that `is_zero` stays so.
    fn count(&mut self, part: &Part, is_zero: bool) {
        let Part { name, delta, max } = *part;
        if is_zero {
            self.holds.push(format!("(attribute_not_exists({name}) OR {name} = :zero)"));
        } else if delta != 0 {
            self.sets.push(format!("{name} = if_not_exists({name}, :zero) + :{name}"));
            self.value(format!(":{name}"), number(delta));
        }
        if delta < 0 && !is_zero {
            self.holds.push(format!("{name} >= :need{name}"));
            self.value(format!(":need{name}"), number(delta.unsigned_abs()));
        }
        if let Some(max) = max {
            // A counter that is not there yet says zero, which is below any limit but zero.
            self.holds.push(match max {
                0 => format!("{name} < :max{name}"),
                1.. => format!("(attribute_not_exists({name}) OR {name} < :max{name})"),
            });
            self.value(format!(":max{name}"), number(max));
        }
    }

    fn build(mut self) -> Result<Update, PortError> {
        // Nothing left to set: the item is made sure of, so that there is one thing to write.
        if self.sets.is_empty() {
            self.sets.push(format!("{ACTIVE} = if_not_exists({ACTIVE}, :zero)"));
        }
        let all = format!("{} {}", self.sets.join(" "), self.holds.join(" "));
        if all.contains(":zero") {
            self.value(":zero", number(0));
        }
        let mut update = self.update;
        if !self.holds.is_empty() {
            update = update.condition_expression(self.holds.join(" AND "));
        }
        update
            .update_expression(format!("SET {}", self.sets.join(", ")))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| PortError::permanent(APPEND, error))
    }
}
