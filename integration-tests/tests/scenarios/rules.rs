//! The topic rules of AWS IoT Core follow the active SOPs.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Feature, SOON, Scenario, SopFiles, World, poll};
use serde_json::json;

/// What the names of rules begin with in this deployment.
const PREFIX: &str = "sopwith_mqtt_";

/// A rule of somebody else's, with a name like ours.
const FOREIGN: &str = "sopwith_mqtt_of_others";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a published filter gets its rule, an archived one loses it, others' rules stay",
            needs: &[Feature::Aws, Feature::Push, Feature::Mqtt],
            run: |world| follow(world).boxed(),
        },
        Scenario {
            name: "a rule that somebody deleted is made again by the tick",
            needs: &[Feature::Aws, Feature::Push, Feature::Mqtt],
            run: |world| mended(world).boxed(),
        },
    ]
}

async fn mended(world: Arc<World>) -> Result<()> {
    const FILTER: &str = "probe/+/rules";
    let aws = world.deployment.aws().context("the services")?;
    let ours = || async {
        let rules = aws.topic_rules(PREFIX).await?;
        anyhow::Ok(rules.into_iter().find(|(_, topic)| topic == FILTER).map(|(name, _)| name))
    };
    poll("the tick to make it again", SOON, || async {
        // The tick looks when the catalog has changed since its last look, which may be a moment ago.
        let mut probe = probe();
        probe.markdown = probe.markdown.replace("Note", &format!("Note {}", world.number()));
        world.push(&[probe]).await?;
        let name = ours().await?.context("publishing did not make it")?;
        aws.delete_topic_rule(&name).await?;
        world.deployment.invoke("cron", &json!({ "operation": "tick" })).await?;
        ours().await
    })
    .await?;
    world.api().post("/api/sops/rule-probe/archive", &json!({})).await?.expect(200)?;
    ensure!(ours().await?.is_none(), "the archived SOP keeps its rule");
    Ok(())
}

fn probe() -> SopFiles {
    SopFiles {
        directory: "rule-probe".into(),
        toml: "[sop]\nname = \"rule-probe\"\ndescription = \"d\"\nexecution_mode = \"auto\"\n\n\
               [[triggers]]\ntype = \"mqtt\"\ntopic = \"probe/+/rules\"\nkey = \"$.id\"\n"
            .into(),
        markdown: "## Steps\n\n1. **Note**\n   - capability: noop\n".into(),
    }
}

async fn follow(world: Arc<World>) -> Result<()> {
    let aws = world.deployment.aws().context("the services")?;
    aws.make_topic_rule(FOREIGN, "theirs").await?;
    let before = aws.topic_rules(PREFIX).await?;
    ensure!(before.values().any(|topic| topic == "sensors/alert"), "{before:?}");
    ensure!(!before.values().any(|topic| topic == "#"), "nobody asks for all: {before:?}");

    world.push(&[probe()]).await?;
    let during = aws.topic_rules(PREFIX).await?;
    ensure!(during.len() == before.len() + 1, "{during:?}");
    ensure!(during.values().any(|topic| topic == "probe/+/rules"), "{during:?}");

    // Twice the same message: two events, one run.
    let message = json!({ "id": "r-1", "mark": "follows" }).to_string();
    world.publish(&[("probe/a/rules", &message), ("probe/b/rules", &message)]).await?;
    let api = world.api();
    poll("both events", SOON, || async {
        let page = api.get("/api/events?limit=100").await?;
        let lines = page["events"].as_array().context("a list of events")?;
        let mine = lines.iter().filter(|line| line["detail"]["payload"] == message.as_str());
        Ok((mine.count() == 2).then_some(()))
    })
    .await?;
    let runs = world.runs("rule-probe").await?;
    ensure!(runs.len() == 1, "{runs:?}");

    world.api().post("/api/sops/rule-probe/archive", &json!({})).await?.expect(200)?;
    let after = aws.topic_rules(PREFIX).await?;
    ensure!(after == before, "{after:?} is not {before:?}");
    aws.delete_topic_rule(FOREIGN).await
}
