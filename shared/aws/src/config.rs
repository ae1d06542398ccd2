//! How clients are made: what a Lambda function finds in its environment, and nothing it has to ask for.
//!
//! No profile file, no metadata service and no single sign-on: each costs start-up time, and in Lambda
//! the environment has it all. The environment's credentials outlive the process.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{Builder, tls};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

/// How long a connection may take. Within a region it takes about a millisecond.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);

/// How long one attempt may take: above the two seconds that a receive may wait, and a quarter of
/// [`OPERATION_TIMEOUT`], so that every attempt gets its time.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(3_000);

/// How long a call may take with its retries: well within a function's 30 s.
const OPERATION_TIMEOUT: Duration = Duration::from_millis(12_000);

/// Attempts of one call, the first included.
/// Source: AWS SDKs and Tools Reference Guide, retry behaviour: `standard` makes 3; one more rides out
/// an on-demand table's split.
const ATTEMPTS_MAX: u32 = 4;

/// The mean pause before the first retry doubles from here; the SDK's own first second is for slower
/// services than these two, which answer in milliseconds.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// Pauses between attempts do not grow beyond this.
const LONGEST_BACKOFF: Duration = Duration::from_millis(1_000);

/// What clients need to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The region, such as `eu-west-1`.
    pub region: String,
    /// Where the services answer, when it is not AWS.
    pub endpoint: Option<String>,
    /// Whose requests they are.
    pub credentials: Credentials,
}

/// The environment does not say how to reach AWS.
#[derive(Debug, thiserror::Error)]
#[error("{name} is not set")]
pub struct SettingsError {
    name: &'static str,
}

impl Settings {
    /// Reads `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN`, and `SOP_AWS_ENDPOINT` or `AWS_ENDPOINT_URL`.
    ///
    /// # Errors
    /// When region or credentials are missing.
    pub fn from_env() -> Result<Self, SettingsError> {
        let var = |name: &'static str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let need = |name| var(name).ok_or(SettingsError { name });
        Ok(Self {
            region: var("AWS_REGION")
                .or_else(|| var("AWS_DEFAULT_REGION"))
                .ok_or(SettingsError { name: "AWS_REGION" })?,
            endpoint: var("SOP_AWS_ENDPOINT").or_else(|| var("AWS_ENDPOINT_URL")),
            credentials: Credentials::new(
                need("AWS_ACCESS_KEY_ID")?,
                need("AWS_SECRET_ACCESS_KEY")?,
                var("AWS_SESSION_TOKEN"),
                None,
                "environment",
            ),
        })
    }

    /// Settings for an emulator at `endpoint` that takes `key` and `secret`.
    pub fn emulator(endpoint: &str, region: &str, (key, secret): (&str, &str)) -> Self {
        Self {
            region: region.to_owned(),
            endpoint: Some(endpoint.to_owned()),
            credentials: Credentials::new(key, secret, None, None, "emulator"),
        }
    }

    /// The configuration that clients are made from; nothing is sent and nothing is read.
    pub fn load(self) -> SdkConfig {
        let plain = self.endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
        let http = if plain {
            Builder::new().build_http()
        } else {
            let ring = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
            Builder::new().tls_provider(ring).build_https()
        };
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials))
            .http_client(http)
            .sleep_impl(TokioSleep::new())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS_MAX)
                    .with_initial_backoff(FIRST_BACKOFF)
                    .with_max_backoff(LONGEST_BACKOFF),
            )
            .timeout_config(timeouts);
        config.set_endpoint_url(self.endpoint);
        config.build()
    }
}
