//! Who may run now.

use sop_core::definition::AdmissionPolicy;
use sop_core::engine::{Admission, Counters, decide_admission};
use sop_core::id::RunId;

use super::{at, definition, identity};

fn answer(sop: &sop_core::definition::Definition, counters: &Counters, total: u32) -> String {
    match decide_admission(sop, counters, total, at(1000)) {
        Admission::Admit => "A".to_owned(),
        Admission::Queue => "Q".to_owned(),
        Admission::Coalesce { run } => {
            assert_eq!(Some(run), counters.latest);
            "C".to_owned()
        }
        Admission::Drop { reason } => format!("D {reason}"),
    }
}

/// L1, L11, L12: what becomes of an event at 1000 s, by limit, cooldown and counters; `D` drops, `Q` queues,
/// `A` admits.
#[test]
fn admission() {
    type Case = (Option<u32>, u64, u32, u32, Option<i64>, &'static str);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (None,    0,         0, 0, None,       "A"),
        (None,    0,         9, 0, Some(1000), "A"),
        (Some(1), 0,         0, 0, None,       "A"),
        (Some(1), 0,         1, 0, None,       "Q"),
        (Some(1), 0,         0, 1, None,       "Q"),
        (Some(3), 0,         2, 0, None,       "A"),
        (Some(3), 0,         3, 0, None,       "Q"),
        (Some(3), 0,         4, 0, None,       "Q"),
        (Some(3), 0,         2, 1, None,       "Q"),
        (None,    60,        0, 0, None,       "A"),
        (None,    60,        0, 0, Some(1000), "D cooldown: 0 s of 60 s since the last completed run"),
        (None,    60,        0, 0, Some(941),  "D cooldown: 59 s of 60 s since the last completed run"),
        (None,    60,        0, 0, Some(940),  "A"),
        (None,    60,        0, 0, Some(2000), "D cooldown: 0 s of 60 s since the last completed run"),
        // What an earlier version of the SOP left in the counter, and a clock that went back.
        (None,    0,         0, 0, Some(2000), "A"),
        (Some(1), 60,        1, 5, Some(990),  "D cooldown: 10 s of 60 s since the last completed run"),
        (Some(1), 60,        1, 0, Some(0),    "Q"),
        (None,    u64::MAX,  0, 0, Some(0),    "D cooldown: 1000 s of 18446744073709551615 s since the last completed run"),
    ];
    for (max_concurrent, cooldown_secs, active, waiting, completed, expected) in cases {
        let mut sop = definition("n");
        sop.max_concurrent = *max_concurrent;
        sop.cooldown_secs = *cooldown_secs;
        let counters = Counters {
            active: *active,
            waiting: *waiting,
            completed_at: completed.map(at),
            ..Counters::default()
        };
        let answer = answer(&sop, &counters, 0);
        assert_eq!(answer, *expected, "{max_concurrent:?} {cooldown_secs} {counters:?}");
    }
}

/// L8, L12, L14, L15, L16, L17, L18: what each policy does with an event, by what the counters say.
///
/// Columns: active, waiting, open, pending, whether a latest run is known, active in the workspace; then the
/// answers of `queue`, `parallel`, `hold`, `coalesce` and `drop` (`D` with whatever reason). The SOP takes 2
/// at once and 3 at gates, the workspace 5.
#[test]
fn every_policy_answers_as_it_says() {
    const POLICIES: [AdmissionPolicy; 5] = [
        AdmissionPolicy::Queue,
        AdmissionPolicy::Parallel,
        AdmissionPolicy::Hold,
        AdmissionPolicy::Coalesce,
        AdmissionPolicy::Drop,
    ];
    type Case = (u32, u32, u32, u32, bool, u32, [&'static str; 5]);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        // active, waiting, open, pending, latest, total
        (0, 0, 0, 0, false, 0, ["A", "A", "A", "A", "A"]),
        (1, 0, 1, 0, true,  1, ["A", "A", "Q", "C", "A"]),
        (0, 0, 1, 1, true,  0, ["A", "A", "Q", "C", "A"]),
        (2, 0, 1, 0, true,  2, ["Q", "Q", "Q", "C", "D 2 runs of it are running, of at most 2"]),
        (2, 0, 0, 0, true,  2, ["Q", "Q", "Q", "Q", "D 2 runs of it are running, of at most 2"]),
        (0, 0, 1, 3, true,  0, ["Q", "Q", "Q", "C", "D 3 runs wait at a gate, of at most 3"]),
        (0, 0, 0, 2, true,  0, ["A", "A", "A", "A", "A"]),
        (0, 0, 0, 0, true,  5, ["Q", "Q", "Q", "Q", "D 5 runs of the workspace are running, of at most 5"]),
        (0, 0, 0, 0, true,  4, ["A", "A", "A", "A", "A"]),
        (0, 1, 0, 0, false, 0, ["Q", "Q", "Q", "Q", "D 1 runs of it wait before this one"]),
        (0, 0, 1, 0, false, 0, ["A", "A", "Q", "Q", "A"]),
    ];
    for (active, waiting, open, pending, latest, total, expected) in cases {
        for (policy, expected) in POLICIES.into_iter().zip(expected) {
            let mut sop = definition("n");
            sop.admission_policy = policy;
            (sop.max_concurrent, sop.max_concurrent_total) = (Some(2), Some(5));
            sop.max_pending_approvals = Some(3);
            let latest: Option<RunId> = latest.then(|| identity(&sop).id);
            let (active, waiting, open, pending) = (*active, *waiting, *open, *pending);
            let counters = Counters { active, waiting, open, pending, completed_at: None, latest };
            assert_eq!(answer(&sop, &counters, *total), *expected, "{policy:?} {counters:?}");
            // A cooldown drops under every policy, before anything else is looked at.
            sop.cooldown_secs = 60;
            let cooling = Counters { completed_at: Some(at(990)), ..counters };
            let expected = "D cooldown: 10 s of 60 s since the last completed run";
            assert_eq!(answer(&sop, &cooling, *total), expected, "{policy:?}");
        }
    }
}
