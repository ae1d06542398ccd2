//! Devices: messages with a condition, uplinks, and who may not publish.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use futures_util::FutureExt;
use integration_tests::{DeviceError, Feature, SOON, Scenario, World, publish};
use serde_json::{Value, json};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a device's alert starts a run from severity 2 on, and the log says why not below",
            needs: &[Feature::Mqtt],
            run: |world| severity(world).boxed(),
        },
        Scenario {
            name: "a payload that is no JSON is logged and starts nothing",
            needs: &[Feature::Mqtt],
            run: |world| not_json(world).boxed(),
        },
        Scenario {
            name: "a person completes the steps of an alert",
            needs: &[Feature::Mqtt],
            run: |world| completed(world).boxed(),
        },
        Scenario {
            name: "an uplink of a peripheral starts a run",
            needs: &[Feature::Mqtt],
            run: |world| uplink(world).boxed(),
        },
        Scenario {
            name: "an event of a bus starts a run, and says why it does not",
            needs: &[],
            run: |world| bus(world).boxed(),
        },
        Scenario {
            name: "an uplink published to the rule itself starts a run",
            needs: &[Feature::Mqtt, Feature::BasicIngest],
            run: |world| basic_ingest(world).boxed(),
        },
        Scenario {
            name: "a device whose certificate is not active is turned away",
            needs: &[Feature::DeviceCertificates],
            run: |world| inactive(world).boxed(),
        },
    ]
}

/// The log's line of the event from `source` whose payload has `mark`.
async fn line_of(world: &World, source: &str, mark: &str) -> Result<Value> {
    world
        .logged(&format!("a line with {mark} in the log"), SOON, |line| {
            line["source"] == source && line["detail"]["payload"].to_string().contains(mark)
        })
        .await
}

fn verdict<'a>(line: &'a Value, sop: &str) -> Result<&'a Value> {
    let verdicts = line["detail"]["verdicts"].as_array().context("a list of verdicts")?;
    let found = verdicts.iter().find(|verdict| verdict["sop"] == sop);
    found.with_context(|| format!("no verdict on `{sop}` in {line}"))
}

/// The run that the log's line says was started.
fn run_in(line: &Value, sop: &str) -> Result<String> {
    let verdict = verdict(line, sop)?;
    ensure!(verdict["matched"] == true, "{verdict}");
    Ok(verdict["run"].as_str().with_context(|| format!("no run in {verdict}"))?.to_owned())
}

async fn severity(world: Arc<World>) -> Result<()> {
    let low = json!({ "severity": 1, "room": "sev-low" }).to_string();
    let high = json!({ "severity": 3, "room": "sev-high" }).to_string();
    world.publish(&[("sensors/alert", &low), ("sensors/alert", &high)]).await?;

    let line = line_of(&world, "mqtt", "sev-high").await?;
    ensure!(line["outcome"] == "matched" && line["subject"] == "sensors/alert", "{line}");
    let run = run_in(&line, "cold-room-alarm")?;
    let seen = world.run_when(&run, "waiting", |seen| seen["status"] == "waiting").await?;
    ensure!(seen["event"] == line["event"] && seen["source"] == "mqtt", "{seen}");

    let line = line_of(&world, "mqtt", "sev-low").await?;
    ensure!(line["outcome"] == "unmatched", "{line}");
    let verdict = verdict(&line, "cold-room-alarm")?;
    let reason = verdict["reason"].as_str().unwrap_or_default();
    ensure!(verdict["matched"] == false && reason.contains("1 >= 2 is false"), "{verdict}");
    let runs = world.runs("cold-room-alarm").await?;
    ensure!(!runs.iter().any(|run| run["event"] == line["event"]), "it started a run: {line}");
    // Slots are few: make room for the others.
    cancel(&world, &run).await
}

async fn not_json(world: Arc<World>) -> Result<()> {
    world.publish(&[("sensors/alert", "severity nine, says the sensor")]).await?;
    let line = line_of(&world, "mqtt", "severity nine").await?;
    ensure!(line["outcome"] == "unmatched", "{line}");
    Ok(())
}

async fn completed(world: Arc<World>) -> Result<()> {
    let alert = json!({ "severity": 5, "room": "all-steps" }).to_string();
    world.publish(&[("sensors/alert", &alert)]).await?;
    let run = run_in(&line_of(&world, "mqtt", "all-steps").await?, "cold-room-alarm")?;
    for step in 1..=4 {
        let waits = |seen: &Value| seen["steps"][step - 1]["state"] == "waiting";
        let seen = world.run_when(&run, &format!("at step {step}"), waits).await?;
        if seen["gate"].is_u64() {
            world.approve(&seen).await?;
        }
        if step == 4 {
            // A checkpoint is over with its approval.
            break;
        }
        let path = format!("/api/runs/{run}/steps/{step}/complete");
        world.api().post(&path, &json!({ "output": { "step": step } })).await?.expect(200)?;
    }
    world.completed(&run).await?;
    world.verify(&run).await?;
    Ok(())
}

/// Sends an alarm's change of state: as the bus hands it over where there is one, since nobody but AWS may put
/// its events there, else as an operator would.
async fn alarm(world: &World, name: &str, state: &str) -> Result<()> {
    let (source, kind) = ("aws.cloudwatch", "CloudWatch Alarm State Change");
    let detail = json!({
        "alarmName": name,
        "state": { "value": state, "reason": "12 > 5" },
        "previousState": { "value": "OK" },
    });
    let payload = json!({ "id": name, "source": source, "detail-type": kind, "detail": detail });
    if world.has(Feature::Aws) {
        let taken = world.deployment.invoke("eventbridge", &payload).await?;
        ensure!(taken["status"] == "accepted", "{taken}");
        return Ok(());
    }
    let subject = format!("{source}/{kind}");
    let event = json!({ "source": "event", "subject": subject, "payload": payload });
    world.api().post("/api/events", &event).await?.expect(202)?;
    Ok(())
}

async fn bus(world: Arc<World>) -> Result<()> {
    let detail = json!({ "text": "from-the-bus" }).to_string();
    let note = json!({ "Source": "shop.inbox", "DetailType": "Note", "Detail": detail });
    if let Some(put) = world.deployment.put_event(&note) {
        put.await?;
        let line = line_of(&world, "event", "from-the-bus").await?;
        world.completed(&run_in(&line, "bus-note")?).await?;
    }
    alarm(&world, "it-was-nothing", "INSUFFICIENT_DATA").await?;
    alarm(&world, "it-orders-5xx", "ALARM").await?;
    let line = line_of(&world, "event", "it-was-nothing").await?;
    let verdict = verdict(&line, "alarm-response")?;
    let reason = verdict["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("INSUFFICIENT_DATA"), "{verdict}");
    let line = line_of(&world, "event", "it-orders-5xx").await?;
    ensure!(line["subject"] == "aws.cloudwatch/CloudWatch Alarm State Change", "{line}");
    let run = run_in(&line, "alarm-response")?;
    let waits = |seen: &Value| seen["steps"][1]["state"] == "waiting";
    world.run_when(&run, "at the person's step", waits).await?;
    let event = line["event"].as_str().context("an id")?;
    let whole = world.api().get(&format!("/api/events/{event}")).await?;
    let payload = whole["detail"]["payload"].as_str().context("the payload")?;
    let payload: Value = serde_json::from_str(payload).context("the whole event")?;
    ensure!(payload["detail"]["state"]["reason"] == "12 > 5", "{payload}");
    cancel(&world, &run).await
}

async fn cancel(world: &World, run: &str) -> Result<()> {
    let reason = json!({ "reason": "seen enough" });
    world.api().post(&format!("/api/runs/{run}/cancel"), &reason).await?.expect(200)?;
    Ok(())
}

async fn uplink(world: Arc<World>) -> Result<()> {
    let topic = "peripherals/pump-7/pressure";
    world.publish(&[(topic, r#"{"bar":84.5}"#), (topic, r#"{"bar":91.25}"#)]).await?;
    let line = line_of(&world, "peripheral", "91.25").await?;
    ensure!(line["subject"] == "pump-7/pressure", "{line}");
    let run = run_in(&line, "pump-pressure-response")?;
    let seen = world.api().get(&format!("/api/runs/{run}")).await?;
    ensure!(seen["source"] == "peripheral" && seen["sop"] == "pump-pressure-response", "{seen}");
    let line = line_of(&world, "peripheral", "84.5").await?;
    let verdict = verdict(&line, "pump-pressure-response")?;
    ensure!(verdict["matched"] == false, "{verdict}");
    // It notes the reading, waits ten seconds, and then somebody has to look.
    let waits = |seen: &Value| seen["steps"][2]["state"] == "waiting";
    world.run_when(&run, "at the gauge", waits).await?;
    world.verify(&run).await?;
    Ok(())
}

async fn basic_ingest(world: Arc<World>) -> Result<()> {
    let topic = "$aws/rules/sopwith_peripheral/peripherals/valve-3/flow";
    world.publish(&[(topic, r#"{"litres":3.75}"#)]).await?;
    let line = line_of(&world, "peripheral", "3.75").await?;
    ensure!(line["subject"] == "valve-3/flow", "{line}");
    let run = run_in(&line, "valve-check")?;
    world.completed(&run).await?;
    Ok(())
}

async fn inactive(world: Arc<World>) -> Result<()> {
    let inactive = world.deployment.inactive_device().context("a device")?;
    match publish(&inactive, &[("sensors/alert", r#"{"severity":9,"room":"inactive"}"#)]).await {
        Err(DeviceError::Refused(_)) => Ok(()),
        Err(DeviceError::Certificate(error)) => Err(error),
        Err(DeviceError::Silent) => bail!("the broker neither took nor refused it"),
        Ok(()) => bail!("the broker took a message from a device that may not connect"),
    }
}
