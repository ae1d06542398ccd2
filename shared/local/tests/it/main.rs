//! The file as a store, as queues, and through kills; the MQTT server with a real client.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod conformance;
mod crashes;
mod kill;
mod mqtt;
mod open;
mod queue;

use std::path::Path;
use std::sync::Arc;

use sop_local::Sqlite;
use sop_runtime::port::SystemClock;
use sop_testkit::ManualClock;

/// The store at `path`, by a clock that stands still until it is moved.
fn manual(path: &Path) -> (Sqlite, ManualClock) {
    let clock = ManualClock::default();
    (Sqlite::open(path, Arc::new(clock.clone())).expect("the store opens"), clock)
}

/// The store at `path`, by the machine's clock.
fn real(path: &Path) -> Sqlite {
    Sqlite::open(path, Arc::new(SystemClock)).expect("the store opens")
}
