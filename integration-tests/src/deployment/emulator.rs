//! The template and the real function binaries on an AWS emulator.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use sop_emulator::Emulator;
use tempfile::TempDir;
use tokio::process::Command;

use crate::client::Client;
use crate::deployment::aws::Aws;
use crate::deployment::{Deployment, Feature, root, target};
use crate::device::Connection;

/// The functions' names after the prefix.
const FUNCTIONS: [&str; 8] =
    ["webhook", "mqtt", "cron", "peripheral", "eventbridge", "dispatcher", "executor", "api"];

/// What a device may do: connect under any name, and publish anything, rules' topics included.
const DEVICE_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["iot:Connect","iot:Publish"],"Resource":"*"}]}"#;

/// The deployment.
pub struct OnEmulator {
    base_url: String,
    host: String,
    aws: Aws,
    cli: Cli,
    device: Connection,
    inactive: Connection,
    // Last, so that it goes last.
    emulator: Emulator,
}

/// The AWS CLI, aimed at the emulator.
struct Cli {
    program: PathBuf,
    endpoint: String,
    scratch: TempDir,
}

impl OnEmulator {
    /// Starts the emulator, deploys, and makes a device with a certificate of its own.
    ///
    /// # Errors
    /// When the functions are not built, or a step fails; the error says which.
    pub async fn start() -> Result<Self> {
        let functions = built()?;
        let emulator = Emulator::start_enforcing()?;
        let endpoint = emulator.endpoint().to_owned();
        let program = sop_emulator::venv().join("bin/aws");
        let cli = Cli { program, endpoint: endpoint.clone(), scratch: TempDir::new()? };
        deploy(&endpoint, &functions).await?;
        let outputs = cli.outputs().await?;
        let id = outputs.get("ApiId").context("the stack has no output `ApiId`")?;
        let (_, port) = endpoint.rsplit_once(':').context("the endpoint has a port")?;
        let host = format!("{id}.execute-api.localhost:{port}");
        let policy = ["iot", "create-policy", "--policy-name", "device", "--policy-document"];
        cli.run(&[&policy[..], &[DEVICE_POLICY]].concat()).await?;
        let inactive = device(&cli, &emulator, "--no-set-as-active").await?;
        let device = device(&cli, &emulator, "--set-as-active").await?;
        let aws = Aws::new(&endpoint, &outputs)?;
        Ok(Self { base_url: endpoint, host, aws, cli, device, inactive, emulator })
    }
}

impl Deployment for OnEmulator {
    fn name(&self) -> &'static str {
        "emulator"
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn host(&self) -> Option<&str> {
        Some(&self.host)
    }

    fn device(&self) -> Connection {
        self.device.clone()
    }

    fn inactive_device(&self) -> Option<Connection> {
        Some(self.inactive.clone())
    }

    fn pairing_code(&self) -> BoxFuture<'_, Result<String>> {
        let payload = json!({ "operation": "create_pairing_code" });
        async move {
            let answer = self.cli.invoke("sopwith-api", &payload).await?;
            let code = answer["code"].as_str();
            Ok(code.with_context(|| format!("no code came back: {answer}"))?.to_owned())
        }
        .boxed()
    }

    fn put_event<'a>(&'a self, entry: &'a Value) -> Option<BoxFuture<'a, Result<()>>> {
        let put = async move {
            let entries = json!([entry]).to_string();
            let answer = self.cli.run(&["events", "put-events", "--entries", &entries]).await?;
            ensure!(answer["FailedEntryCount"] == 0, "the bus did not take it: {answer}");
            Ok(())
        };
        Some(put.boxed())
    }

    fn has(&self, feature: Feature) -> bool {
        match feature {
            // MiniStack puts replacement characters where bytes are not UTF-8.
            Feature::RawPaths => false,
            Feature::Push | Feature::DeviceCertificates | Feature::BasicIngest | Feature::Aws => {
                true
            }
        }
    }

    fn aws(&self) -> Option<&Aws> {
        Some(&self.aws)
    }

    fn diagnosis(&self) -> String {
        let Some(log) = self.emulator.log() else {
            return "the emulator was started by somebody else, who has its log".to_owned();
        };
        let text = std::fs::read(&log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let copy = target().join("emulator.log");
        let kept = std::fs::write(&copy, text.as_bytes()).is_ok();
        let lines: Vec<&str> = text.lines().collect();
        let mut tail = lines[lines.len().saturating_sub(60)..].join("\n");
        if kept {
            tail.push_str(&format!("\nthe whole log is in {}", copy.display()));
        }
        tail
    }
}

impl Cli {
    async fn run(&self, arguments: &[&str]) -> Result<Value> {
        let output = Command::new(&self.program)
            .args(["--endpoint-url", &self.endpoint, "--output", "json"])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", sop_emulator::CREDENTIALS.0)
            .env("AWS_SECRET_ACCESS_KEY", sop_emulator::CREDENTIALS.1)
            .env("AWS_DEFAULT_REGION", sop_emulator::REGION)
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| format!("running {}", self.program.display()))?;
        let what = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        ensure!(
            output.status.success(),
            "`aws {what}` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        if output.stdout.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("what `aws {what}` says"))
    }

    async fn outputs(&self) -> Result<BTreeMap<String, String>> {
        let answer =
            self.run(&["cloudformation", "describe-stacks", "--stack-name", "sopwith"]).await?;
        let outputs = answer["Stacks"][0]["Outputs"].as_array().context("the stack's outputs")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(outputs
            .iter()
            .map(|output| (text(&output["OutputKey"]), text(&output["OutputValue"])))
            .collect())
    }

    async fn invoke(&self, function: &str, payload: &Value) -> Result<Value> {
        let file = self.scratch.path().join("invoke.json");
        let path = file.to_str().context("a path in UTF-8")?;
        let payload = payload.to_string();
        let arguments =
            ["lambda", "invoke", "--function-name", function, "--payload", &payload, path];
        let answer = self.run(&arguments).await?;
        let body: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        if answer["FunctionError"].is_string() {
            bail!("`{function}` failed: {body}");
        }
        Ok(body)
    }
}

/// Where the functions are, all of them.
fn built() -> Result<PathBuf> {
    let directory =
        std::env::var_os("SOP_LAMBDA_DIR").map_or_else(|| target().join("lambda"), PathBuf::from);
    for name in FUNCTIONS {
        let binary = directory.join(format!("sopwith-{name}")).join("bootstrap");
        ensure!(
            binary.is_file(),
            "the function `{name}` is not built ({} is missing): run `make lambdas SOP_ARCH=x86_64`",
            binary.display()
        );
    }
    Ok(directory.canonicalize()?)
}

async fn deploy(endpoint: &str, functions: &PathBuf) -> Result<()> {
    let output = Command::new(root().join("infra/deploy.sh"))
        .env("SOP_AWS_ENDPOINT", endpoint)
        .env("AWS_ACCESS_KEY_ID", sop_emulator::CREDENTIALS.0)
        .env("AWS_SECRET_ACCESS_KEY", sop_emulator::CREDENTIALS.1)
        .env("AWS_DEFAULT_REGION", sop_emulator::REGION)
        .env("SOP_VENV", sop_emulator::venv().canonicalize()?)
        .env("SOP_SKIP_BUILD", "1")
        .env("SOP_DEPLOY_PARAMETERS", "EventSources=aws.cloudwatch,shop.inbox")
        .env("SOP_LAMBDA_DIR", functions)
        .env_remove("SOP_STACK")
        .env_remove("SOP_DEPLOY_BUCKET")
        .stdin(Stdio::null())
        .output()
        .await
        .context("running infra/deploy.sh")?;
    ensure!(
        output.status.success(),
        "infra/deploy.sh failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// Makes a thing's certificate through the emulator's IoT API, and the connection that uses it.
async fn device(cli: &Cli, emulator: &Emulator, active: &str) -> Result<Connection> {
    let port = emulator.mqtt_port().context("the emulator has no MQTT port")?;
    let made = cli.run(&["iot", "create-keys-and-certificate", active]).await?;
    let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let arn = field(&made["certificateArn"]);
    cli.run(&["iot", "attach-policy", "--policy-name", "device", "--target", &arn]).await?;
    let certificate = CertificateDer::from_pem_slice(field(&made["certificatePem"]).as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(field(&made["keyPair"]["PrivateKey"]).as_bytes())?;
    let tls = builder(emulator.endpoint()).await?.with_client_auth_cert(vec![certificate], key)?;
    Ok(Connection { host: "localhost".to_owned(), port, tls: Some(Arc::new(tls)) })
}

type Builder = rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert>;

/// A client configuration that trusts the emulator's root and nothing else.
async fn builder(endpoint: &str) -> Result<Builder> {
    let client = Client::new(endpoint, None)?;
    let root = client.get("/_ministack/iot/ca.pem").await.context("the emulator's root")?;
    let root = root.as_str().context("a root in PEM")?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes())?)?;
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots))
}
