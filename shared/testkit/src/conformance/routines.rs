//! The switches of schedules.

use sop_core::id::SopName;
use sop_runtime::port::{Routine, Routines};

use crate::ids::{EPOCH, fresh_tenant};

/// Proves that `store` keeps the switches of schedules.
///
/// # Panics
/// When it breaks a promise.
pub async fn routines<S: Routines>(store: &S) {
    let tenant = fresh_tenant();
    assert_eq!(store.routines(&tenant).await.expect("read"), []);
    let routine = |sop: &str, on: bool, at: i64| Routine {
        sop: SopName::parse(sop).expect("a name"),
        on,
        since: EPOCH.plus_millis(at),
        by: "paired:1".into(),
    };
    for (sop, on, at) in [("b", false, 1), ("a", false, 2), ("b", true, 3), ("b", true, 3)] {
        store.set_routine(&tenant, &routine(sop, on, at)).await.expect("switched");
    }
    let expected = [routine("a", false, 2), routine("b", true, 3)];
    assert_eq!(store.routines(&tenant).await.expect("read"), expected);
    assert_eq!(store.routines(&fresh_tenant()).await.expect("read"), []);
}
