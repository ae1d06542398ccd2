//! A host on one machine as a client of the deployment's broker, as in a plant whose devices speak to the cloud.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Connection, Dev, Feature, SOON, Scenario, SopFiles, World, poll, publish};
use tempfile::TempDir;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "a host that is a client of this broker hears its devices, and is told which setting keeps it out",
        needs: &[Feature::DeviceCertificates],
        run: |world| client(world).boxed(),
    }]
}

fn sop() -> SopFiles {
    SopFiles {
        directory: "gateway-probe".into(),
        toml: "[sop]\nname = \"gateway-probe\"\ndescription = \"d\"\nexecution_mode = \"auto\"\n\n\
               [[triggers]]\ntype = \"mqtt\"\ntopic = \"gateway/+\"\ncondition = \"$.severity >= 2\"\n"
            .into(),
        markdown: "## Steps\n\n1. **Note**\n   - capability: noop\n".into(),
    }
}

/// The settings of a client, with `scheme` and `use_tls` as they are written.
fn settings(scheme: &str, use_tls: bool, device: &Connection, files: &str) -> String {
    let Connection { host, port, .. } = device;
    format!(
        "[channels_config.mqtt]\nbroker_url = \"{scheme}://{host}:{port}\"\nclient_id = \"gateway-1\"\n\
         topics = [\"gateway/#\"]\nqos = 1\nuse_tls = {use_tls}\n{files}"
    )
}

/// The device's certificates as files, and the settings that name them.
fn files(folder: &Path, device: &Connection) -> Result<String> {
    let pem = device.tls.as_ref().context("a certificate")?;
    let mut said = String::new();
    for (key, text) in
        [("ca_file", &pem.root), ("cert_file", &pem.certificate), ("key_file", &pem.key)]
    {
        let file = folder.join(key);
        std::fs::write(&file, text)?;
        said += &format!("{key} = \"{}\"\n", file.display());
    }
    Ok(said)
}

async fn client(world: Arc<World>) -> Result<()> {
    let device = world.deployment.device().context("a device")?;
    let folder = TempDir::new()?;
    let files = files(folder.path(), &device)?;

    // Scheme and flag that do not agree are refused before anything is sent.
    for (scheme, use_tls) in [("mqtts", false), ("mqtt", true)] {
        let config = settings(scheme, use_tls, &device, "");
        let error = Dev::start_with(&[sop()], &config).await.err().context("it started")?;
        let told = format!("{error:#}");
        ensure!(told.contains("do not agree: write `use_tls ="), "{told}");
    }
    // They agree with each other and not with the broker, or the broker's root is not known.
    for (scheme, use_tls, help) in [
        ("mqtt", false, "write `mqtts://` and `use_tls = true`"),
        ("mqtts", true, "name its authority's in `ca_file`"),
    ] {
        let host = Dev::start_with(&[sop()], &settings(scheme, use_tls, &device, "")).await?;
        poll(help, SOON, || async { Ok(host.said().contains(help).then_some(())) })
            .await
            .with_context(|| host.said())?;
    }

    let host = Dev::start_with(&[sop()], &settings("mqtts", true, &device, &files)).await?;
    let gateway = World::new(Box::new(host))?;
    let code = gateway.deployment.pairing_code().await?;
    gateway.paired(&gateway.redeem(&code).await?);
    // Until it has subscribed, what is published is nobody's.
    let high = r#"{"severity":3,"room":"behind the gateway"}"#;
    poll("a run behind the gateway", SOON, || async {
        publish(&device, &[("gateway/7", r#"{"severity":1}"#), ("gateway/7", high)]).await?;
        Ok(gateway.runs("gateway-probe").await?.first().cloned())
    })
    .await?;
    let started = |line: &serde_json::Value| {
        line["subject"] == "gateway/7" && line["detail"]["payload"] == high
    };
    let line = gateway.logged("its event", SOON, started).await?;
    ensure!(line["outcome"] == "matched" && line["source"] == "mqtt", "{line}");
    let run = line["detail"]["verdicts"][0]["run"].as_str().context("a run")?;
    gateway.completed(run).await?;
    gateway.verify(run).await?;
    Ok(())
}
