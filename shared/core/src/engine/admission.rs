//! Who may run now: one counter item per SOP, for SOPs that have a limit.
//!
//! A run holds a slot exactly while a built-in works for it; a waiting run gives its slot back.

use serde::{Deserialize, Serialize};

use crate::definition::Definition;
use crate::engine::state::{End, Run, State};
use crate::id::{SopName, Tenant};
use crate::time::Timestamp;

/// What the counter item of an SOP says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Runs that hold a slot.
    pub active: u32,
    /// Runs that wait for one.
    pub waiting: u32,
    /// When a run of the SOP last completed.
    pub completed_at: Option<Timestamp>,
}

/// What becomes of an event that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It starts and, should it need a slot, tries to take one.
    Admit,
    /// It starts and, should it need a slot, waits for one.
    Queue,
    /// It starts nothing.
    Drop {
        /// Why, for people.
        reason: String,
    },
}

/// Decides whether an event may start a run at `now`.
///
/// In this order: a cooldown since the last completed run drops; a full SOP, or one whose queue has
/// others before this run, queues.
pub fn decide_admission(sop: &Definition, counters: &Counters, now: Timestamp) -> Admission {
    if let Some(completed_at) = counters.completed_at {
        let cooldown_ms =
            i64::try_from(sop.cooldown_secs).unwrap_or(i64::MAX).saturating_mul(1_000);
        let elapsed_ms = now.millis_since(completed_at);
        if elapsed_ms < cooldown_ms {
            return Admission::Drop {
                reason: format!(
                    "cooldown: {} s of {} s since the last completed run",
                    elapsed_ms.max(0) / 1_000,
                    sop.cooldown_secs
                ),
            };
        }
    }
    match sop.max_concurrent {
        Some(max) if counters.active >= max || counters.waiting > 0 => Admission::Queue,
        Some(_) | None => Admission::Admit,
    }
}

/// What a transition does to the counter item of its SOP, in the same write as the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotChange {
    /// Whose counter.
    pub tenant: Tenant,
    /// Of which SOP.
    pub sop: SopName,
    /// Added to `active`: -1, 0 or 1.
    pub active: i32,
    /// Added to `waiting`: -1, 0 or 1.
    pub waiting: i32,
    /// Refuse as full when `active` has reached this. Set exactly when `active` is 1.
    pub active_max: Option<u32>,
    /// The new `completed_at`; a later one that is there already stays.
    pub completed_at: Option<Timestamp>,
}

fn holds_slot(state: &State) -> bool {
    match state {
        State::Performing { .. } => true,
        State::Queued { .. }
        | State::AwaitingApproval { .. }
        | State::AwaitingPerson { .. }
        | State::Sleeping { .. }
        | State::Finished { .. } => false,
    }
}

fn waits_for_slot(state: &State) -> bool {
    matches!(state, State::Queued { .. })
}

/// What going from `before` to `after` means for the SOP's counter, or `None` when it stays as it is.
pub fn slot_change(sop: &Definition, before: Option<&Run>, after: &Run) -> Option<SlotChange> {
    let delta = |test: fn(&State) -> bool| {
        i32::from(test(&after.state)) - i32::from(before.is_some_and(|run| test(&run.state)))
    };
    let (active, waiting) = match sop.max_concurrent {
        Some(_) => (delta(holds_slot), delta(waits_for_slot)),
        None => (0, 0),
    };
    let completed_at = match after.state {
        State::Finished { end: End::Completed, at, .. } if sop.cooldown_secs > 0 => Some(at),
        State::Finished { .. }
        | State::Queued { .. }
        | State::AwaitingApproval { .. }
        | State::AwaitingPerson { .. }
        | State::Performing { .. }
        | State::Sleeping { .. } => None,
    };
    if active == 0 && waiting == 0 && completed_at.is_none() {
        return None;
    }
    Some(SlotChange {
        tenant: after.identity.tenant.clone(),
        sop: after.identity.sop.clone(),
        active,
        waiting,
        active_max: sop.max_concurrent.filter(|_| active > 0),
        completed_at,
    })
}
