//! Who may run now.

use sop_core::engine::{Admission, Counters, decide_admission};

use super::{at, definition};

/// What becomes of an event at 1000 s, by limit, cooldown and counters; `D` drops, `Q` queues, `A` admits.
#[test]
fn admission() {
    type Case = (Option<u32>, u64, u32, u32, Option<i64>, &'static str);
    #[rustfmt::skip]
    let cases: &[Case] = &[
        (None,    0,         0, 0, None,       "A"),
        (None,    0,         9, 9, Some(1000), "A"),
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
        (Some(1), 60,        1, 5, Some(990),  "D cooldown: 10 s of 60 s since the last completed run"),
        (Some(1), 60,        1, 0, Some(0),    "Q"),
        (None,    u64::MAX,  0, 0, Some(0),    "D cooldown: 1000 s of 18446744073709551615 s since the last completed run"),
    ];
    for (max_concurrent, cooldown_secs, active, waiting, completed, expected) in cases {
        let mut sop = definition("n");
        sop.max_concurrent = *max_concurrent;
        sop.cooldown_secs = *cooldown_secs;
        let counters =
            Counters { active: *active, waiting: *waiting, completed_at: completed.map(at) };
        let answer = match decide_admission(&sop, &counters, at(1000)) {
            Admission::Admit => "A".to_owned(),
            Admission::Queue => "Q".to_owned(),
            Admission::Drop { reason } => format!("D {reason}"),
        };
        assert_eq!(answer, *expected, "{max_concurrent:?} {cooldown_secs} {counters:?}");
    }
}
