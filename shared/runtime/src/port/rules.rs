//! The rules by which a message service hands messages to the MQTT door.

use std::future::Future;

use sop_core::topic_rule::TopicRule;

use crate::port::PortError;

/// A rule that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRule {
    /// The rule.
    pub rule: TopicRule,
    /// Whether it is switched on and hands messages to our door, with our dead letters behind it.
    pub is_intact: bool,
}

/// The rules of this deployment; those of others are never seen here.
pub trait TopicRules: Send + Sync {
    /// The rules that are ours, by name and mark.
    fn list(&self) -> impl Future<Output = Result<Vec<FoundRule>, PortError>> + Send;

    /// Makes a rule; making one that is there already replaces it.
    fn put(&self, rule: &TopicRule) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a rule that [`list`](Self::list) has told of; one that is gone counts as deleted.
    fn delete(&self, name: &str) -> impl Future<Output = Result<(), PortError>> + Send;
}
