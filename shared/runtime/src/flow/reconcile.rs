//! The rules of the message service and of the event bus follow what the active SOPs ask for.

use std::collections::BTreeMap;

use sop_core::event_rule::{self, EventRule};
use sop_core::matching::Index;
use sop_core::topic_rule::{self, TopicRule};

use crate::flow::{FlowError, Host};
use crate::port::{Catalog, Clock, FoundRule, PortError, Rule, Rules};

/// What was done to the rules of a kind.
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
    /// Rules that nothing asks for any more and that go at the next look.
    pub left: usize,
}

/// Whose rules, and how many there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSettings {
    /// What the names of this deployment's rules begin with, such as `sopwith`.
    pub prefix: String,
    /// Rules of a kind that may be asked for at most.
    pub max: usize,
}

impl RuleSettings {
    /// The rules that the message service is to have for what `index` asks for.
    pub fn topics(&self, index: &Index) -> Vec<TopicRule> {
        topic_rule::plan(&self.prefix, index.topic_filters(), self.max)
    }

    /// The rules that the event bus is to have for what `index` asks for.
    pub fn events(&self, index: &Index) -> Vec<EventRule> {
        event_rule::plan(&self.prefix, index.bus_events(), self.max)
    }
}

/// Makes the rules of the message service what the active SOPs ask for.
///
/// What is missing is made before what is stale goes, so that no message falls between two rules. Doing
/// it again changes nothing; two who do it at once come to the same.
///
/// # Errors
/// When the catalog or a rule could not be read or changed: the rest was tried nevertheless, and all of it
/// is made good by the next call.
pub async fn reconcile_topics<S, Q, C, R>(
    host: &Host<S, Q, C>,
    rules: &R,
    settings: &RuleSettings,
) -> Result<Reconciled, FlowError>
where
    S: Catalog,
    C: Clock,
    R: Rules<Rule = TopicRule>,
{
    let active = host.active().await?;
    let wanted = settings.topics(&active.index);
    // A message that two rules hand over is two events: the stale one goes at once.
    make_so(rules, &wanted, Stale::Goes).await
}

/// Makes the rules of the event bus what the active SOPs ask for, as [`reconcile_topics`] does.
///
/// A bus hears a new rule only after a while, and an event that two rules hand over is one event: what is
/// stale stays until a look finds nothing to make.
///
/// # Errors
/// As [`reconcile_topics`].
///
/// Source: Amazon EventBridge API reference, `PutRule`.
pub async fn reconcile_events<S, Q, C, R>(
    host: &Host<S, Q, C>,
    rules: &R,
    settings: &RuleSettings,
) -> Result<Reconciled, FlowError>
where
    S: Catalog,
    C: Clock,
    R: Rules<Rule = EventRule>,
{
    let active = host.active().await?;
    let wanted = settings.events(&active.index);
    make_so(rules, &wanted, Stale::StaysWhileMaking).await
}

/// When a rule that nothing asks for any more is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stale {
    Goes,
    StaysWhileMaking,
}

async fn make_so<R: Rules>(
    rules: &R,
    wanted: &[R::Rule],
    stale: Stale,
) -> Result<Reconciled, FlowError> {
    let mut found = by_name(rules).await?;
    let (mut done, mut failed) = (Reconciled::default(), None);
    for rule in wanted {
        let before = found.remove(rule.name());
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
    if stale == Stale::StaysWhileMaking && done.made + done.replaced > 0 {
        done.left = found.len();
        return Ok(done);
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

/// The rules that there are, by their names.
pub(super) async fn by_name<R: Rules>(
    rules: &R,
) -> Result<BTreeMap<String, FoundRule<R::Rule>>, PortError> {
    Ok(rules.list().await?.into_iter().map(|it| (it.rule.name().to_owned(), it)).collect())
}

pub(super) fn is_right<R: Rule>(found: &FoundRule<R>, wanted: &R) -> bool {
    found.is_intact && found.rule == *wanted
}
