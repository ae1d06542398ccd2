//! Topic rules of AWS IoT Core.

use aws_sdk_iot::Client;
use aws_sdk_iot::types::{Action, LambdaAction, SqsAction, TopicRulePayload};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use sop_core::topic_rule::{MARK, TopicRule, name_prefix};
use sop_runtime::port::{FoundRule, PortError, Rules};

use crate::error::failed;

/// The version of the service's SQL that statements are written in.
const SQL_VERSION: &str = "2016-03-23";

/// Rules of a page.
const PAGE: i32 = 100;

const LIST: &str = "list the topic rules";
const READ: &str = "read a topic rule";
const PUT: &str = "put a topic rule";
const DELETE: &str = "delete a topic rule";

/// Where topic rules send messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicTargets {
    /// ARN of the function behind the MQTT door.
    pub function_arn: String,
    /// Address of the queue for what the function could not be given.
    pub dead_queue_url: String,
    /// ARN of the role that may send there.
    pub dead_role_arn: String,
}

/// The rules of one deployment: those with its prefix and our mark.
#[derive(Debug, Clone)]
pub struct IotRules {
    client: Client,
    prefix: String,
    targets: TopicTargets,
}

impl IotRules {
    /// The rules of the deployment `prefix`, such as `sopwith`. Nothing is sent.
    pub fn new(config: &SdkConfig, prefix: &str, targets: TopicTargets) -> Self {
        Self { client: Client::new(config), prefix: name_prefix(prefix), targets }
    }

    /// Names that begin as ours do.
    async fn names(&self) -> Result<Vec<String>, PortError> {
        let (mut names, mut next) = (Vec::new(), None);
        loop {
            let page = self.client.list_topic_rules().max_results(PAGE).set_next_token(next);
            let page = page.send().await.map_err(|error| failed(LIST, error))?;
            let listed = page.rules.unwrap_or_default().into_iter().filter_map(|it| it.rule_name);
            names.extend(listed.filter(|name| name.starts_with(&self.prefix)));
            next = page.next_token;
            if next.is_none() {
                return Ok(names);
            }
        }
    }

    /// One rule; none when it is gone, or is somebody else's.
    async fn find(&self, name: String) -> Result<Option<FoundRule<TopicRule>>, PortError> {
        let found = match self.client.get_topic_rule().rule_name(&name).send().await {
            Ok(found) => found.rule,
            // So the service says that there is none.
            Err(error) if is_gone(error.code()) => None,
            Err(error) => return Err(failed(READ, error)),
        };
        let Some(found) = found else { return Ok(None) };
        let description = found.description.unwrap_or_default();
        if !description.starts_with(MARK) {
            return Ok(None);
        }
        let is_intact = !found.rule_disabled.unwrap_or(false)
            && found.aws_iot_sql_version.as_deref() == Some(SQL_VERSION)
            && found.actions.unwrap_or_default() == [self.action()]
            && found.error_action == Some(self.error_action());
        let rule = TopicRule { name, sql: found.sql.unwrap_or_default(), description };
        Ok(Some(FoundRule { rule, is_intact }))
    }

    fn action(&self) -> Action {
        let lambda = LambdaAction::builder().function_arn(&self.targets.function_arn).build();
        Action::builder().lambda(lambda.expect("the function's ARN is given")).build()
    }

    fn error_action(&self) -> Action {
        let sqs = SqsAction::builder()
            .queue_url(&self.targets.dead_queue_url)
            .role_arn(&self.targets.dead_role_arn)
            .use_base64(false)
            .build();
        Action::builder().sqs(sqs.expect("queue and role are given")).build()
    }

    fn payload(&self, rule: &TopicRule) -> TopicRulePayload {
        TopicRulePayload::builder()
            .sql(&rule.sql)
            .description(&rule.description)
            .aws_iot_sql_version(SQL_VERSION)
            .rule_disabled(false)
            .actions(self.action())
            .error_action(self.error_action())
            .build()
            .expect("statement and actions are given")
    }
}

impl Rules for IotRules {
    type Rule = TopicRule;

    async fn list(&self) -> Result<Vec<FoundRule<TopicRule>>, PortError> {
        let mut all = Vec::new();
        // One after the other: the service takes few requests a second.
        for name in self.names().await? {
            all.extend(self.find(name).await?);
        }
        Ok(all)
    }

    async fn put(&self, rule: &TopicRule) -> Result<(), PortError> {
        let payload = self.payload(rule);
        let made = self.client.create_topic_rule().rule_name(&rule.name);
        match made.topic_rule_payload(payload.clone()).send().await {
            Ok(_) => return Ok(()),
            Err(error) if error.code() == Some("ResourceAlreadyExistsException") => {}
            Err(error) => return Err(failed(PUT, error)),
        }
        // Only what is ours: a rule of somebody else's who chose the name keeps it.
        if self.find(rule.name.clone()).await?.is_none() {
            return Err(PortError::permanent(PUT, "a rule without our mark has its name"));
        }
        let replaced = self.client.replace_topic_rule().rule_name(&rule.name);
        let replaced = replaced.topic_rule_payload(payload).send().await;
        replaced.map(drop).map_err(|error| failed(PUT, error))
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        match self.client.delete_topic_rule().rule_name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_gone(error.code()) => Ok(()),
            Err(error) => Err(failed(DELETE, error)),
        }
    }
}

/// Whether there is no such rule, which the service calls unauthorised; what a policy forbids has another
/// code.
fn is_gone(code: Option<&str>) -> bool {
    matches!(code, Some("UnauthorizedException" | "ResourceNotFoundException"))
}
