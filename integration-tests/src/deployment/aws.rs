//! The services behind a deployment, looked at directly.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use aws_sdk_iot::types::{Action, LambdaAction, TopicRulePayload};
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use serde_json::json;
use sop_aws::SdkConfig;
use sop_aws::config::Settings;
use sop_core::time::Timestamp;

use crate::deployment::DOOR_SECRETS;

/// A topic, and the queue that hears it.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Its name.
    pub arn: String,
    queue: String,
}

/// Table, queues and rules.
#[derive(Debug, Clone)]
pub struct Aws {
    dynamo: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    config: SdkConfig,
    iot: aws_sdk_iot::Client,
    bus: aws_sdk_eventbridge::Client,
    table: String,
    /// URL of the events queue.
    pub events: String,
    /// URL of its dead letters.
    pub events_dead: String,
}

impl Aws {
    pub(crate) fn new(endpoint: &str, outputs: &BTreeMap<String, String>) -> Result<Self> {
        let config =
            Settings::emulator(endpoint, sop_emulator::REGION, sop_emulator::CREDENTIALS).load();
        let output =
            |name: &str| outputs.get(name).cloned().with_context(|| format!("no output {name}"));
        Ok(Self {
            dynamo: aws_sdk_dynamodb::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            iot: aws_sdk_iot::Client::new(&config),
            bus: aws_sdk_eventbridge::Client::new(&config),
            config,
            table: output("TableName")?,
            events: output("EventsQueueUrl")?,
            events_dead: output("EventsDeadUrl")?,
        })
    }

    /// How clients of other services are made.
    pub fn config(&self) -> SdkConfig {
        self.config.clone()
    }

    /// Makes the secret `name`, unless it is there.
    ///
    /// # Errors
    /// When it can be neither made nor found.
    pub async fn put_secret(&self, name: &str, text: &str) -> Result<()> {
        let secrets = aws_sdk_secretsmanager::Client::new(&self.config);
        if secrets.create_secret().name(name).secret_string(text).send().await.is_err() {
            secrets.describe_secret().secret_id(name).send().await?;
        }
        Ok(())
    }

    /// Makes the secrets that the doors need.
    pub(crate) async fn put_door_secrets(&self) -> Result<()> {
        for (name, text) in DOOR_SECRETS {
            self.put_secret(&format!("sopwith/{name}"), text).await?;
        }
        Ok(())
    }

    /// Makes the schedule's cursor say that nobody has looked since `at`, as when no tick came.
    ///
    /// # Errors
    /// When the table does not take it.
    pub async fn set_cursor(&self, at: Timestamp) -> Result<()> {
        self.set("CRON#default", "CURSOR", at).await.map(drop)
    }

    /// Lets the idempotency key `key` have ended, as time does, and returns when it would have.
    ///
    /// # Errors
    /// When the table does not have it.
    pub async fn end_key(&self, key: &str) -> Result<Timestamp> {
        let keys = self.keys(&["IDEM#"]).await?;
        let partition = keys.iter().find_map(|item| {
            item.strip_suffix(" / IDEM").filter(|partition| partition.ends_with(key))
        });
        let partition = partition.with_context(|| format!("no item of the key `{key}`"))?;
        let before = self.set(partition, "IDEM", Timestamp::from_millis(0)).await?;
        Ok(Timestamp::from_millis(before))
    }

    /// Sets the instant of an item, in milliseconds, and returns the one before.
    async fn set(&self, partition: &str, sort: &str, at: Timestamp) -> Result<i64> {
        /// Source: `docs/store.md`.
        const AT: &str = "t";
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let changed = self
            .dynamo
            .update_item()
            .table_name(&self.table)
            .key("PK", text(partition))
            .key("SK", text(sort))
            .update_expression("SET #at = :at")
            .condition_expression("attribute_exists(PK)")
            .expression_attribute_names("#at", AT)
            .expression_attribute_values(":at", AttributeValue::N(at.as_millis().to_string()))
            .return_values(ReturnValue::UpdatedOld)
            .send()
            .await?;
        let before = changed.attributes().and_then(|item| item.get(AT)?.as_n().ok());
        Ok(before.context("there was none before")?.parse()?)
    }

    /// The sort keys of the partition `RUN#<run>`, in order.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn run_items(&self, run: &str) -> Result<Vec<String>> {
        let page = self
            .dynamo
            .query()
            .table_name(&self.table)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(format!("RUN#{run}")))
            .consistent_read(true)
            .send()
            .await?;
        Ok(page.items().iter().map(|item| text(item.get("SK"))).collect())
    }

    /// The keys of all items whose partition begins with one of `prefixes`.
    ///
    /// # Errors
    /// When the table does not answer.
    pub async fn keys(&self, prefixes: &[&str]) -> Result<BTreeSet<String>> {
        let mut keys = BTreeSet::new();
        let mut from = None;
        loop {
            let page = self
                .dynamo
                .scan()
                .table_name(&self.table)
                .consistent_read(true)
                .set_exclusive_start_key(from)
                .send()
                .await?;
            for item in page.items() {
                let partition = text(item.get("PK"));
                if prefixes.iter().any(|prefix| partition.starts_with(prefix)) {
                    keys.insert(format!("{partition} / {}", text(item.get("SK"))));
                }
            }
            from = page.last_evaluated_key().cloned();
            if from.is_none() {
                return Ok(keys);
            }
        }
    }

    /// Puts `bodies` on the events queue in one batch.
    ///
    /// # Errors
    /// When one is not taken.
    pub async fn send_events(&self, bodies: &[String]) -> Result<()> {
        let mut batch = self.sqs.send_message_batch().queue_url(&self.events);
        for (number, body) in bodies.iter().enumerate() {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .message_body(body)
                .build()?;
            batch = batch.entries(entry);
        }
        let sent = batch.send().await?;
        anyhow::ensure!(sent.failed().is_empty(), "not sent: {:?}", sent.failed());
        Ok(())
    }

    /// Sets how long a received event stays hidden, in seconds.
    ///
    /// # Errors
    /// When the queue refuses.
    pub async fn hide_events_for(&self, secs: u32) -> Result<()> {
        self.sqs
            .set_queue_attributes()
            .queue_url(&self.events)
            .attributes(QueueAttributeName::VisibilityTimeout, secs.to_string())
            .send()
            .await?;
        Ok(())
    }

    /// The topic rules whose names begin with `prefix`: name and topic filter, sorted.
    ///
    /// # Errors
    /// When the service does not answer.
    pub async fn topic_rules(&self, prefix: &str) -> Result<BTreeMap<String, String>> {
        let page = self.iot.list_topic_rules().max_results(1_000).send().await?;
        let rules = page.rules.unwrap_or_default().into_iter();
        Ok(rules
            .filter_map(|rule| Some((rule.rule_name?, rule.topic_pattern.unwrap_or_default())))
            .filter(|(name, _)| name.starts_with(prefix))
            .collect())
    }

    /// Makes a topic rule as somebody else would: for `topic`, with a function that is not there.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn make_topic_rule(&self, name: &str, topic: &str) -> Result<()> {
        // An action that needs no role.
        let function = "arn:aws:lambda:us-east-1:000000000000:function:theirs";
        let to = LambdaAction::builder().function_arn(function).build()?;
        let payload = TopicRulePayload::builder()
            .sql(format!("SELECT * FROM '{topic}'"))
            .description("theirs")
            .actions(Action::builder().lambda(to).build())
            .build()?;
        // One that a run before has left there; where there is none the service says so.
        drop(self.delete_topic_rule(name).await);
        let made = self.iot.create_topic_rule().rule_name(name);
        made.topic_rule_payload(payload).send().await?;
        Ok(())
    }

    /// Deletes a topic rule.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn delete_topic_rule(&self, name: &str) -> Result<()> {
        self.iot.delete_topic_rule().rule_name(name).send().await?;
        Ok(())
    }

    /// The rules of the default bus whose names begin with `prefix`: name and event pattern, sorted.
    ///
    /// # Errors
    /// When the service does not answer.
    pub async fn bus_rules(&self, prefix: &str) -> Result<BTreeMap<String, String>> {
        let page = self.bus.list_rules().name_prefix(prefix).send().await?;
        let rules = page.rules.unwrap_or_default().into_iter();
        Ok(rules
            .filter_map(|rule| Some((rule.name?, rule.event_pattern.unwrap_or_default())))
            .collect())
    }

    /// Makes a rule of the default bus as somebody else would: for `source`, without a target.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn make_bus_rule(&self, name: &str, source: &str) -> Result<()> {
        let pattern = json!({ "source": [source] }).to_string();
        let made = self.bus.put_rule().name(name).event_pattern(pattern).description("theirs");
        made.send().await?;
        Ok(())
    }

    /// Deletes a rule of the default bus, and its targets.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn delete_bus_rule(&self, name: &str) -> Result<()> {
        let page = self.bus.list_targets_by_rule().rule(name).send().await?;
        let ids: Vec<String> =
            page.targets.unwrap_or_default().into_iter().map(|it| it.id).collect();
        if !ids.is_empty() {
            self.bus.remove_targets().rule(name).set_ids(Some(ids)).send().await?;
        }
        self.bus.delete_rule().name(name).send().await?;
        Ok(())
    }

    /// A topic of SNS with a queue that hears it; those of a run before are taken as they are.
    ///
    /// # Errors
    /// When a service refuses.
    pub async fn heard_topic(&self, name: &str) -> Result<Topic> {
        let sns = aws_sdk_sns::Client::new(&self.config);
        let made = sns.create_topic().name(name).send().await?;
        let arn = made.topic_arn().context("a topic's name")?.to_owned();
        let made = self.sqs.create_queue().queue_name(name).send().await?;
        let queue = made.queue_url().context("a queue's URL")?.to_owned();
        let asked = self.sqs.get_queue_attributes().queue_url(&queue);
        let told = asked.attribute_names(QueueAttributeName::QueueArn).send().await?;
        let told = told.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn));
        let to = told.context("a queue's name")?;
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage", "Resource": to,
        }] });
        let allow = self.sqs.set_queue_attributes().queue_url(&queue);
        allow.attributes(QueueAttributeName::Policy, policy.to_string()).send().await?;
        sns.subscribe().topic_arn(&arn).protocol("sqs").endpoint(to).send().await?;
        Ok(Topic { arn, queue })
    }

    /// What the queue of `topic` has heard, up to ten messages, which go.
    ///
    /// # Errors
    /// When the queue does not answer.
    pub async fn heard(&self, topic: &Topic) -> Result<Vec<String>> {
        let received = self.sqs.receive_message().queue_url(&topic.queue);
        let received = received.max_number_of_messages(10).send().await?;
        let bodies = received.messages().iter();
        Ok(bodies.map(|message| message.body().unwrap_or_default().to_owned()).collect())
    }

    /// The bodies of up to ten dead letters of the events queue, which stay there.
    ///
    /// # Errors
    /// When the queue does not answer.
    pub async fn dead_events(&self) -> Result<Vec<String>> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.events_dead)
            .max_number_of_messages(10)
            .visibility_timeout(0)
            .send()
            .await?;
        let bodies = received.messages().iter();
        Ok(bodies.map(|message| message.body().unwrap_or_default().to_owned()).collect())
    }
}

fn text(value: Option<&AttributeValue>) -> String {
    value.and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
}
