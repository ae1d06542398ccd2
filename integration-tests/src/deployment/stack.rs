//! The stack on an emulator of AWS: built functions, `infra/deploy.sh`, and the AWS CLI.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::deployment::{RATE_LIMIT, root, target};

/// The functions' names after the prefix.
const FUNCTIONS: [&str; 8] =
    ["webhook", "mqtt", "cron", "peripheral", "eventbridge", "dispatcher", "executor", "api"];

/// The AWS CLI, aimed at an emulator.
#[derive(Debug, Clone)]
pub(crate) struct Cli {
    program: PathBuf,
    endpoint: String,
}

impl Cli {
    pub(crate) fn new(endpoint: &str) -> Self {
        let program = sop_emulator::venv().join("bin/aws");
        Self { program, endpoint: endpoint.to_owned() }
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<Value> {
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

    /// The outputs of the stack.
    pub(crate) async fn outputs(&self) -> Result<BTreeMap<String, String>> {
        let answer =
            self.run(&["cloudformation", "describe-stacks", "--stack-name", "sopwith"]).await?;
        let outputs = answer["Stacks"][0]["Outputs"].as_array().context("the stack's outputs")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(outputs
            .iter()
            .map(|output| (text(&output["OutputKey"]), text(&output["OutputValue"])))
            .collect())
    }

    /// A pairing code, had as an operator has it.
    pub(crate) async fn pairing_code(&self) -> Result<String> {
        let answer = self.invoke("api", &json!({ "operation": "create_pairing_code" })).await?;
        let code = answer["code"].as_str();
        Ok(code.with_context(|| format!("no code came back: {answer}"))?.to_owned())
    }

    /// Puts one event, an entry of `PutEvents`, on the default bus.
    pub(crate) async fn put_event(&self, entry: &Value) -> Result<()> {
        let entries = json!([entry]).to_string();
        let answer = self.run(&["events", "put-events", "--entries", &entries]).await?;
        ensure!(answer["FailedEntryCount"] == 0, "the bus did not take it: {answer}");
        Ok(())
    }

    /// What the function `name` answers to `payload`.
    pub(crate) async fn invoke(&self, name: &str, payload: &Value) -> Result<Value> {
        let function = &format!("sopwith-{name}");
        let scratch = TempDir::new()?;
        let file = scratch.path().join("answer.json");
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
pub(crate) fn built() -> Result<PathBuf> {
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

/// Deploys `template`, the whole one when nothing is given, to the emulator at `endpoint`.
pub(crate) async fn deploy(
    endpoint: &str,
    functions: &Path,
    template: Option<&Path>,
) -> Result<()> {
    let mut command = Command::new(root().join("infra/deploy.sh"));
    command
        .env("SOP_AWS_ENDPOINT", endpoint)
        .env("AWS_ACCESS_KEY_ID", sop_emulator::CREDENTIALS.0)
        .env("AWS_SECRET_ACCESS_KEY", sop_emulator::CREDENTIALS.1)
        .env("AWS_DEFAULT_REGION", sop_emulator::REGION)
        .env("SOP_VENV", sop_emulator::venv().canonicalize()?)
        .env("SOP_SKIP_BUILD", "1")
        .env(
            "SOP_DEPLOY_PARAMETERS",
            format!(
                "WebhookRateLimit={RATE_LIMIT} \
                 WebhookSecret=second-layer"
            ),
        )
        .env("SOP_LAMBDA_DIR", functions)
        .env_remove("SOP_STACK")
        .env_remove("SOP_DEPLOY_BUCKET")
        .env_remove("SOP_TEMPLATE")
        .stdin(Stdio::null());
    if let Some(template) = template {
        command.env("SOP_TEMPLATE", template);
    }
    let output = command.output().await.context("running infra/deploy.sh")?;
    ensure!(
        output.status.success(),
        "infra/deploy.sh failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
