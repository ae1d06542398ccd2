//! Makes the table and the queues on an emulator; on AWS the template does.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_types::SdkConfig;

use crate::keys::{INDEXES, PK, SK, TTL};
use crate::queue::QueueUrls;

/// The table or a queue could not be made.
#[derive(Debug, thiserror::Error)]
#[error("could not provision {what}")]
pub struct ProvisionError {
    what: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// How queues behave.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// How often a message may be received before it is a dead letter.
    pub receives_max: u32,
    /// Seconds that a received message is hidden by default.
    pub visibility_secs: u32,
}

fn at<E>(what: &str) -> impl FnOnce(E) -> ProvisionError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| ProvisionError { what: format!("`{what}`"), source: source.into() }
}

/// Makes the table `name`: on demand, with its indexes and its expiry.
///
/// # Errors
/// When the endpoint does not answer or refuses; a table of that name that is there already is refused.
pub async fn table(config: &SdkConfig, name: &str) -> Result<(), ProvisionError> {
    let client = aws_sdk_dynamodb::Client::new(config);
    let mut create = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(Some(schema(PK, SK).map_err(at(name))?));
    let keys = INDEXES.iter().flat_map(|(_, pk, sk)| [*pk, *sk]);
    for attribute in [PK, SK].into_iter().chain(keys) {
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(at(name))?;
        create = create.attribute_definitions(definition);
    }
    for (index, pk, sk) in INDEXES {
        let index = GlobalSecondaryIndex::builder()
            .index_name(index)
            .set_key_schema(Some(schema(pk, sk).map_err(at(name))?))
            .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
            .build()
            .map_err(at(name))?;
        create = create.global_secondary_indexes(index);
    }
    create.send().await.map_err(at(name))?;
    let expiry = TimeToLiveSpecification::builder()
        .attribute_name(TTL)
        .enabled(true)
        .build()
        .map_err(at(name))?;
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(expiry)
        .send()
        .await
        .map_err(at(name))?;
    Ok(())
}

fn schema(
    pk: &str,
    sk: &str,
) -> Result<Vec<KeySchemaElement>, aws_sdk_dynamodb::error::BuildError> {
    [(pk, KeyType::Hash), (sk, KeyType::Range)]
        .into_iter()
        .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build())
        .collect()
}

/// Makes `<prefix>-events` and `<prefix>-effects`, each with its dead letters (`-dead`).
///
/// # Errors
/// When the endpoint does not answer or refuses.
pub async fn queues(
    config: &SdkConfig,
    prefix: &str,
    settings: QueueSettings,
) -> Result<QueueUrls, ProvisionError> {
    let client = aws_sdk_sqs::Client::new(config);
    let (events, events_dead) = pair(&client, &format!("{prefix}-events"), settings).await?;
    let (effects, effects_dead) = pair(&client, &format!("{prefix}-effects"), settings).await?;
    Ok(QueueUrls {
        events,
        effects,
        events_dead: Some(events_dead),
        effects_dead: Some(effects_dead),
        arrivals_dead: None,
    })
}

/// A queue and its dead letters.
async fn pair(
    client: &aws_sdk_sqs::Client,
    name: &str,
    settings: QueueSettings,
) -> Result<(String, String), ProvisionError> {
    let dead_name = format!("{name}-dead");
    let dead = client.create_queue().queue_name(&dead_name).send().await.map_err(at(&dead_name))?;
    let dead = dead.queue_url.ok_or("no URL came back").map_err(at(&dead_name))?;
    let answer = client
        .get_queue_attributes()
        .queue_url(&dead)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .map_err(at(&dead_name))?;
    let arn = answer.attributes().and_then(|all| all.get(&QueueAttributeName::QueueArn));
    let arn = arn.ok_or("no ARN came back").map_err(at(&dead_name))?;
    let redrive = format!(
        r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{}"}}"#,
        settings.receives_max
    );
    let queue = client
        .create_queue()
        .queue_name(name)
        .attributes(QueueAttributeName::RedrivePolicy, redrive)
        .attributes(QueueAttributeName::VisibilityTimeout, settings.visibility_secs.to_string())
        .send()
        .await
        .map_err(at(name))?;
    Ok((queue.queue_url.ok_or("no URL came back").map_err(at(name))?, dead))
}
