//! The ports of Sopwith on AWS: one DynamoDB table, two SQS queues with their dead letters, secrets, and ways out.
//!
//! Nothing here decides; what an operation costs is in `docs/store.md`, which a test compares with what
//! was sent. Nothing here logs a payload, a token or a credential.

pub mod config;
pub mod count;
mod error;
mod event_rules;
pub mod keys;
mod outlets;
mod pause;
pub mod provision;
mod queue;
mod secrets;
mod store;
mod topic_rules;

pub use aws_types::SdkConfig;
pub use error::is_retryable;
pub use event_rules::{BusRules, BusTarget};
pub use outlets::AwsOutlets;
pub use queue::{QueueUrls, SqsQueue};
pub use secrets::SecretsManager;
pub use store::{DynamoStore, entry_bytes};
pub use topic_rules::{IotRules, TopicTargets};
