//! Rules of a service that is not there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sop_core::event_rule::EventRule;
use sop_core::topic_rule::TopicRule;
use sop_runtime::port::{FoundRule, PortError, Rule, Rules};

/// Rules of a kind by name; clones are one set.
#[derive(Debug, Clone)]
pub struct MemoryRules<R = TopicRule> {
    rules: Arc<Mutex<BTreeMap<String, FoundRule<R>>>>,
    fails: Arc<Mutex<usize>>,
}

impl<R> Default for MemoryRules<R> {
    fn default() -> Self {
        Self { rules: Arc::default(), fails: Arc::default() }
    }
}

impl<R> MemoryRules<R> {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, FoundRule<R>>> {
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

impl MemoryRules<TopicRule> {
    /// The statements, sorted by their rules' names.
    pub fn statements(&self) -> Vec<String> {
        self.lock().values().map(|found| found.rule.sql.clone()).collect()
    }
}

impl MemoryRules<EventRule> {
    /// The patterns as JSON, sorted.
    pub fn patterns(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.lock().values().map(|found| found.rule.pattern.to_string()).collect();
        all.sort_unstable();
        all
    }
}

impl<R: Rule> Rules for MemoryRules<R> {
    type Rule = R;

    async fn list(&self) -> Result<Vec<FoundRule<R>>, PortError> {
        Ok(self.lock().values().cloned().collect())
    }

    async fn put(&self, rule: &R) -> Result<(), PortError> {
        self.change()?;
        let found = FoundRule { rule: rule.clone(), is_intact: true };
        self.lock().insert(rule.name().to_owned(), found);
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        self.change()?;
        self.lock().remove(name);
        Ok(())
    }
}
