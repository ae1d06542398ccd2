//! Admission counters, changed with an entry or not at all.

use futures_util::future::join_all;
use sop_core::Timestamp;
use sop_core::engine::{Counters, SlotChange};
use sop_core::id::{RunId, SopName, Tenant};
use sop_core::journal::Sealed;
use sop_runtime::port::{Append, Journal};

use crate::conformance::{LAG_MAX, settled};
use crate::ids::{EPOCH, fresh_run, fresh_tenant, no_change, sealed, sop};
use crate::patience::eventually;

pub(super) async fn counters<S: Journal>(store: &S) {
    a_slot_changes_with_its_entry_or_not_at_all(store).await;
    for count in Bound::ALL {
        a_full_count_takes_nothing(store, count).await;
        a_taken_place_is_told_before_a_full_count(store, count).await;
        no_more_than_the_limit_take_a_slot_at_once(store, count).await;
    }
    every_bound_holds_beside_the_others(store).await;
    a_bound_holds_where_its_count_stays(store).await;
    takers_and_givers_at_once_add_up(store).await;
    counters_never_go_below_zero(store).await;
    the_last_completion_only_moves_forward(store).await;
    the_latest_run_is_the_one_given_last(store).await;
    counters_belong_to_one_tenant_and_sop(store).await;
    the_total_is_the_tenants_and_counts_where_it_is_asked_for(store).await;
    sops_with_waiting_runs_are_congested(store).await;
}

/// A count that may have a bound.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Active,
    Open,
    Pending,
    Total,
}

impl Bound {
    const ALL: [Self; 4] = [Self::Active, Self::Open, Self::Pending, Self::Total];

    /// `slot`, adding `delta` to this count under the bound `max`.
    fn add(self, slot: SlotChange, delta: i32, max: Option<u32>) -> SlotChange {
        match self {
            Self::Active => SlotChange { active: delta, active_max: max, ..slot },
            Self::Open => SlotChange { open: delta, open_max: max, ..slot },
            Self::Pending => SlotChange { pending: delta, pending_max: max, ..slot },
            Self::Total => SlotChange { active: delta, total_max: max.or(Some(u32::MAX)), ..slot },
        }
    }

    fn of(self, seen: &Seen) -> u32 {
        match self {
            Self::Active => seen.counters.active,
            Self::Open => seen.counters.open,
            Self::Pending => seen.counters.pending,
            Self::Total => seen.total,
        }
    }
}

/// The counters of an SOP and its tenant's total.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Seen {
    counters: Counters,
    total: u32,
}

async fn seen<S: Journal>(store: &S, tenant: &Tenant, sop: &SopName) -> Seen {
    let counters = store.counters(tenant, sop).await.expect("the counters are read");
    Seen { counters, total: store.total(tenant).await.expect("the total is read") }
}

/// Every count is changed by `delta`, and none bound.
fn everything(tenant: &Tenant, sop: &SopName, delta: i32) -> SlotChange {
    let slot = no_change(tenant, sop);
    let total_max = Some(u32::MAX);
    SlotChange { active: delta, waiting: delta, open: delta, pending: delta, total_max, ..slot }
}

fn first_of(slot: &SlotChange) -> Sealed {
    sealed(&fresh_run(&slot.tenant, &slot.sop, EPOCH), 0, "start")
}

/// Appends the change alone, as the first entry of a new run.
async fn apply<S: Journal>(store: &S, slot: &SlotChange) -> Append {
    store.append(&first_of(slot), Some(slot)).await.expect("the entry is appended")
}

async fn is_applied<S: Journal>(store: &S, slot: &SlotChange) {
    assert_eq!(apply(store, slot).await, Append::Appended, "{slot:?}");
}

async fn has_entry<S: Journal>(store: &S, run: &RunId) -> bool {
    store.latest(run).await.expect("read").is_some()
}

async fn a_slot_changes_with_its_entry_or_not_at_all<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("together"));
    let run = fresh_run(&tenant, &sop, EPOCH);
    let slot = SlotChange {
        active_max: Some(9),
        open_max: Some(9),
        pending_max: Some(9),
        total_max: Some(9),
        latest: Some(run.clone()),
        ..everything(&tenant, &sop, 1)
    };
    let entry = sealed(&run, 0, "start");
    assert_eq!(store.append(&entry, Some(&slot)).await.expect("appended"), Append::Appended);
    let latest = Some(run.clone());
    let counters =
        Counters { active: 1, waiting: 1, open: 1, pending: 1, completed_at: None, latest };
    let one = Seen { counters, total: 1 };
    assert_eq!(seen(store, &tenant, &sop).await, one);
    let duplicate = store.append(&entry, Some(&slot)).await.expect("answered");
    assert_eq!(duplicate, Append::Duplicate(Box::new(entry)));
    let other = sealed(&run, 0, "other");
    let finish = SlotChange { completed_at: Some(EPOCH), ..everything(&tenant, &sop, -1) };
    for slot in [&slot, &finish] {
        let conflict = store.append(&other, Some(slot)).await.expect("answered");
        assert_eq!(conflict, Append::Conflict);
    }
    assert_eq!(seen(store, &tenant, &sop).await, one, "only the first append counts");
    let next = sealed(&run, 1, "finish");
    assert_eq!(store.append(&next, Some(&finish)).await.expect("appended"), Append::Appended);
    let latest = Some(run);
    let counters = Counters { completed_at: Some(EPOCH), latest, ..Counters::default() };
    assert_eq!(seen(store, &tenant, &sop).await, Seen { counters, total: 0 });
}

async fn a_full_count_takes_nothing<S: Journal>(store: &S, count: Bound) {
    let (tenant, sop) = (fresh_tenant(), sop("full"));
    let take = |max| count.add(no_change(&tenant, &sop), 1, Some(max));
    is_applied(store, &take(1)).await;
    let before = seen(store, &tenant, &sop).await;
    assert_eq!(count.of(&before), 1, "{count:?}");
    let run = fresh_run(&tenant, &sop, EPOCH);
    let entry = sealed(&run, 0, "start");
    let taking =
        SlotChange { waiting: 1, completed_at: Some(EPOCH), latest: Some(run.clone()), ..take(1) };
    for waiting in [-1, 0, 1] {
        let taking = SlotChange { waiting, ..taking.clone() };
        assert_eq!(store.append(&entry, Some(&taking)).await.expect("answered"), Append::Full);
    }
    assert!(!has_entry(store, &run).await, "{count:?}: nothing is appended");
    assert_eq!(seen(store, &tenant, &sop).await, before, "{count:?}");
    assert_eq!(store.append(&entry, Some(&take(2))).await.expect("appended"), Append::Appended);
    assert_eq!(apply(store, &take(1)).await, Append::Full, "{count:?}: 2 is above 1");
    let untouched = fresh_tenant();
    let none = count.add(no_change(&untouched, &sop), 1, Some(0));
    assert_eq!(apply(store, &none).await, Append::Full, "{count:?}: none of none");
    assert_eq!(seen(store, &untouched, &sop).await, Seen::default());
    for _ in 0..2 {
        is_applied(store, &count.add(no_change(&tenant, &sop), -1, None)).await;
    }
    is_applied(store, &take(1)).await;
}

async fn a_taken_place_is_told_before_a_full_count<S: Journal>(store: &S, count: Bound) {
    let (tenant, sop) = (fresh_tenant(), sop("precedence"));
    let slot = count.add(no_change(&tenant, &sop), 1, Some(1));
    let entry = first_of(&slot);
    assert_eq!(store.append(&entry, Some(&slot)).await.expect("appended"), Append::Appended);
    let duplicate = Append::Duplicate(Box::new(entry.clone()));
    assert_eq!(store.append(&entry, Some(&slot)).await.expect("answered"), duplicate);
    let other = sealed(&entry.run, 0, "other");
    assert_eq!(store.append(&other, Some(&slot)).await.expect("answered"), Append::Conflict);
}

async fn no_more_than_the_limit_take_a_slot_at_once<S: Journal>(store: &S, count: Bound) {
    let tenant = fresh_tenant();
    // What counts for the tenant counts for all its SOPs together.
    let sops = match count {
        Bound::Active | Bound::Open | Bound::Pending => vec![sop("crowd")],
        Bound::Total => ["crowd-1", "crowd-2", "crowd-3", "crowd-4"].map(sop).to_vec(),
    };
    let slots = sops.iter().map(|sop| count.add(no_change(&tenant, sop), 1, Some(3)));
    let slots: Vec<_> = slots.cycle().take(32).map(|slot| (first_of(&slot), slot)).collect();
    let race = slots
        .iter()
        .map(async |(entry, slot)| settled("take", || store.append(entry, Some(slot))).await);
    let answers = join_all(race).await;
    let full = answers.iter().filter(|answer| **answer == Append::Full).count();
    assert_eq!(full, 29, "{count:?}: {answers:?}");
    let mut counted = 0;
    for sop in &sops {
        let seen = seen(store, &tenant, sop).await;
        assert!(count.of(&seen) <= 3);
        counted = match count {
            Bound::Total => seen.total,
            Bound::Active | Bound::Open | Bound::Pending => count.of(&seen),
        };
    }
    assert_eq!(counted, 3, "{count:?}");
    let mut started = 0;
    for (entry, _) in &slots {
        started += usize::from(has_entry(store, &entry.run).await);
    }
    assert_eq!(started, 3, "{count:?}: a run that found no room has no entry");
}

/// Every set of the four bounds is reached in turn.
async fn every_bound_holds_beside_the_others<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("beside"));
    is_applied(store, &everything(&tenant, &sop, 1)).await;
    let one = seen(store, &tenant, &sop).await;
    for reached in (0..16_usize).rev() {
        let max = |bit: usize| Some(if reached & bit == 0 { 2 } else { 1 });
        let slot = SlotChange {
            active_max: max(1),
            open_max: max(2),
            pending_max: max(4),
            total_max: max(8),
            ..everything(&tenant, &sop, 1)
        };
        let entry = first_of(&slot);
        let answer = store.append(&entry, Some(&slot)).await.expect("answered");
        let expected = if reached == 0 { Append::Appended } else { Append::Full };
        assert_eq!(answer, expected, "bounds reached: {reached:04b}");
        assert_eq!(has_entry(store, &entry.run).await, reached == 0);
        if reached != 0 {
            assert_eq!(seen(store, &tenant, &sop).await, one, "bounds reached: {reached:04b}");
        }
    }
    let two = seen(store, &tenant, &sop).await;
    assert_eq!(Bound::ALL.map(|count| count.of(&two)), [2; 4]);
}

async fn a_bound_holds_where_its_count_stays<S: Journal>(store: &S) {
    for count in [Bound::Active, Bound::Open, Bound::Pending] {
        let (tenant, sop) = (fresh_tenant(), sop("stays"));
        let asking = count.add(no_change(&tenant, &sop), 0, Some(1));
        is_applied(store, &asking).await;
        assert_eq!(seen(store, &tenant, &sop).await, Seen::default(), "{count:?}");
        is_applied(store, &count.add(no_change(&tenant, &sop), 1, None)).await;
        assert_eq!(apply(store, &asking).await, Append::Full, "{count:?}");
        let beside = SlotChange { waiting: 1, ..asking };
        assert_eq!(apply(store, &beside).await, Append::Full, "{count:?}");
        let more = count.add(no_change(&tenant, &sop), 0, Some(2));
        is_applied(store, &more).await;
        let counters = seen(store, &tenant, &sop).await;
        assert_eq!((count.of(&counters), counters.counters.waiting), (1, 0), "{count:?}");
    }
}

async fn takers_and_givers_at_once_add_up<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("churn"));
    let slots: Vec<_> =
        (0..8).map(|_| everything(&tenant, &sop, 1)).map(|slot| (first_of(&slot), slot)).collect();
    for (entry, slot) in &slots {
        let answer = store.append(entry, Some(slot)).await.expect("appended");
        assert_eq!(answer, Append::Appended);
    }
    let give = everything(&tenant, &sop, -1);
    let ends = slots.iter().map(|(entry, _)| (sealed(&entry.run, 1, "end"), give.clone()));
    let starts = slots.iter().map(|(_, slot)| (first_of(slot), slot.clone()));
    let changes: Vec<_> = ends.zip(starts).flat_map(|(end, start)| [end, start]).collect();
    let race = changes
        .iter()
        .map(async |(entry, slot)| settled("churn", || store.append(entry, Some(slot))).await);
    for answer in join_all(race).await {
        assert!(matches!(answer, Append::Appended | Append::Duplicate(_)), "{answer:?}");
    }
    let now = seen(store, &tenant, &sop).await;
    assert_eq!(Bound::ALL.map(|count| count.of(&now)), [8; 4]);
    assert_eq!(now.counters.waiting, 8);
}

/// Every one of `active`, `waiting`, `open`, `pending`, with a total that follows `active`.
async fn counters_never_go_below_zero<S: Journal>(store: &S) {
    let cases = [
        [-1, 0, 0, 0],
        [0, -1, 0, 0],
        [0, 0, -1, 0],
        [0, 0, 0, -1],
        [-1, -1, -1, -1],
        [1, -1, 1, -1],
        [-1, 1, -1, 1],
        [-1, 1, -1, 1],
        [1, -1, 1, -1],
        [-1, -1, 1, 1],
        [-1, -1, -1, -1],
        [1, 1, -1, -1],
        [-1, -1, -1, -1],
        [-1, -1, -1, -1],
    ];
    let (tenant, elsewhere) = (fresh_tenant(), sop("elsewhere"));
    let sop = sop("floor");
    // Another SOP of the tenant holds one of the total, so that it does not go with `active`.
    let other = SlotChange { active: 1, total_max: Some(9), ..no_change(&tenant, &elsewhere) };
    is_applied(store, &other).await;
    let mut expected = [0_u32; 4];
    let mut total = 1_u32;
    for (i, deltas) in cases.into_iter().enumerate() {
        let [active, waiting, open, pending] = deltas;
        let active_max = (active > 0).then_some(5);
        let total_max = Some(5);
        let slot = no_change(&tenant, &sop);
        let slot = SlotChange { active, waiting, open, pending, active_max, total_max, ..slot };
        assert_eq!(apply(store, &slot).await, Append::Appended, "case {i}");
        for (count, delta) in expected.iter_mut().zip(deltas) {
            *count = count.saturating_add_signed(delta);
        }
        total = total.saturating_add_signed(active);
        let Seen { counters: now, total: total_now } = seen(store, &tenant, &sop).await;
        let found = [now.active, now.waiting, now.open, now.pending];
        assert_eq!((found, total_now), (expected, total), "case {i}: {deltas:?}");
    }
}

async fn the_last_completion_only_moves_forward<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("cooldown"));
    let mut latest: Option<Timestamp> = None;
    for offset in [5_000, 1_000, 5_001, 5_001, -60_000] {
        let at = EPOCH.plus_millis(offset);
        let slot = SlotChange { completed_at: Some(at), ..no_change(&tenant, &sop) };
        assert_eq!(apply(store, &slot).await, Append::Appended, "at {offset}");
        latest = latest.max(Some(at));
        assert_eq!(seen(store, &tenant, &sop).await.counters.completed_at, latest);
    }
    let earlier = SlotChange {
        active_max: Some(1),
        completed_at: Some(EPOCH),
        ..everything(&tenant, &sop, 1)
    };
    is_applied(store, &earlier).await;
    let counters =
        Counters { active: 1, waiting: 1, open: 1, pending: 1, completed_at: latest, latest: None };
    let expected = Seen { counters, total: 1 };
    assert_eq!(seen(store, &tenant, &sop).await, expected, "what else changes still does");
    // An older completion, a slot given back twice and a count that is there, all at once.
    let again = SlotChange { waiting: 1, ..everything(&tenant, &sop, -1) };
    let again = SlotChange { completed_at: Some(EPOCH), ..again };
    for (open, waiting) in [(0, 2), (0, 3)] {
        is_applied(store, &again).await;
        let Seen { counters: now, total } = seen(store, &tenant, &sop).await;
        assert_eq!((now.active, now.open, now.waiting, total), (0, open, waiting, 0));
        assert_eq!(now.completed_at, latest);
    }
}

async fn the_latest_run_is_the_one_given_last<S: Journal>(store: &S) {
    let (tenant, sop) = (fresh_tenant(), sop("latest"));
    let (early, late) = (EPOCH, EPOCH.plus_millis(1_000));
    let runs = [late, early].map(|at| fresh_run(&tenant, &sop, at));
    for given in [Some(&runs[0]), None, Some(&runs[1]), None, Some(&runs[0])] {
        let before = seen(store, &tenant, &sop).await.counters.latest;
        let open = i32::from(given.is_some());
        let slot = SlotChange { open, latest: given.cloned(), ..no_change(&tenant, &sop) };
        is_applied(store, &slot).await;
        let expected = given.cloned().or(before);
        assert_eq!(seen(store, &tenant, &sop).await.counters.latest, expected);
    }
    let alone = SlotChange { latest: Some(runs[1].clone()), ..no_change(&tenant, &sop) };
    is_applied(store, &alone).await;
    assert_eq!(seen(store, &tenant, &sop).await.counters.latest.as_ref(), Some(&runs[1]));
    let full = SlotChange { open: 1, open_max: Some(1), latest: Some(runs[0].clone()), ..alone };
    assert_eq!(apply(store, &full).await, Append::Full);
    assert_eq!(seen(store, &tenant, &sop).await.counters.latest.as_ref(), Some(&runs[1]));
}

async fn counters_belong_to_one_tenant_and_sop<S: Journal>(store: &S) {
    let (tenant, mine) = (fresh_tenant(), sop("mine"));
    for (tenant, sop) in
        [(&tenant, mine.clone()), (&tenant, sop("mine.2")), (&fresh_tenant(), mine.clone())]
    {
        is_applied(store, &everything(tenant, &sop, 1)).await;
    }
    let now = seen(store, &tenant, &mine).await;
    assert_eq!(Bound::ALL.map(|count| count.of(&now)), [1, 1, 1, 2]);
}

async fn the_total_is_the_tenants_and_counts_where_it_is_asked_for<S: Journal>(store: &S) {
    let (tenant, theirs) = (fresh_tenant(), fresh_tenant());
    let sops = ["TOTAL", "total", "b"].map(sop);
    for (i, sop) in (1..).zip(&sops) {
        let slot = SlotChange { active: 1, total_max: Some(3), ..no_change(&tenant, sop) };
        is_applied(store, &slot).await;
        assert_eq!(store.total(&tenant).await.expect("read"), i);
        assert_eq!(seen(store, &tenant, sop).await.counters.active, 1);
    }
    assert_eq!(store.total(&theirs).await.expect("read"), 0);
    let take = |tenant| SlotChange { active: 1, total_max: Some(3), ..no_change(tenant, &sops[0]) };
    assert_eq!(apply(store, &take(&tenant)).await, Append::Full);
    is_applied(store, &take(&theirs)).await;
    // An SOP whose workspace is not limited is not counted, either way.
    for active in [1, 1, -1] {
        is_applied(store, &SlotChange { active, ..no_change(&tenant, &sop("other")) }).await;
        assert_eq!(store.total(&tenant).await.expect("read"), 3);
    }
    // What does not take a slot is not bound, and changes nothing there.
    for waiting in [1, -1] {
        let slot = SlotChange { waiting, total_max: Some(1), ..no_change(&tenant, &sops[1]) };
        is_applied(store, &slot).await;
        assert_eq!(store.total(&tenant).await.expect("read"), 3);
    }
    for left in [2, 1, 0, 0] {
        let slot = SlotChange { active: -1, total_max: Some(1), ..no_change(&tenant, &sops[2]) };
        is_applied(store, &slot).await;
        assert_eq!(store.total(&tenant).await.expect("read"), left, "given back under the bound");
    }
    let counted = seen(store, &tenant, &sops[0]).await;
    assert_eq!((counted.counters.active, counted.total), (1, 0));
}

async fn sops_with_waiting_runs_are_congested<S: Journal>(store: &S) {
    let tenant = fresh_tenant();
    for name in ["b", "a", "c"] {
        let wait = SlotChange { waiting: 1, ..no_change(&tenant, &sop(name)) };
        is_applied(store, &wait).await;
        is_applied(store, &wait).await;
    }
    let idle = SlotChange { waiting: 0, ..everything(&tenant, &sop("idle"), 1) };
    is_applied(store, &idle).await;
    let leave = SlotChange { waiting: -1, ..no_change(&tenant, &sop("b")) };
    let congested = async |limit: usize| {
        let mut sops = store.congested(&tenant, limit).await.expect("listed");
        sops.sort();
        sops
    };
    for (expected, what) in [
        (vec![sop("a"), sop("b"), sop("c")], "all three are congested"),
        (vec![sop("a"), sop("b"), sop("c")], "one of two left"),
        (vec![sop("a"), sop("c")], "both left"),
    ] {
        eventually(what, LAG_MAX, async || congested(100).await == expected).await;
        is_applied(store, &leave).await;
    }
    assert_eq!(congested(1).await.len(), 1);
    assert_eq!(store.congested(&fresh_tenant(), 10).await.expect("listed"), []);
}
