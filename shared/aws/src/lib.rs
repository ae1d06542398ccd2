//! The ports of Sopwith on AWS: one DynamoDB table, two SQS queues with their dead letters, secrets, and ways out.
//!
//! Nothing here decides; what an operation costs is in `docs/store.md`, which a test compares with what
//! was sent. Nothing here logs a payload, a token or a credential.

pub mod config;
pub mod count;
mod error;
pub mod keys;
mod outlets;
mod pause;
pub mod provision;
mod queue;
mod rules;
mod secrets;
mod store;

pub use aws_types::SdkConfig;
pub use error::is_retryable;
pub use outlets::AwsOutlets;
pub use queue::{QueueUrls, SqsQueue};
pub use rules::{IotRules, RuleTargets};
pub use secrets::SecretsManager;
pub use store::{DynamoStore, entry_bytes};
