//! Hosts on AWS.

use sop_aws::config::{Settings, SettingsError};
use sop_aws::{AwsOutlets, DynamoStore, QueueUrls, SdkConfig, SecretsManager, SqsQueue};
use sop_runtime::flow::Host;
use sop_runtime::port::SystemClock;

use crate::env::{Env, EnvError};

/// A host with a store.
pub type Full = Host<DynamoStore, SqsQueue, SystemClock>;

/// A host that only has queues: what an arrival nobody waits for needs.
pub type Door = Host<(), SqsQueue, SystemClock>;

/// A host cannot be made from the environment.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// What the function needs to know is missing.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// How to reach AWS is missing.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// A host that moves runs. Nothing is sent.
///
/// # Errors
/// When the environment lacks the table, a queue, the region or credentials.
pub fn full() -> Result<Full, HostError> {
    let env = Env::read()?;
    with_store(&env, env.queues()?)
}

/// What carries steps out: a host that sends only to the events queue, the secrets of what it does, and the
/// ways out.
#[derive(Debug)]
pub struct Executor {
    /// The host.
    pub host: Full,
    /// The secrets.
    pub secrets: SecretsManager,
    /// SNS and IoT Core.
    pub outlets: AwsOutlets,
}

/// What carries steps out. Nothing is sent.
///
/// # Errors
/// When the environment lacks the table, the events queue, the region or credentials.
pub fn executor() -> Result<Executor, HostError> {
    let env = Env::read()?;
    let aws = aws()?;
    let store = DynamoStore::new(&aws, env.table()?);
    let secrets = SecretsManager::new(&aws, &env.secrets_prefix);
    let outlets = AwsOutlets::new(&aws, env.iot_data_endpoint.as_deref());
    let host = of(store, &aws, env.events_queue()?, &env);
    Ok(Executor { host, secrets, outlets })
}

/// A host with a store that sends only to the events queue. Nothing is sent.
///
/// # Errors
/// When the environment lacks the table, the events queue, the region or credentials.
pub fn events_only() -> Result<Full, HostError> {
    let env = Env::read()?;
    with_store(&env, env.events_queue()?)
}

/// A host of webhooks: one that sends only to the events queue, and the secrets they are signed with.
///
/// # Errors
/// When the environment lacks the table, the events queue, the region or credentials.
pub fn webhooks() -> Result<(Full, SecretsManager), HostError> {
    let env = Env::read()?;
    let aws = aws()?;
    let store = DynamoStore::new(&aws, env.table()?);
    let secrets = SecretsManager::new(&aws, &env.secrets_prefix);
    Ok((of(store, &aws, env.events_queue()?, &env), secrets))
}

/// A host without a store that sends only to the events queue. Nothing is sent.
///
/// # Errors
/// When the environment lacks the events queue, the region or credentials.
pub fn door() -> Result<Door, HostError> {
    let env = Env::read()?;
    Ok(of((), &aws()?, env.events_queue()?, &env))
}

fn with_store(env: &Env, urls: QueueUrls) -> Result<Full, HostError> {
    let aws = aws()?;
    let store = DynamoStore::new(&aws, env.table()?);
    Ok(of(store, &aws, urls, env))
}

fn aws() -> Result<SdkConfig, HostError> {
    Ok(Settings::from_env()?.load())
}

fn of<S>(store: S, aws: &SdkConfig, urls: QueueUrls, env: &Env) -> Host<S, SqsQueue, SystemClock> {
    let host = Host::new(store, SqsQueue::new(aws, urls), SystemClock);
    Host { tenant: env.tenant.clone(), settings: env.settings.clone(), ..host }
}
