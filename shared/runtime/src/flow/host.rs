//! What a flow is given.

use std::sync::Arc;

use sop_core::Timestamp;
use sop_core::id::Tenant;

use crate::flow::{CatalogCache, Exhausted, RuleWatch, Settings};
use crate::port::Clock;

/// A host: its ports, whose data it works on, and what it remembers between calls.
#[derive(Debug)]
pub struct Host<S, Q, C> {
    /// Every table-like port.
    pub store: S,
    /// The queues.
    pub queue: Q,
    /// The time.
    pub clock: C,
    /// Whose data.
    pub tenant: Tenant,
    /// Definitions and the index, remembered.
    pub catalog: CatalogCache,
    /// Clients who have had their quota, remembered.
    pub exhausted: Exhausted,
    /// What its operator decided.
    pub settings: Settings,
    /// The rules that hand over what arrives, where there are such.
    pub rules: Option<Arc<dyn RuleWatch>>,
}

impl<S, Q, C: Clock> Host<S, Q, C> {
    /// A host of the default tenant that has remembered nothing yet.
    pub fn new(store: S, queue: Q, clock: C) -> Self {
        Self {
            store,
            queue,
            clock,
            tenant: Tenant::default(),
            catalog: CatalogCache::default(),
            exhausted: Exhausted::default(),
            settings: Settings::default(),
            rules: None,
        }
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
