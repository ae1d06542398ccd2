//! Every port in memory, under one lock.

mod catalog;
mod cron;
mod dead;
mod heads;
mod idempotency;
mod journal;
mod log;
mod queue;
mod rates;
mod routines;
mod rules;
mod tokens;
mod versions;
mod waits;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sop_runtime::port::Clock;

use crate::clock::ManualClock;

pub use rules::MemoryRules;
pub use sop_runtime::port::RECEIVES_MAX;

/// A store and its queues that live as long as the last clone.
///
/// Every call is atomic and takes effect at once; lists never lag behind.
#[derive(Clone)]
pub struct Memory {
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

/// A whole [`Memory`] at one instant, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint([(&'static str, String); 13]);

impl Fingerprint {
    /// Whether `text` stands anywhere in what is kept.
    pub fn contains(&self, text: &str) -> bool {
        self.0.iter().any(|(_, part)| part.contains(text))
    }

    /// The parts that differ from those of `earlier`: `journal` (with counters and blobs), `heads`, `catalog`,
    /// `log`, `idempotency`, `tokens`, `cron`, `queue`, `waits`, `versions`, `dead`, `routines`,
    /// `rates`.
    pub fn changed_since(&self, earlier: &Self) -> Vec<&'static str> {
        let parts = self.0.iter().zip(&earlier.0);
        parts.filter(|(now, then)| now != then).map(|((name, _), _)| *name).collect()
    }
}

#[derive(Default)]
struct State {
    journal: journal::State,
    heads: heads::State,
    catalog: catalog::State,
    log: log::State,
    idempotency: idempotency::State,
    tokens: tokens::State,
    cron: cron::State,
    queue: queue::State,
    waits: waits::State,
    versions: versions::State,
    dead: dead::State,
    routines: routines::State,
    rates: rates::State,
}

impl Memory {
    /// An empty store whose queues go by `clock`.
    pub fn new(clock: impl Clock + 'static) -> Self {
        Self { state: Arc::default(), clock: Arc::new(clock) }
    }

    /// All there is, part by part, to tell later what a call changed.
    pub fn fingerprint(&self) -> Fingerprint {
        let state = self.state();
        Fingerprint([
            ("journal", format!("{:?}", state.journal)),
            ("heads", format!("{:?}", state.heads)),
            ("catalog", format!("{:?}", state.catalog)),
            ("log", format!("{:?}", state.log)),
            ("idempotency", format!("{:?}", state.idempotency)),
            ("tokens", format!("{:?}", state.tokens)),
            ("cron", format!("{:?}", state.cron)),
            ("queue", format!("{:?}", state.queue)),
            ("waits", format!("{:?}", state.waits)),
            ("versions", format!("{:?}", state.versions)),
            ("dead", format!("{:?}", state.dead)),
            ("routines", format!("{:?}", state.routines)),
            ("rates", format!("{:?}", state.rates)),
        ])
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    /// An empty store whose queues go by a clock that stands still.
    fn default() -> Self {
        Self::new(ManualClock::default())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}
