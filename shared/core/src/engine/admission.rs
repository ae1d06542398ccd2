//! Who may run now: one counter item per SOP, for SOPs that have a limit.
//!
//! A run holds a slot exactly while a built-in works for it; a waiting run gives its slot back.

use serde::{Deserialize, Serialize};

use crate::definition::{AdmissionPolicy, Definition};
use crate::engine::state::{End, Phase, Run, Stand};
use crate::id::{RunId, SopName, Tenant};
use crate::time::Timestamp;

/// What the counter item of an SOP says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Runs that hold a slot.
    pub active: u32,
    /// Runs that wait for one, or to begin.
    pub waiting: u32,
    /// Runs that have begun and are not over. Counted for SOPs whose runs go one at a time.
    #[serde(default)]
    pub open: u32,
    /// Runs that wait at a gate. Counted for SOPs that bound them.
    #[serde(default)]
    pub pending: u32,
    /// When a run of the SOP last completed.
    pub completed_at: Option<Timestamp>,
    /// The run that began last. Kept for SOPs whose runs go one at a time.
    #[serde(default)]
    pub latest: Option<RunId>,
}

/// What becomes of an event that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It starts and, should it need a slot, tries to take one.
    Admit,
    /// It starts and waits for a slot, or to begin.
    Queue,
    /// It starts nothing: a run that is under way stands for it.
    Coalesce {
        /// That run.
        run: RunId,
    },
    /// It starts nothing.
    Drop {
        /// Why, for people.
        reason: String,
    },
}

/// Decides whether an event may start a run at `now`.
///
/// `total` is the number of runs in the workspace that hold a slot; it counts only where the workspace is
/// limited. In this order: a cooldown since the last completed run drops; then the cap on runs at gates and
/// the limits queue, or do what the SOP's admission policy says instead.
pub fn decide_admission(
    sop: &Definition,
    counters: &Counters,
    total: u32,
    now: Timestamp,
) -> Admission {
    if let Some(reason) = cooling(sop, counters, now) {
        return Admission::Drop { reason };
    }
    let Some(busy) = busy(sop, counters, total) else { return Admission::Admit };
    match sop.admission_policy {
        AdmissionPolicy::Drop => Admission::Drop { reason: busy },
        AdmissionPolicy::Coalesce => match &counters.latest {
            Some(run) if counters.open > 0 => Admission::Coalesce { run: run.clone() },
            Some(_) | None => Admission::Queue,
        },
        AdmissionPolicy::Queue | AdmissionPolicy::Parallel | AdmissionPolicy::Hold => {
            Admission::Queue
        }
    }
}

fn cooling(sop: &Definition, counters: &Counters, now: Timestamp) -> Option<String> {
    // The counter outlives the version that had a cooldown.
    let completed_at = counters.completed_at.filter(|_| sop.cooldown_secs > 0)?;
    let cooldown_ms = i64::try_from(sop.cooldown_secs).unwrap_or(i64::MAX).saturating_mul(1_000);
    let elapsed_ms = now.millis_since(completed_at);
    (elapsed_ms < cooldown_ms).then(|| {
        format!(
            "cooldown: {} s of {} s since the last completed run",
            elapsed_ms.max(0) / 1_000,
            sop.cooldown_secs
        )
    })
}

/// Why a run of `sop` may not begin now.
fn busy(sop: &Definition, counters: &Counters, total: u32) -> Option<String> {
    if let Some(max) = sop.max_pending_approvals
        && counters.pending >= max
    {
        return Some(format!("{} runs wait at a gate, of at most {max}", counters.pending));
    }
    if sop.admission_policy.is_one_at_a_time() && counters.open > 0 {
        return Some("another run of it is under way".to_owned());
    }
    if let Some(max) = sop.max_concurrent
        && counters.active >= max
    {
        return Some(format!("{} runs of it are running, of at most {max}", counters.active));
    }
    if let Some(max) = sop.max_concurrent_total
        && total >= max
    {
        return Some(format!("{total} runs of the workspace are running, of at most {max}"));
    }
    // Whoever came before goes before.
    (counters.waiting > 0).then(|| format!("{} runs of it wait before this one", counters.waiting))
}

/// What a transition does to the counter item of its SOP, in the same write as the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotChange {
    /// Whose counter.
    pub tenant: Tenant,
    /// Of which SOP.
    pub sop: SopName,
    /// Added to `active`, and to the workspace's where it is limited: -1, 0 or 1.
    pub active: i32,
    /// Added to `waiting`: -1, 0 or 1.
    pub waiting: i32,
    /// Added to `open`: -1, 0 or 1.
    pub open: i32,
    /// Added to `pending`: -1, 0 or 1.
    pub pending: i32,
    /// Refuse as full when `active` has reached this.
    pub active_max: Option<u32>,
    /// Refuse as full when `open` has reached this.
    pub open_max: Option<u32>,
    /// Refuse as full when `pending` has reached this.
    pub pending_max: Option<u32>,
    /// `active` changes the workspace's counter too; refuse as full when that has reached the bound and
    /// `active` is 1.
    pub total_max: Option<u32>,
    /// The new `completed_at`; a later one that is there already stays.
    pub completed_at: Option<Timestamp>,
    /// The new `latest`.
    pub latest: Option<RunId>,
}

impl SlotChange {
    /// Whether it makes room for a run that waits.
    pub fn frees(&self) -> bool {
        self.active < 0 || self.open < 0 || self.pending < 0
    }
}

fn holds_slot(run: &Run) -> bool {
    run.live.iter().any(|live| matches!(live.stand, Stand::Performer { .. }))
}

/// Whether it waits for a slot, or to begin.
pub(super) fn waits_for_slot(run: &Run) -> bool {
    match run.phase {
        Phase::Held { .. } => true,
        Phase::Open => run.live.iter().any(|live| matches!(live.stand, Stand::Slot)),
        Phase::Paused { .. } | Phase::Finished { .. } => false,
    }
}

fn is_open(run: &Run) -> bool {
    match run.phase {
        Phase::Open | Phase::Paused { held: None, .. } => true,
        Phase::Held { .. } | Phase::Paused { held: Some(_), .. } | Phase::Finished { .. } => false,
    }
}

fn is_pending(run: &Run) -> bool {
    run.live.iter().any(|live| matches!(live.stand, Stand::Approval(_)))
}

impl Definition {
    /// Whether a run that may not go on at once is held back before it begins, gate and all, rather than at
    /// its first step that needs a slot.
    pub fn holds_whole_runs(&self) -> bool {
        self.admission_policy.is_one_at_a_time() || self.max_pending_approvals.is_some()
    }

    /// Whether runs of it can wait for each other.
    pub fn has_queue(&self) -> bool {
        self.has_slots() || self.holds_whole_runs()
    }
}

/// What going from `before` to `after` means for the SOP's counter, or `None` when it stays as it is.
pub fn slot_change(sop: &Definition, before: Option<&Run>, after: &Run) -> Option<SlotChange> {
    let delta = |counts: bool, test: fn(&Run) -> bool| {
        if counts { i32::from(test(after)) - i32::from(before.is_some_and(test)) } else { 0 }
    };
    let one_at_a_time = sop.admission_policy.is_one_at_a_time();
    let active = delta(sop.has_slots(), holds_slot);
    let waiting = delta(sop.has_queue(), waits_for_slot);
    let open = delta(one_at_a_time, is_open);
    let pending = delta(sop.max_pending_approvals.is_some(), is_pending);
    let begins = is_open(after) && !before.is_some_and(is_open);
    let completed_at = match after.phase {
        Phase::Finished { end: End::Completed, at, .. } if sop.cooldown_secs > 0 => Some(at),
        Phase::Finished { .. } | Phase::Held { .. } | Phase::Open | Phase::Paused { .. } => None,
    };
    let pending_max = sop.max_pending_approvals.filter(|_| begins);
    let is_nothing = active == 0 && waiting == 0 && open == 0 && pending == 0;
    if is_nothing && completed_at.is_none() && pending_max.is_none() {
        return None;
    }
    Some(SlotChange {
        tenant: after.identity.tenant.clone(),
        sop: after.identity.sop.clone(),
        active,
        waiting,
        open,
        pending,
        active_max: sop.max_concurrent.filter(|_| active > 0),
        open_max: (one_at_a_time && open > 0).then_some(1),
        pending_max,
        total_max: sop.max_concurrent_total.filter(|_| active != 0),
        completed_at,
        latest: (one_at_a_time && open > 0).then(|| after.identity.id.clone()),
    })
}
