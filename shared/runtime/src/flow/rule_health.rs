//! Whether rules are what the active SOPs ask for. Nothing is changed here.

use std::fmt::Debug;
use std::pin::Pin;

use sop_core::matching::Index;

use crate::flow::Part;
use crate::flow::reconcile::{by_name, is_right};
use crate::port::{PortError, Rule, Rules};

/// Characters that are told of what a rule takes.
const TOLD_CHARS_MAX: usize = 120;

/// How the rules of a kind are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleHealth {
    /// Rules that are as they should be.
    pub right: usize,
    /// Rules that are not there: name and what each would take.
    pub missing: Vec<String>,
    /// Rules that are not as they should be: switched off, changed, or leading elsewhere.
    pub wrong: Vec<String>,
    /// Rules that nothing asks for any more.
    pub stale: usize,
}

/// How the rules of each kind are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesHealth {
    /// Those of the message service.
    pub topics: Part<RuleHealth>,
    /// Those of the event bus.
    pub events: Part<RuleHealth>,
}

/// Looks at the rules of a host that has such.
pub trait RuleWatch: Debug + Send + Sync {
    /// How the rules are, held against what `index` asks for.
    fn look<'a>(
        &'a self,
        index: &'a Index,
    ) -> Pin<Box<dyn Future<Output = RulesHealth> + Send + 'a>>;
}

/// How `rules` are, held against `wanted`.
///
/// # Errors
/// When they cannot be listed.
pub async fn rule_health<R: Rules>(rules: &R, wanted: &[R::Rule]) -> Result<RuleHealth, PortError> {
    let mut found = by_name(rules).await?;
    let mut health = RuleHealth::default();
    for rule in wanted {
        match found.remove(rule.name()) {
            None => health.missing.push(told(rule)),
            Some(found) if is_right(&found, rule) => health.right += 1,
            Some(_) => health.wrong.push(told(rule)),
        }
    }
    health.stale = found.len();
    Ok(health)
}

fn told<R: Rule>(rule: &R) -> String {
    let takes = rule.takes();
    let short: String = takes.chars().take(TOLD_CHARS_MAX).collect();
    let dots = if short.len() < takes.len() { "..." } else { "" };
    format!("{}: {short}{dots}", rule.name())
}
