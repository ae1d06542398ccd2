//! What a scenario is given: a deployment, a client that is paired with it, and ways to look.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use sop_core::definition::Definition;
use sop_core::journal::{self, Sealed, Verified};

use crate::client::{Client, Request};
use crate::deployment::kind::Feature;
use crate::deployment::{Deployment, SECOND_LAYER, SopFiles, dev, root, workspace};
use crate::device;
use crate::poll::{SOON, poll};

/// A deployment under test.
pub struct World {
    /// The host.
    pub deployment: Box<dyn Deployment>,
    client: Client,
    token: OnceLock<String>,
    numbers: AtomicU32,
}

impl World {
    /// The world around `deployment`; nobody is paired yet.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(deployment: Box<dyn Deployment>) -> Result<Self> {
        let client = Client::new(deployment.base_url(), deployment.host())?
            .with_second_layer(Some(SECOND_LAYER));
        Ok(Self { deployment, client, token: OnceLock::new(), numbers: AtomicU32::new(0) })
    }

    /// Whether the deployment has `feature`.
    pub fn has(&self, feature: Feature) -> bool {
        self.deployment.kind().lacks(feature).is_none()
    }

    /// What `sop` with `arguments` prints, for programs, of this deployment; whatever its exit code.
    ///
    /// # Errors
    /// When it cannot be run, or prints no JSON.
    pub async fn sop(&self, arguments: &[&str]) -> Result<Value> {
        let output = tokio::process::Command::new(dev::program()?)
            .args(["--format", "json"])
            .args(arguments)
            .env("SOP_URL", self.deployment.cli_url())
            .env("SOP_TOKEN", self.token.get().context("a token")?)
            .current_dir(root())
            .stdin(std::process::Stdio::null())
            .output()
            .await?;
        serde_json::from_slice(&output.stdout).with_context(|| {
            format!("`sop {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr))
        })
    }

    /// A number that was not given before.
    pub fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// A client without a token.
    pub fn anybody(&self) -> Client {
        self.client.clone()
    }

    /// A client with the token that [`Self::paired`] was given.
    pub fn api(&self) -> Client {
        self.token.get().map_or_else(|| self.client.clone(), |token| self.client.with_token(token))
    }

    /// Remembers `token` for all that follows.
    pub fn paired(&self, token: &str) {
        let _ = self.token.set(token.to_owned());
    }

    /// A client that has just been paired: another caller to the host.
    ///
    /// # Errors
    /// When it cannot be paired.
    pub async fn another_caller(&self) -> Result<Client> {
        let made = self.api().request(Method::POST, "/api/pairing-codes").send().await?;
        let made = made.expect(201)?;
        let token = self.redeem(made["code"].as_str().context("a code")?).await?;
        Ok(self.client.with_token(&token))
    }

    /// The token that `code` is good for.
    ///
    /// # Errors
    /// When the code is not.
    pub async fn redeem(&self, code: &str) -> Result<String> {
        let request = self.client.request(Method::POST, "/pair").header("x-pairing-code", code);
        let paired = request.send().await?.expect(200)?;
        Ok(paired["token"].as_str().context("a token")?.to_owned())
    }

    /// A request to the webhook at `path`, with the token.
    pub fn hook(&self, path: &str, payload: &Value) -> Request {
        self.api().request(Method::POST, path).json(payload)
    }

    /// Activates `sops`, beside those that are active.
    ///
    /// # Errors
    /// When the deployment refuses them.
    pub async fn push(&self, sops: &[SopFiles]) -> Result<Value> {
        let sops: Vec<Value> = sops
            .iter()
            .map(|sop| {
                json!({ "directory": sop.directory, "toml": sop.toml, "markdown": sop.markdown })
            })
            .collect();
        let workspace = json!({ "file": "workspace.toml", "toml": workspace()? });
        let body = json!({ "sops": sops, "workspace": workspace, "prune": false });
        self.api().post("/api/sops", &body).await?.expect(200)
    }

    /// Publishes (topic, payload) pairs as a device.
    ///
    /// # Errors
    /// When the broker does not acknowledge them.
    pub async fn publish(&self, messages: &[(&str, &str)]) -> Result<()> {
        let device = self.deployment.device().context("there are devices")?;
        device::publish(&device, messages).await.context("publishing")
    }

    /// The run of `sop` that `event` started, once there is one.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn run_of(&self, sop: &str, event: &str) -> Result<String> {
        let api = self.api();
        poll(&format!("the run of `{sop}` for event {event}"), SOON, || async {
            let runs = runs_of(&api, sop).await?;
            let found = runs.iter().find(|run| run["event"] == event);
            Ok(found.and_then(|run| run["run"].as_str()).map(str::to_owned))
        })
        .await
    }

    /// All runs of `sop` among the newest.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn runs(&self, sop: &str) -> Result<Vec<Value>> {
        runs_of(&self.api(), sop).await
    }

    /// The run as soon as `there` says so; a run that ended otherwise is not waited for.
    ///
    /// # Errors
    /// When it does not come to that in time.
    pub async fn run_when(
        &self,
        run: &str,
        what: &str,
        there: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let api = self.api();
        poll(&format!("run {run} to be {what}"), SOON, || async {
            let seen = api.get(&format!("/api/runs/{run}")).await?;
            if there(&seen) {
                return Ok(Some(seen));
            }
            let over =
                ["completed", "failed", "cancelled"].iter().any(|end| seen["status"] == **end);
            ensure!(!over, "the run is over: {seen}");
            Ok(None)
        })
        .await
    }

    /// The run once it is completed.
    ///
    /// # Errors
    /// When it does not come to that in time.
    pub async fn completed(&self, run: &str) -> Result<Value> {
        self.run_when(run, "completed", |seen| seen["status"] == "completed").await
    }

    /// The run once it stands at an open gate.
    ///
    /// # Errors
    /// When it does not come to that in time.
    pub async fn at_gate(&self, run: &str) -> Result<Value> {
        self.run_when(run, "at a gate", |seen| seen["gate"].is_u64()).await
    }

    /// Approves the gate that `seen`, a run, stands at, and returns the run after it.
    ///
    /// # Errors
    /// When the decision is refused.
    pub async fn approve(&self, seen: &Value) -> Result<Value> {
        let run = seen["run"].as_str().context("a run has an id")?;
        let decision = json!({ "revision": seen["gate"], "decision": "approve" });
        let path = format!("/api/gates/{run}/decision");
        self.api().post(&path, &decision).await?.expect(200)
    }

    /// The newest line of the dispatch log that `is_it` recognises, once it is there.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn logged(
        &self,
        what: &str,
        within: Duration,
        is_it: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let api = self.api();
        poll(what, within, || async {
            let page = api.get("/api/events?limit=100").await?;
            let lines = page["events"].as_array().context("a list of events")?;
            Ok(lines.iter().find(|line| is_it(line)).cloned())
        })
        .await
    }

    /// Fetches the journal of `run` and verifies it as an auditor would.
    ///
    /// # Errors
    /// When it cannot be had or does not hold.
    pub async fn verify(&self, run: &str) -> Result<Verified> {
        let answer = self.api().get(&format!("/api/runs/{run}/journal")).await?;
        let definition = answer["definition"].as_str().context("the definition's text")?;
        let sop: Definition = serde_json::from_str(definition).context("the definition")?;
        let entries: Vec<Sealed> =
            serde_json::from_value(answer["entries"].clone()).context("the entries")?;
        match journal::verify(&entries, &sop) {
            Ok(verified) => Ok(verified),
            Err(broken) => bail!("the journal of {run} does not hold: {broken}"),
        }
    }
}

async fn runs_of(api: &Client, sop: &str) -> Result<Vec<Value>> {
    let page = api.get("/api/runs?limit=100").await?;
    let runs = page["runs"].as_array().context("a list of runs")?;
    Ok(runs.iter().filter(|run| run["sop"] == sop).cloned().collect())
}
