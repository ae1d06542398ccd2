//! The template and the real function binaries on an AWS emulator.

use std::future::ready;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;
use sop_emulator::Emulator;

use crate::client::Client;
use crate::deployment::Deployment;
use crate::deployment::aws::Aws;
use crate::deployment::kind::Kind;
use crate::deployment::roles::Roles;
use crate::deployment::stack::{Cli, built, deploy};
use crate::device::{Connection, Pem};

/// What a device may do: connect under any name, publish anything, rules' topics included, and listen.
const DEVICE_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":["iot:Connect","iot:Publish","iot:Subscribe","iot:Receive"],"Resource":"*"}]}"#;

/// The deployment.
pub struct OnEmulator {
    base_url: String,
    host: String,
    cli_url: String,
    aws: Aws,
    cli: Cli,
    device: Connection,
    inactive: Connection,
    // Last, so that it goes last.
    emulator: Emulator,
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
        let cli = Cli::new(&endpoint);
        deploy(&endpoint, &functions, None).await?;
        let outputs = cli.outputs().await?;
        let id = outputs.get("ApiId").context("the stack has no output `ApiId`")?;
        let (_, port) = endpoint.rsplit_once(':').context("the endpoint has a port")?;
        let host = format!("{id}.execute-api.localhost:{port}");
        let policy = ["iot", "create-policy", "--policy-name", "device", "--policy-document"];
        cli.run(&[&policy[..], &[DEVICE_POLICY]].concat()).await?;
        let inactive = device(&cli, &emulator, "--no-set-as-active").await?;
        let device = device(&cli, &emulator, "--set-as-active").await?;
        let aws = Aws::new(&endpoint, &outputs)?;
        aws.put_door_secrets().await?;
        let cli_url = format!("{endpoint}/_aws/execute-api/{id}/$default");
        Ok(Self { base_url: endpoint, host, cli_url, aws, cli, device, inactive, emulator })
    }
}

impl OnEmulator {
    /// The roles of its functions.
    pub fn roles(&self) -> Roles {
        Roles::new(self.cli.clone())
    }
}

impl Deployment for OnEmulator {
    fn kind(&self) -> Kind {
        Kind::Emulator
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn host(&self) -> Option<&str> {
        Some(&self.host)
    }

    fn cli_url(&self) -> String {
        self.cli_url.clone()
    }

    fn device(&self) -> Option<Connection> {
        Some(self.device.clone())
    }

    fn inactive_device(&self) -> Option<Connection> {
        Some(self.inactive.clone())
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
        let Some(log) = self.emulator.log() else {
            let whose = "the emulator was started by somebody else, who has its log";
            return ready(whose.to_owned()).boxed();
        };
        let text = std::fs::read(&log).unwrap_or_default();
        ready(super::kept_and_tail("emulator.log", &String::from_utf8_lossy(&text))).boxed()
    }
}

/// Makes a thing's certificate through the emulator's IoT API, and the connection that uses it.
async fn device(cli: &Cli, emulator: &Emulator, active: &str) -> Result<Connection> {
    let port = emulator.mqtt_port().context("the emulator has no MQTT port")?;
    let made = cli.run(&["iot", "create-keys-and-certificate", active]).await?;
    let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let arn = field(&made["certificateArn"]);
    cli.run(&["iot", "attach-policy", "--policy-name", "device", "--target", &arn]).await?;
    let client = Client::new(emulator.endpoint(), None)?;
    let root = client.get("/_ministack/iot/ca.pem").await.context("the emulator's root")?;
    let pem = Pem {
        root: field(&root),
        certificate: field(&made["certificatePem"]),
        key: field(&made["keyPair"]["PrivateKey"]),
    };
    Ok(Connection { host: "localhost".to_owned(), port, tls: Some(Arc::new(pem)) })
}
