//! LocalStack in a container, with the template's free part and the real functions on it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tempfile::TempDir;
use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use tokio::process::Command;

use crate::client::Client;
use crate::deployment::aws::Aws;
use crate::deployment::door::Door;
use crate::deployment::kind::Kind;
use crate::deployment::stack::{Cli, built, deploy};
use crate::deployment::template::reduced;
use crate::deployment::{Deployment, root};
use crate::device::Connection;

/// The image: the last edition that runs without an account.
const IMAGE: (&str, &str) = ("localstack/localstack", "4.14.0");

/// Where LocalStack listens in its container.
const PORT: u16 = 4566;

/// Where it says what it is.
const HEALTH: &str = "/_localstack/health";

/// What it prints when it takes requests.
const READY_LINE: &str = "Ready.";

/// How long that may take; it takes a second or two on an idle machine.
const READY: Duration = Duration::from_secs(120);

/// What `scripts/test.sh` sweeps away containers by, should this process be killed.
const RUN_LABEL: &str = "sopwith.run";

/// What exit code says that it cannot be had, rather than that something broke.
const CANNOT: i32 = 3;

/// Plug-ins: DynamoDB that loses no writes, and functions as processes of the container.
const PLUGIN: [(&str, &str); 4] = [
    ("sopwith_dynamodb.py", include_str!("../../localstack/plugin/sopwith_dynamodb.py")),
    ("sopwith_lambda.py", include_str!("../../localstack/plugin/sopwith_lambda.py")),
    (
        "sopwith_localstack-1.dist-info/METADATA",
        include_str!("../../localstack/plugin/sopwith_localstack-1.dist-info/METADATA"),
    ),
    (
        "sopwith_localstack-1.dist-info/entry_points.txt",
        include_str!("../../localstack/plugin/sopwith_localstack-1.dist-info/entry_points.txt"),
    ),
];

/// Where they are in the container.
const PLUGIN_DIRECTORY: &str = "/opt/sopwith";

/// The deployment.
pub struct OnLocalStack {
    door: Door,
    aws: Aws,
    cli: Cli,
    excerpt: Vec<String>,
    // Last, so that it goes last.
    node: Option<ContainerAsync<GenericImage>>,
}

/// What came of asking for LocalStack.
pub enum LocalStack {
    /// It is up and deployed to.
    Up(Box<OnLocalStack>),
    /// It cannot be had on this machine, and why.
    Cannot(String),
}

impl OnLocalStack {
    /// Starts LocalStack and deploys to it; takes the one at `endpoint` when there is one already.
    ///
    /// # Errors
    /// When the functions are not built, or a step fails; the error says which.
    pub async fn start(endpoint: Option<&str>) -> Result<LocalStack> {
        let functions = built()?;
        let begun = Instant::now();
        let (endpoint, node, excerpt) = match endpoint {
            Some(endpoint) => (endpoint.to_owned(), None, Vec::new()),
            None => {
                if let Some(reason) = without().await? {
                    return Ok(LocalStack::Cannot(reason));
                }
                let node = container().await?;
                let port = node.get_host_port_ipv4(PORT.tcp()).await?;
                let ready = begun.elapsed().as_secs_f64();
                let mut excerpt = excerpt(&node).await?;
                excerpt.push(format!("container {} was ready in {ready:.1} s", &node.id()[..12]));
                (format!("http://127.0.0.1:{port}"), Some(node), excerpt)
            }
        };
        let version = Client::new(&endpoint, None)?.get(HEALTH).await?;
        let mut excerpt = excerpt;
        excerpt.push(format!(
            "its health names version {} and edition {}",
            version["version"], version["edition"]
        ));
        let reduced = reduced()?;
        let scratch = TempDir::new()?;
        let template = scratch.path().join("template.yaml");
        std::fs::write(&template, &reduced.text)?;
        deploy(&endpoint, &functions, Some(&template)).await?;
        excerpt.push(format!(
            "deployed infra/template.yaml without {} resources of paid services",
            reduced.left_out.len()
        ));
        let cli = Cli::new(&endpoint);
        let aws = Aws::new(&endpoint, &cli.outputs().await?)?;
        aws.put_door_secrets().await?;
        let door = Door::open(&endpoint, reduced.routes).await?;
        Ok(LocalStack::Up(Box::new(Self { door, aws, cli, excerpt, node })))
    }

    /// Lines of the container's log, and what else shows that it really ran.
    pub fn excerpt(&self) -> &[String] {
        &self.excerpt
    }
}

/// Whether it is LocalStack that answers at `endpoint`.
///
/// # Errors
/// When nothing answers.
pub async fn is_localstack(endpoint: &str) -> Result<bool> {
    let health = Client::new(endpoint, None)?.request(reqwest::Method::GET, HEALTH).send().await?;
    Ok(health.status == 200 && health.body["edition"].is_string())
}

impl Deployment for OnLocalStack {
    fn kind(&self) -> Kind {
        Kind::LocalStack
    }

    fn base_url(&self) -> &str {
        &self.door.url
    }

    fn host(&self) -> Option<&str> {
        None
    }

    fn device(&self) -> Option<Connection> {
        None
    }

    fn inactive_device(&self) -> Option<Connection> {
        None
    }

    fn pairing_code(&self) -> BoxFuture<'_, Result<String>> {
        self.cli.pairing_code().boxed()
    }

    fn invoke<'a>(&'a self, name: &'a str, payload: &'a Value) -> BoxFuture<'a, Result<Value>> {
        self.cli.invoke(name, payload).boxed()
    }

    fn put_event<'a>(&'a self, entry: &'a Value) -> Option<BoxFuture<'a, Result<()>>> {
        Some(self.cli.put_event(entry).boxed())
    }

    fn aws(&self) -> Option<&Aws> {
        Some(&self.aws)
    }

    fn diagnosis(&self) -> BoxFuture<'_, String> {
        async move {
            let Some(node) = &self.node else {
                return "LocalStack was started by somebody else, who has its log".to_owned();
            };
            let text = match node.stdout_to_vec().await {
                Ok(text) => String::from_utf8_lossy(&text).into_owned(),
                Err(error) => return format!("its log cannot be had: {error}"),
            };
            let errors = match node.stderr_to_vec().await {
                Ok(text) => String::from_utf8_lossy(&text).into_owned(),
                Err(error) => format!("its errors cannot be had: {error}"),
            };
            super::kept_and_tail("localstack.log", &format!("{text}\n{errors}"))
        }
        .boxed()
    }
}

/// Why there can be no container here, if so.
async fn without() -> Result<Option<String>> {
    let answers =
        Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output().await;
    if !answers.is_ok_and(|output| output.status.success()) {
        return Ok(Some("no Docker engine answers (scripts/docker.sh start)".to_owned()));
    }
    let script = root().join("scripts/localstack-image.sh");
    let output = Command::new(&script).output().await.context("running localstack-image.sh")?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.code() {
        Some(0) => Ok(None),
        Some(CANNOT) => Ok(Some(said)),
        Some(_) | None => {
            bail!("localstack-image.sh failed: {said} {}", String::from_utf8_lossy(&output.stderr))
        }
    }
}

async fn container() -> Result<ContainerAsync<GenericImage>> {
    let run = std::env::var("SOP_TEST_RUN").unwrap_or_else(|_| "by-hand".to_owned());
    let mut request = GenericImage::new(IMAGE.0, IMAGE.1)
        .with_exposed_port(PORT.tcp())
        .with_wait_for(WaitFor::message_on_stdout(READY_LINE))
        .with_startup_timeout(READY)
        .with_label(RUN_LABEL, run)
        // Ports are published on this machine alone.
        .with_host_config_modifier(|host| {
            for bindings in host.port_bindings.iter_mut().flat_map(|ports| ports.values_mut()) {
                for binding in bindings.iter_mut().flatten() {
                    binding.host_ip = Some("127.0.0.1".to_owned());
                }
            }
        });
    for (name, value) in SETTINGS {
        request = request.with_env_var(name, value);
    }
    for (file, text) in PLUGIN {
        let to = Path::new(PLUGIN_DIRECTORY).join(file);
        request = request.with_copy_to(to.to_string_lossy(), text.as_bytes().to_vec());
    }
    request.start().await.context("starting LocalStack's container")
}

/// Source: LocalStack's documentation, configuration variables.
const SETTINGS: [(&str, &str); 7] = [
    ("PYTHONPATH", PLUGIN_DIRECTORY),
    ("PROVIDER_OVERRIDE_DYNAMODB", "sopwith"),
    ("LAMBDA_RUNTIME_EXECUTOR", "sopwith"),
    // Nothing leaves the machine.
    ("DISABLE_EVENTS", "1"),
    ("SKIP_SSL_CERT_DOWNLOAD", "1"),
    ("DNS_ADDRESS", "0"),
    ("LAMBDA_SYNCHRONOUS_CREATE", "1"),
];

/// The lines of its log that name the version, and the one that says it is ready.
async fn excerpt(node: &ContainerAsync<GenericImage>) -> Result<Vec<String>> {
    let log = node.stdout_to_vec().await.context("its log")?;
    let log = String::from_utf8_lossy(&log);
    let telling = |line: &&str| line.contains("LocalStack version") || line.starts_with(READY_LINE);
    Ok(log.lines().filter(telling).map(str::to_owned).collect())
}
