//! The topic rules of AWS IoT Core follow the active SOPs, in the functions that are told to see to it.
//!
//! | variable | what it is |
//! |---|---|
//! | `SOP_RULES_PREFIX` | what the rules' names begin with; without it no rule is touched |
//! | `SOP_RULES_FUNCTION_ARN` | the function behind the MQTT door |
//! | `SOP_RULES_DEAD_QUEUE_URL` | where what it could not be given goes |
//! | `SOP_RULES_DEAD_ROLE_ARN` | the role that may send there |
//! | `SOP_RULES_MAX` | how many rules there may be; 20 when it is left out |

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sop_aws::config::Settings;
use sop_aws::{IotRules, RuleTargets};
use sop_core::id::Digest;
use sop_runtime::flow::{Host, reconcile};
use sop_runtime::port::{Catalog, Clock, TopicRules};
use sop_runtime::report::chain;

use crate::env::EnvError;
use crate::host::HostError;

const PREFIX: &str = "SOP_RULES_PREFIX";
const FUNCTION_ARN: &str = "SOP_RULES_FUNCTION_ARN";
const DEAD_QUEUE_URL: &str = "SOP_RULES_DEAD_QUEUE_URL";
const DEAD_ROLE_ARN: &str = "SOP_RULES_DEAD_ROLE_ARN";
const MAX: &str = "SOP_RULES_MAX";

/// Rules that there may be when nothing is said.
const MAX_DEFAULT: usize = 20;

/// Between two looks at rules that should be right: somebody may have changed one.
const CHECK_EVERY: Duration = Duration::from_secs(300);

/// How long a caller waits for its rules; what is left is done by a later tick.
const WITHIN: Duration = Duration::from_secs(10);

/// Sees to the rules, as seldom as it may.
#[derive(Debug)]
pub struct Reconciler<R> {
    rules: R,
    prefix: String,
    max: usize,
    /// When the rules were right last, and for which catalog.
    last: Mutex<Option<(Instant, Option<Digest>)>>,
}

/// Makes the one that the environment asks for; none where it asks for none. Nothing is sent.
///
/// # Errors
/// When the environment says only a part, or lacks region or credentials.
pub fn from_env() -> Result<Option<Reconciler<IotRules>>, HostError> {
    let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Some(prefix) = var(PREFIX) else { return Ok(None) };
    let need = |name: &'static str| var(name).ok_or(EnvError::Missing(name));
    let targets = RuleTargets {
        function_arn: need(FUNCTION_ARN)?,
        dead_queue_url: need(DEAD_QUEUE_URL)?,
        dead_role_arn: need(DEAD_ROLE_ARN)?,
    };
    let max = var(MAX).and_then(|max| max.parse().ok()).unwrap_or(MAX_DEFAULT);
    let rules = IotRules::new(&Settings::from_env()?.load(), &prefix, targets);
    Ok(Some(Reconciler::new(rules, prefix, max)))
}

impl<R: TopicRules> Reconciler<R> {
    /// Sees to `rules` of the deployment `prefix`, at most `max` of them.
    pub fn new(rules: R, prefix: String, max: usize) -> Self {
        Self { rules, prefix, max, last: Mutex::new(None) }
    }

    /// Makes the rules right unless they are: when the catalog has changed since they were, or some
    /// minutes ago. What fails is logged, and tried again the next time.
    pub async fn follow<S: Catalog, Q, C: Clock>(&self, host: &Host<S, Q, C>) {
        let digest = match host.active().await {
            Ok(active) => active.digest,
            Err(error) => {
                tracing::warn!(error = %chain(&error), "topic rules not looked at");
                return;
            }
        };
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|(at, of)| of == digest && at.elapsed() < CHECK_EVERY) {
            return;
        }
        let work = reconcile(host, &self.rules, &self.prefix, self.max);
        match tokio::time::timeout(WITHIN, work).await {
            Ok(Ok(done)) => {
                let now = Some((Instant::now(), digest));
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = now;
                tracing::info!(
                    made = done.made,
                    replaced = done.replaced,
                    deleted = done.deleted,
                    kept = done.kept,
                    "topic rules"
                );
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %chain(&error), "topic rules not as they should be yet");
            }
            Err(_) => tracing::warn!("topic rules take long; the next tick goes on"),
        }
    }
}

#[cfg(test)]
mod tests {
    use sop_testkit::{ManualClock, Memory, MemoryRules};

    use super::*;

    #[tokio::test]
    async fn rules_that_are_right_are_left_alone_until_the_catalog_changes() {
        let memory = Memory::default();
        let host = Host::new(memory.clone(), memory, ManualClock::default());
        let rules = MemoryRules::default();
        let reconciler = Reconciler::new(rules.clone(), "sopwith".to_owned(), 20);
        reconciler.follow(&host).await;
        let seen = reconciler.last.lock().unwrap().expect("it was looked at");
        reconciler.follow(&host).await;
        assert_eq!(*reconciler.last.lock().unwrap(), Some(seen));
        assert!(rules.names().is_empty());
    }
}
