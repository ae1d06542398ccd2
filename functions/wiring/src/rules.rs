//! The rules of AWS IoT Core and of the event bus follow the active SOPs, in the functions that are told to see
//! to it.
//!
//! | variable | what it is |
//! |---|---|
//! | `SOP_RULES_PREFIX` | what the rules' names begin with; without it no rule is touched |
//! | `SOP_RULES_FUNCTION_ARN` | the function behind the MQTT door |
//! | `SOP_RULES_DEAD_QUEUE_URL` | where what it could not be given goes |
//! | `SOP_RULES_DEAD_ROLE_ARN` | the role that may send there |
//! | `SOP_RULES_MAX` | how many IoT rules there may be; 20 when it is left out |
//! | `SOP_BUS_NAME` | the bus whose events may start SOPs |
//! | `SOP_BUS_FUNCTION_ARN` | the function behind the event door |
//! | `SOP_BUS_DEAD_QUEUE_ARN` | where what it could not be given goes |
//! | `SOP_BUS_RULES_MAX` | how many rules of the bus there may be; 50 when it is left out |

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sop_aws::config::Settings;
use sop_aws::{BusRules, BusTarget, IotRules, TopicTargets};
use sop_core::event_rule::EventRule;
use sop_core::id::Digest;
use sop_core::matching::Index;
use sop_core::topic_rule::TopicRule;
use sop_runtime::flow::{
    FlowError, Host, Part, Reconciled, RuleHealth, RuleSettings, RuleWatch, RulesHealth,
    reconcile_events, reconcile_topics, rule_health,
};
use sop_runtime::port::{Catalog, Clock, Rules};
use sop_runtime::report::chain;

use crate::env::EnvError;
use crate::host::HostError;

const PREFIX: &str = "SOP_RULES_PREFIX";
const FUNCTION_ARN: &str = "SOP_RULES_FUNCTION_ARN";
const DEAD_QUEUE_URL: &str = "SOP_RULES_DEAD_QUEUE_URL";
const DEAD_ROLE_ARN: &str = "SOP_RULES_DEAD_ROLE_ARN";
const MAX: &str = "SOP_RULES_MAX";
const BUS: &str = "SOP_BUS_NAME";
const BUS_FUNCTION_ARN: &str = "SOP_BUS_FUNCTION_ARN";
const BUS_DEAD_QUEUE_ARN: &str = "SOP_BUS_DEAD_QUEUE_ARN";
const BUS_MAX: &str = "SOP_BUS_RULES_MAX";

/// IoT rules that there may be when nothing is said.
const MAX_DEFAULT: usize = 20;

/// Rules of the bus that there may be when nothing is said.
const BUS_MAX_DEFAULT: usize = 50;

/// Between two looks at rules that should be right: somebody may have changed one.
const CHECK_EVERY: Duration = Duration::from_secs(300);

/// Until the look after one that left rules for it.
const LEFT_FOR: Duration = Duration::from_secs(60);

/// How long a caller waits for the rules of a kind; what is left is done by a later tick.
const WITHIN: Duration = Duration::from_secs(10);

/// Sees to the rules of both kinds, as seldom as it may.
#[derive(Debug)]
pub struct Reconciler<T, E> {
    topics: Kind<T>,
    events: Kind<E>,
}

/// The rules of one kind.
#[derive(Debug)]
struct Kind<R> {
    rules: R,
    settings: RuleSettings,
    /// Until when nobody need look, and for which catalog.
    well: Mutex<Option<(Instant, Option<Digest>)>>,
}

/// Makes the one that the environment asks for; none where it asks for none. Nothing is sent.
///
/// # Errors
/// When the environment says only a part, or lacks region or credentials.
pub fn from_env() -> Result<Option<Reconciler<IotRules, BusRules>>, HostError> {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(prefix) = var(PREFIX) else { return Ok(None) };
    let need = |name: &'static str| var(name).ok_or(EnvError::Missing(name));
    let most = |name: &str, default| var(name).and_then(|max| max.parse().ok()).unwrap_or(default);
    let targets = TopicTargets {
        function_arn: need(FUNCTION_ARN)?,
        dead_queue_url: need(DEAD_QUEUE_URL)?,
        dead_role_arn: need(DEAD_ROLE_ARN)?,
    };
    let target = BusTarget {
        function_arn: need(BUS_FUNCTION_ARN)?,
        dead_queue_arn: need(BUS_DEAD_QUEUE_ARN)?,
    };
    let aws = Settings::from_env()?.load();
    let topics = IotRules::new(&aws, &prefix, targets);
    let events = BusRules::new(&aws, &need(BUS)?, &prefix, target);
    let settings = |max| RuleSettings { prefix: prefix.clone(), max };
    let topics_max = settings(most(MAX, MAX_DEFAULT));
    let events_max = settings(most(BUS_MAX, BUS_MAX_DEFAULT));
    Ok(Some(Reconciler::new((topics, topics_max), (events, events_max))))
}

impl<T, E> Reconciler<T, E>
where
    T: Rules<Rule = TopicRule>,
    E: Rules<Rule = EventRule>,
{
    /// Sees to IoT rules and to rules of a bus, each with what they should be like.
    pub fn new(topics: (T, RuleSettings), events: (E, RuleSettings)) -> Self {
        Self { topics: Kind::new(topics), events: Kind::new(events) }
    }

    /// Makes the rules right unless they are: when the catalog has changed since they were, or some
    /// minutes ago. What fails is logged, keeps the other kind from nothing, and is tried again the next time.
    pub async fn follow<S: Catalog, Q, C: Clock>(&self, host: &Host<S, Q, C>) {
        let digest = match host.active().await {
            Ok(active) => active.digest,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "rules not looked at");
                return;
            }
        };
        let Self { topics, events } = self;
        let on_topics = reconcile_topics(host, &topics.rules, &topics.settings);
        let on_events = reconcile_events(host, &events.rules, &events.settings);
        futures_util::join!(
            topics.keep_well("topics", digest, on_topics),
            events.keep_well("events", digest, on_events),
        );
    }
}

impl<T, E> RuleWatch for Reconciler<T, E>
where
    T: Rules<Rule = TopicRule> + Debug,
    E: Rules<Rule = EventRule> + Debug,
{
    fn look<'a>(
        &'a self,
        index: &'a Index,
    ) -> Pin<Box<dyn Future<Output = RulesHealth> + Send + 'a>> {
        let Self { topics, events } = self;
        Box::pin(async move {
            let (topics, events) = futures_util::join!(
                topics.look(topics.settings.topics(index)),
                events.look(events.settings.events(index)),
            );
            RulesHealth { topics, events }
        })
    }
}

impl<R: Rules> Kind<R> {
    async fn look(&self, wanted: Vec<R::Rule>) -> Part<RuleHealth> {
        match tokio::time::timeout(WITHIN, rule_health(&self.rules, &wanted)).await {
            Ok(found) => found.map_err(|error| chain(&error)),
            Err(_) => Err(format!("no answer within {} s", WITHIN.as_secs())),
        }
    }
}

impl<R> Kind<R> {
    fn new((rules, settings): (R, RuleSettings)) -> Self {
        Self { rules, settings, well: Mutex::new(None) }
    }

    /// Does the work where it is due.
    async fn keep_well(
        &self,
        kind: &'static str,
        digest: Option<Digest>,
        work: impl Future<Output = Result<Reconciled, FlowError>>,
    ) {
        let well = *self.well.lock().unwrap_or_else(PoisonError::into_inner);
        if well.is_some_and(|(until, of)| of == digest && Instant::now() < until) {
            return;
        }
        match tokio::time::timeout(WITHIN, work).await {
            Ok(Ok(done)) => {
                let pause = if done.left > 0 { LEFT_FOR } else { CHECK_EVERY };
                let well = Some((Instant::now() + pause, digest));
                *self.well.lock().unwrap_or_else(PoisonError::into_inner) = well;
                tracing::info!(
                    kind,
                    made = done.made,
                    replaced = done.replaced,
                    deleted = done.deleted,
                    kept = done.kept,
                    left = done.left,
                    "rules"
                );
            }
            Ok(Err(error)) => {
                tracing::warn!(kind, error = %chain(&error), "rules not as they should be yet");
            }
            Err(_) => tracing::warn!(kind, "rules take long; the next tick goes on"),
        }
    }
}

#[cfg(test)]
mod tests {
    use sop_runtime::port::{FoundRule, PortError};
    use sop_testkit::{ManualClock, Memory, MemoryRules};

    use super::*;

    fn settings() -> RuleSettings {
        RuleSettings { prefix: "sopwith".to_owned(), max: 20 }
    }

    #[tokio::test]
    async fn rules_that_are_right_are_left_alone_until_the_catalog_changes() {
        let memory = Memory::default();
        let host = Host::new(memory.clone(), memory, ManualClock::default());
        let (topics, events) = (MemoryRules::default(), MemoryRules::default());
        let reconciler = Reconciler::new((topics.clone(), settings()), (events, settings()));
        reconciler.follow(&host).await;
        let seen = reconciler.topics.well.lock().unwrap().expect("it was looked at");
        assert!(reconciler.events.well.lock().unwrap().is_some());
        reconciler.follow(&host).await;
        assert_eq!(*reconciler.topics.well.lock().unwrap(), Some(seen));
        assert!(topics.names().is_empty());
    }

    /// Rules that cannot be looked at.
    #[derive(Debug)]
    struct Nowhere;

    impl Rules for Nowhere {
        type Rule = TopicRule;

        async fn list(&self) -> Result<Vec<FoundRule<TopicRule>>, PortError> {
            Err(PortError::permanent("list the topic rules", "not in this region"))
        }

        async fn put(&self, _: &TopicRule) -> Result<(), PortError> {
            Ok(())
        }

        async fn delete(&self, _: &str) -> Result<(), PortError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_kind_that_fails_does_not_keep_the_other_from_being_right() {
        let memory = Memory::default();
        let host = Host::new(memory.clone(), memory, ManualClock::default());
        let events = MemoryRules::<EventRule>::default();
        let reconciler = Reconciler::new((Nowhere, settings()), (events, settings()));
        reconciler.follow(&host).await;
        assert!(reconciler.topics.well.lock().unwrap().is_none());
        assert!(reconciler.events.well.lock().unwrap().is_some());
        let health = reconciler.look(&host.active().await.unwrap().index).await;
        assert!(health.topics.unwrap_err().contains("not in this region"));
        assert_eq!(health.events, Ok(RuleHealth::default()));
    }
}
