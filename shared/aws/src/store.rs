//! The table: every table-like port, one file each.

mod admission;
mod attributes;
mod blobs;
mod catalog;
mod congested;
mod cron;
mod dead;
mod heads;
mod idempotency;
mod journal;
mod log;
mod packed;
mod rates;
mod read;
mod routines;
mod tokens;
mod versions;
mod waits;
mod write;

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_types::SdkConfig;

use crate::count::Meter;

pub use journal::entry_bytes;

/// The store on one DynamoDB table. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    client: Client,
    table: Arc<str>,
}

impl DynamoStore {
    /// The store on `table`. Nothing is sent.
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        Self { client: Client::new(config), table: table.into() }
    }

    /// The store on `table`, with every request counted by `meter`.
    pub fn metered(config: &SdkConfig, table: &str, meter: &Meter) -> Self {
        let config = Builder::from(config).interceptor(meter.clone()).build();
        Self { client: Client::from_conf(config), table: table.into() }
    }
}
