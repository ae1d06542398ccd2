//! Rules of a bus of Amazon EventBridge.

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::{DeadLetterConfig, RetryPolicy, Rule, RuleState, Target};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use serde_json::Value;
use sop_core::event_rule::{EventRule, MARK, name_prefix};
use sop_runtime::port::{FoundRule, PortError, Rules};

use crate::error::failed;

/// What our target is called in each rule.
const TARGET: &str = "sopwith";

/// Seconds for which the bus tries to call the function: as long as the function's own tries.
const TRIED_SECS: i32 = 21_600;

/// How often it tries.
/// Source: Amazon EventBridge user guide, retry policy: the most that there may be.
const TRIES: i32 = 185;

const LIST: &str = "list the rules of the bus";
const READ: &str = "read a rule of the bus";
const PUT: &str = "put a rule of the bus";
const DELETE: &str = "delete a rule of the bus";

/// Where rules hand events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusTarget {
    /// ARN of the function behind the event door.
    pub function_arn: String,
    /// ARN of the queue for what the function could not be given.
    pub dead_queue_arn: String,
}

/// The rules of one deployment on one bus: those with its prefix and our mark.
#[derive(Debug, Clone)]
pub struct BusRules {
    client: Client,
    bus: String,
    prefix: String,
    target: BusTarget,
}

impl BusRules {
    /// The rules of the deployment `prefix`, such as `sopwith`, on the bus named `bus`. Nothing is sent.
    pub fn new(config: &SdkConfig, bus: &str, prefix: &str, target: BusTarget) -> Self {
        Self {
            client: Client::new(config),
            bus: bus.to_owned(),
            prefix: name_prefix(prefix),
            target,
        }
    }

    fn target(&self) -> Target {
        let retry = RetryPolicy::builder()
            .maximum_event_age_in_seconds(TRIED_SECS)
            .maximum_retry_attempts(TRIES);
        let dead = DeadLetterConfig::builder().arn(&self.target.dead_queue_arn);
        Target::builder()
            .id(TARGET)
            .arn(&self.target.function_arn)
            .retry_policy(retry.build())
            .dead_letter_config(dead.build())
            .build()
            .expect("id and ARN are given")
    }

    /// The rules whose names begin as ours do and that bear our mark.
    async fn marked(&self) -> Result<Vec<Rule>, PortError> {
        let (mut rules, mut next) = (Vec::new(), None);
        loop {
            let page = self.client.list_rules().event_bus_name(&self.bus);
            let page = page.name_prefix(&self.prefix).set_next_token(next);
            let page = page.send().await.map_err(|error| failed(LIST, error))?;
            let listed = page.rules.unwrap_or_default().into_iter();
            rules.extend(listed.filter(|rule| is_ours(rule.description())));
            next = page.next_token;
            if next.is_none() {
                return Ok(rules);
            }
        }
    }

    /// The targets of a rule; none when the rule is gone.
    async fn targets(&self, name: &str) -> Result<Vec<Target>, PortError> {
        let (mut targets, mut next) = (Vec::new(), None);
        loop {
            let page = self.client.list_targets_by_rule().event_bus_name(&self.bus).rule(name);
            match page.set_next_token(next).send().await {
                Ok(page) => {
                    targets.extend(page.targets.unwrap_or_default());
                    next = page.next_token;
                }
                Err(error) if is_gone(error.code()) => return Ok(Vec::new()),
                Err(error) => return Err(failed(READ, error)),
            }
            if next.is_none() {
                return Ok(targets);
            }
        }
    }

    async fn found(&self, rule: Rule) -> Result<FoundRule<EventRule>, PortError> {
        let name = rule.name.unwrap_or_default();
        // Targets that somebody added to it are theirs to look after.
        let has_target = self.targets(&name).await?.contains(&self.target());
        let is_intact = has_target
            && rule.state == Some(RuleState::Enabled)
            && rule.schedule_expression.is_none();
        let pattern = rule.event_pattern.unwrap_or_default();
        let rule = EventRule {
            name,
            pattern: serde_json::from_str(&pattern).unwrap_or(Value::Null),
            description: rule.description.unwrap_or_default(),
        };
        Ok(FoundRule { rule, is_intact })
    }

    /// Whether a rule of this name may be put: there is none, or it is ours.
    async fn may_put(&self, name: &str) -> Result<bool, PortError> {
        match self.client.describe_rule().event_bus_name(&self.bus).name(name).send().await {
            Ok(found) => Ok(is_ours(found.description())),
            Err(error) if is_gone(error.code()) => Ok(true),
            Err(error) => Err(failed(READ, error)),
        }
    }
}

impl Rules for BusRules {
    type Rule = EventRule;

    async fn list(&self) -> Result<Vec<FoundRule<EventRule>>, PortError> {
        let mut all = Vec::new();
        // One after the other: the service takes few requests a second.
        for rule in self.marked().await? {
            all.push(self.found(rule).await?);
        }
        Ok(all)
    }

    async fn put(&self, rule: &EventRule) -> Result<(), PortError> {
        // Only what is ours: a rule of somebody else's who chose the name keeps it.
        if !self.may_put(&rule.name).await? {
            return Err(PortError::permanent(PUT, "a rule without our mark has its name"));
        }
        let put = self.client.put_rule().event_bus_name(&self.bus).name(&rule.name);
        put.event_pattern(rule.pattern.to_string())
            .description(&rule.description)
            .state(RuleState::Enabled)
            .send()
            .await
            .map_err(|error| failed(PUT, error))?;
        let put = self.client.put_targets().event_bus_name(&self.bus).rule(&rule.name);
        let put = put.targets(self.target()).send().await.map_err(|error| failed(PUT, error))?;
        match put.failed_entries().first() {
            // The call succeeds all the same.
            Some(entry) => Err(PortError::permanent(
                PUT,
                format!("its target was refused: {}", entry.error_message().unwrap_or("no reason")),
            )),
            None => Ok(()),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        // A rule with targets cannot be deleted.
        let ids: Vec<String> = self.targets(name).await?.into_iter().map(|it| it.id).collect();
        if !ids.is_empty() {
            let remove = self.client.remove_targets().event_bus_name(&self.bus).rule(name);
            match remove.set_ids(Some(ids)).send().await {
                Ok(_) => {}
                Err(error) if is_gone(error.code()) => return Ok(()),
                Err(error) => return Err(failed(DELETE, error)),
            }
        }
        match self.client.delete_rule().event_bus_name(&self.bus).name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(error.code()) => Ok(()),
            Err(error) => Err(failed(DELETE, error)),
        }
    }
}

fn is_ours(description: Option<&str>) -> bool {
    description.is_some_and(|description| description.starts_with(MARK))
}

fn is_gone(code: Option<&str>) -> bool {
    code == Some("ResourceNotFoundException")
}
