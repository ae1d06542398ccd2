//! Secrets in AWS Secrets Manager.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_secretsmanager::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use sop_runtime::port::{PortError, Secrets};

use crate::error::is_retryable;

/// How long a secret is kept: a rotated one counts after this, and a busy executor asks this seldom.
const KEPT: Duration = Duration::from_secs(300);

const ACTION: &str = "read a secret";

/// The secrets whose names begin with a prefix, by what follows it. Each is a text.
pub struct SecretsManager {
    client: Client,
    prefix: String,
    kept: Mutex<BTreeMap<String, (Instant, String)>>,
}

/// Shows no secret.
impl fmt::Debug for SecretsManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsManager").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl SecretsManager {
    /// The secrets below `prefix`, such as `sopwith/`. Nothing is sent.
    pub fn new(config: &SdkConfig, prefix: &str) -> Self {
        let (client, prefix) = (Client::new(config), prefix.to_owned());
        Self { client, prefix, kept: Mutex::new(BTreeMap::new()) }
    }

    fn kept(&self, name: &str) -> Option<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).filter(|(at, _)| at.elapsed() < KEPT).map(|(_, text)| text.clone())
    }
}

impl Secrets for SecretsManager {
    async fn secret(&self, name: &str) -> Result<Option<String>, PortError> {
        if let Some(text) = self.kept(name) {
            return Ok(Some(text));
        }
        let id = format!("{}{name}", self.prefix);
        let output = match self.client.get_secret_value().secret_id(id).send().await {
            Ok(output) => output,
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let Some(text) = output.secret_string else {
            return Err(PortError::permanent(ACTION, "the secret is not a text"));
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(name.to_owned(), (Instant::now(), text.clone()));
        Ok(Some(text))
    }
}

/// The port's error, without the answer that an SDK's error carries: a secret could be in it.
fn failed<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> PortError {
    let source = match (error, error.code()) {
        (_, Some(code)) => format!("the service answered `{code}`"),
        (SdkError::TimeoutError(_), None) => "the service did not answer in time".to_owned(),
        (SdkError::DispatchFailure(_), None) => "the service cannot be reached".to_owned(),
        (_, None) => "the answer cannot be read".to_owned(),
    };
    PortError { action: ACTION, retryable: is_retryable(error), source: source.into() }
}
