//! The rules by which a service hands what arrives to one of our doors: a message broker's, an event bus's.

use std::future::Future;

use sop_core::event_rule::EventRule;
use sop_core::topic_rule::TopicRule;

use crate::port::PortError;

/// A rule, and all that it should be.
pub trait Rule: Clone + PartialEq + Send + Sync {
    /// Names it among the rules of its kind.
    fn name(&self) -> &str;

    /// What it takes, for whoever looks after the host.
    fn takes(&self) -> String;
}

impl Rule for TopicRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self) -> String {
        self.sql.rsplit(" FROM ").next().unwrap_or_default().to_owned()
    }
}

impl Rule for EventRule {
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self) -> String {
        self.pattern.to_string()
    }
}

/// A rule that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRule<R> {
    /// The rule.
    pub rule: R,
    /// Whether it is switched on and hands what it takes to our door, with our dead letters behind it.
    pub is_intact: bool,
}

/// The rules of one kind of this deployment; those of others are never seen here.
pub trait Rules: Send + Sync {
    /// Their kind.
    type Rule: Rule;

    /// The rules that are ours, by name and mark.
    fn list(&self) -> impl Future<Output = Result<Vec<FoundRule<Self::Rule>>, PortError>> + Send;

    /// Makes a rule; making one that is there already replaces it.
    fn put(&self, rule: &Self::Rule) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Deletes a rule that [`list`](Self::list) has told of; one that is gone counts as deleted.
    fn delete(&self, name: &str) -> impl Future<Output = Result<(), PortError>> + Send;
}
