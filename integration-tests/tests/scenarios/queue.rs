//! The queue between doors and dispatcher, written to directly.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Feature, Scenario, World, poll};
use serde_json::{Value, json};
use sop_core::event::{Data, Event, Source};
use sop_core::id::{EventId, Tenant};
use sop_runtime::envelope::Body;
use sop_runtime::port::{Clock, SystemClock};

/// Five receives, each hidden for a second, on a busy machine.
const DEAD: Duration = Duration::from_secs(60);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![Scenario {
        name: "a poison message lands in the dead letters alone",
        needs: &[Feature::Aws],
        run: |world| poison(world).boxed(),
    }]
}

fn event(number: u8) -> Event {
    let time = SystemClock.now();
    let id = EventId::from_random(time, &[number; 10]);
    Event {
        trace: None,
        lineage: None,
        id,
        tenant: Tenant::default(),
        source: Source::Webhook,
        subject: "/sop/open".to_owned(),
        time,
        data: Data::Text("{\"mate\":true}".to_owned()),
        target: None,
        catalog: None,
        method: Some("POST".to_owned()),
        actor: None,
    }
}

async fn poison(world: Arc<World>) -> Result<()> {
    let aws = world.deployment.aws().context("the services")?;
    // What a try before has left there.
    let all = json!({ "queue": "events", "all": true });
    world.api().post("/api/dlq/discard", &all).await?.expect(200)?;
    let mates: Vec<Event> = (1..=4).map(event).collect();
    let mut bodies: Vec<String> = mates
        .iter()
        .map(|event| Body::Event { event: Box::new(event.clone()) }.into_message(0).body)
        .collect();
    bodies.insert(2, "{\"v\":1,\"body\":{\"kind\":\"poison\"}}".to_owned());
    // The template hides a message for three minutes; nobody wants to wait for five times that.
    aws.hide_events_for(1).await?;
    aws.send_events(&bodies).await?;
    for mate in &mates {
        let run = world.run_of("open-hook", mate.id.as_str()).await?;
        world.completed(&run).await?;
    }
    let dead = poll("a dead letter", DEAD, || async {
        let dead = aws.dead_events().await?;
        Ok((!dead.is_empty()).then_some(dead))
    })
    .await;
    aws.hide_events_for(180).await?;
    let dead = dead?;
    ensure!(dead == [bodies[2].clone()], "not the poison alone: {dead:?}");
    let api = world.api();
    // The reason is noted at the last receives, where a function is told which it is.
    let told = world.has(Feature::ReceiveCounts);
    let listed = poll("its reason", DEAD, || async {
        let page = api.get("/api/dlq?queue=events").await?;
        let letters = page["letters"].as_array().context("letters")?;
        let is_told = |letter: &&Value| !told || letter["reason"].is_string();
        Ok(letters.iter().find(is_told).cloned())
    })
    .await?;
    let reason = listed["reason"].as_str().unwrap_or_default();
    ensure!(!told || reason.contains("not an envelope"), "{listed}");
    let order = json!({ "queue": "events", "ids": [listed["id"]] });
    let done = api.post("/api/dlq/discard", &order).await?.expect(200)?;
    ensure!(done["discarded"] == 1, "{done}");
    Ok(())
}
