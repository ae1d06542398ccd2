//! Rules of a message service that is not there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sop_core::topic_rule::TopicRule;
use sop_runtime::port::{FoundRule, PortError, TopicRules};

/// Rules by name; clones are one set.
#[derive(Debug, Clone, Default)]
pub struct MemoryRules {
    rules: Arc<Mutex<BTreeMap<String, FoundRule>>>,
    fails: Arc<Mutex<usize>>,
}

impl MemoryRules {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, FoundRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next `calls` changes fail.
    pub fn fail(&self, calls: usize) {
        *self.fails.lock().unwrap_or_else(PoisonError::into_inner) = calls;
    }

    /// Switches a rule off, as somebody in the console would.
    pub fn spoil(&self, name: &str) {
        if let Some(found) = self.lock().get_mut(name) {
            found.is_intact = false;
        }
    }

    /// The statements, sorted by their rules' names.
    pub fn statements(&self) -> Vec<String> {
        self.lock().values().map(|found| found.rule.sql.clone()).collect()
    }

    /// The names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn change(&self) -> Result<(), PortError> {
        let mut fails = self.fails.lock().unwrap_or_else(PoisonError::into_inner);
        if *fails > 0 {
            *fails -= 1;
            return Err(PortError::permanent("change a rule", "it fails as it was told to"));
        }
        Ok(())
    }
}

impl TopicRules for MemoryRules {
    async fn list(&self) -> Result<Vec<FoundRule>, PortError> {
        Ok(self.lock().values().cloned().collect())
    }

    async fn put(&self, rule: &TopicRule) -> Result<(), PortError> {
        self.change()?;
        let found = FoundRule { rule: rule.clone(), is_intact: true };
        self.lock().insert(rule.name.clone(), found);
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        self.change()?;
        self.lock().remove(name);
        Ok(())
    }
}
