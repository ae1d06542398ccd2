//! The message service's rules follow what the active SOPs ask for.

use std::collections::BTreeMap;

use sop_core::topic_rule::{self, TopicRule};

use crate::flow::{FlowError, Host};
use crate::port::{Catalog, Clock, FoundRule, TopicRules};

/// What was done to the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// Rules that were missing.
    pub made: usize,
    /// Rules that were not as they should be.
    pub replaced: usize,
    /// Rules that nothing asks for any more.
    pub deleted: usize,
    /// Rules that were right.
    pub kept: usize,
}

/// Makes the rules of the deployment `prefix` what the active SOPs ask for, with at most `max` of them.
///
/// What is missing is made before what is stale goes, so that no message falls between two rules. Doing
/// it again changes nothing; two who do it at once come to the same.
///
/// # Errors
/// When the catalog or a rule could not be read or changed: the rest was tried nevertheless, and all of it
/// is made good by the next call.
pub async fn reconcile<S, Q, C, R>(
    host: &Host<S, Q, C>,
    rules: &R,
    prefix: &str,
    max: usize,
) -> Result<Reconciled, FlowError>
where
    S: Catalog,
    C: Clock,
    R: TopicRules,
{
    let active = host.active().await?;
    let wanted = topic_rule::plan(prefix, active.index.topic_filters(), max);
    let mut found: BTreeMap<String, FoundRule> =
        rules.list().await?.into_iter().map(|found| (found.rule.name.clone(), found)).collect();
    let (mut done, mut failed) = (Reconciled::default(), None);
    for rule in &wanted {
        let before = found.remove(&rule.name);
        if before.as_ref().is_some_and(|before| is_right(before, rule)) {
            done.kept += 1;
            continue;
        }
        match rules.put(rule).await {
            Ok(()) if before.is_some() => done.replaced += 1,
            Ok(()) => done.made += 1,
            Err(error) => failed = Some(error),
        }
    }
    if let Some(error) = failed {
        // A rule that is stale may still hand over what a missing one does not.
        return Err(error.into());
    }
    for name in found.keys() {
        match rules.delete(name).await {
            Ok(()) => done.deleted += 1,
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(done),
    }
}

fn is_right(found: &FoundRule, wanted: &TopicRule) -> bool {
    found.is_intact && found.rule == *wanted
}
