//! The rules of AWS IoT Core and of the event bus follow the active SOPs.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use futures_util::FutureExt;
use integration_tests::{Feature, SOON, Scenario, SopFiles, World, poll};
use serde_json::{Value, json};

/// What the names of rules begin with in this deployment.
const PREFIX: &str = "sopwith_mqtt_";

/// The same on the bus.
const BUS_PREFIX: &str = "sopwith-events-";

/// Rules of somebody else's, with names like ours.
const FOREIGN: &str = "sopwith_mqtt_of_others";
const BUS_FOREIGN: &str = "sopwith-events-of-others";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a published filter gets its rule, an archived one loses it, others' rules stay",
            needs: &[Feature::Aws, Feature::Push, Feature::Mqtt],
            run: |world| follow(world).boxed(),
        },
        Scenario {
            name: "a published source gets its rule on the bus, an archived one loses it, others' rules stay",
            needs: &[Feature::Aws, Feature::Push],
            run: |world| follow_on_the_bus(world).boxed(),
        },
        Scenario {
            name: "a rule that somebody deleted is made again by the tick",
            needs: &[Feature::Aws, Feature::Push, Feature::Mqtt],
            run: |world| mended(world).boxed(),
        },
        Scenario {
            name: "a rule of the bus that somebody deleted is made again by the tick",
            needs: &[Feature::Aws, Feature::Push],
            run: |world| mended_on_the_bus(world).boxed(),
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

async fn mended_on_the_bus(world: Arc<World>) -> Result<()> {
    let aws = world.deployment.aws().context("the services")?;
    forget(&world, "bus-probe").await?;
    let ours = || async {
        let rules = aws.bus_rules(BUS_PREFIX).await?;
        let probe = rules.into_iter().find(|(_, pattern)| pattern.contains("probe.shop"));
        anyhow::Ok(probe.map(|(name, _)| name))
    };
    poll("the tick to make it again", SOON, || async {
        let mut probe = bus_probe("Made");
        probe.markdown = probe.markdown.replace("Note", &format!("Note {}", world.number()));
        world.push(&[probe]).await?;
        let name = ours().await?.context("publishing did not make it")?;
        aws.delete_bus_rule(&name).await?;
        world.deployment.invoke("cron", &json!({ "operation": "tick" })).await?;
        ours().await
    })
    .await?;
    // With its target.
    let health = world.api().get("/api/health").await?;
    let events = &health["rules"]["events"];
    ensure!(events["missing"] == json!([]) && events["wrong"] == json!([]), "{health}");
    world.api().post("/api/sops/bus-probe/archive", &json!({})).await?.expect(200)?;
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

/// Sends marked messages or events one by one until one starts something: a function that was busy before a
/// publish looks at the catalog again after a few seconds.
async fn heard<F>(world: &World, send: impl Fn(String) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    poll("the dispatcher to know of it", SOON, || async {
        let mark = format!("heard-{}", world.number());
        send(mark.clone()).await?;
        let is_it = |line: &Value| line["detail"]["payload"].to_string().contains(&mark);
        let line = world.logged("its line", SOON, is_it).await?;
        Ok((line["outcome"] == "matched").then_some(()))
    })
    .await
}

/// Takes away what a try of before has left there; where there is nothing the host says so.
async fn forget(world: &World, sop: &str) -> Result<()> {
    let path = format!("/api/sops/{sop}/archive");
    world.api().post(&path, &json!({})).await.map(drop)
}

async fn follow(world: Arc<World>) -> Result<()> {
    let aws = world.deployment.aws().context("the services")?;
    forget(&world, "rule-probe").await?;
    aws.make_topic_rule(FOREIGN, "theirs").await?;
    let before = aws.topic_rules(PREFIX).await?;
    ensure!(before.values().any(|topic| topic == "sensors/alert"), "{before:?}");
    ensure!(!before.values().any(|topic| topic == "#"), "nobody asks for all: {before:?}");

    world.push(&[probe()]).await?;
    let during = aws.topic_rules(PREFIX).await?;
    ensure!(during.len() == before.len() + 1, "{during:?}");
    ensure!(during.values().any(|topic| topic == "probe/+/rules"), "{during:?}");

    // Twice the same message, as soon as its rule is there: two events, one run.
    let message = json!({ "id": format!("r-{}", world.number()) }).to_string();
    world.publish(&[("probe/a/rules", &message), ("probe/b/rules", &message)]).await?;
    let api = world.api();
    let mut reasons = poll("both events", SOON, || async {
        let page = api.get("/api/events?limit=100").await?;
        let lines = page["events"].as_array().context("a list of events")?;
        let mine = lines.iter().filter(|line| line["detail"]["payload"] == message.as_str());
        let reasons: Vec<String> =
            mine.map(|line| line["detail"]["verdicts"][0]["reason"].to_string()).collect();
        Ok((reasons.len() == 2).then_some(reasons))
    })
    .await?;
    reasons.sort_unstable();
    let [repeated, started] = &reasons[..] else { bail!("{reasons:?}") };
    ensure!(started == "\"started\"" && repeated.starts_with("\"duplicate of "), "{reasons:?}");

    world.api().post("/api/sops/rule-probe/archive", &json!({})).await?.expect(200)?;
    let after = aws.topic_rules(PREFIX).await?;
    ensure!(after == before, "{after:?} is not {before:?}");
    aws.delete_topic_rule(FOREIGN).await
}

fn bus_probe(kind: &str) -> SopFiles {
    SopFiles {
        directory: "bus-probe".into(),
        toml: format!(
            "[sop]\nname = \"bus-probe\"\ndescription = \"d\"\nexecution_mode = \"auto\"\n\n\
             [[triggers]]\ntype = \"event\"\nsource = \"probe.shop\"\ndetail_type = \"{kind}\"\n"
        ),
        markdown: "## Steps\n\n1. **Note**\n   - capability: noop\n".into(),
    }
}

async fn follow_on_the_bus(world: Arc<World>) -> Result<()> {
    let aws = world.deployment.aws().context("the services")?;
    forget(&world, "bus-probe").await?;
    aws.make_bus_rule(BUS_FOREIGN, "theirs").await?;
    let before = aws.bus_rules(BUS_PREFIX).await?;
    let note = r#"{"detail-type":["Note"],"source":["shop.inbox"]}"#;
    ensure!(before.values().any(|pattern| pattern == note), "{before:?}");

    world.push(&[bus_probe("Made")]).await?;
    let made = aws.bus_rules(BUS_PREFIX).await?;
    ensure!(made.len() == before.len() + 1, "{made:?}");
    // What is asked of a source changes its rule where it is.
    world.push(&[bus_probe("Sold")]).await?;
    let during = aws.bus_rules(BUS_PREFIX).await?;
    ensure!(during.keys().eq(made.keys()), "{during:?} for {made:?}");
    let sold = r#"{"detail-type":["Sold"],"source":["probe.shop"]}"#;
    ensure!(during.values().any(|pattern| pattern == sold), "{during:?}");

    let health = world.api().get("/api/health").await?;
    let ours = during.len() - 1;
    let well = json!({ "right": ours, "missing": [], "wrong": [], "stale": 0 });
    ensure!(health["rules"]["events"] == well, "{health}");

    let put = |kind: &'static str, mark: String| {
        let world = Arc::clone(&world);
        async move {
            let detail = json!({ "mark": mark }).to_string();
            let entry = json!({ "Source": "probe.shop", "DetailType": kind, "Detail": detail });
            world.deployment.put_event(&entry).context("a bus")?.await
        }
    };
    put("Made", "not-asked-for".to_owned()).await?;
    heard(&world, |mark| put("Sold", mark)).await?;
    poll("the run of the event", SOON, || async {
        let runs = world.runs("bus-probe").await?;
        Ok((!runs.is_empty()).then_some(()))
    })
    .await?;
    let page = world.api().get("/api/events?limit=100").await?;
    ensure!(!page.to_string().contains("not-asked-for"), "nobody asked for it");

    world.api().post("/api/sops/bus-probe/archive", &json!({})).await?.expect(200)?;
    let after = aws.bus_rules(BUS_PREFIX).await?;
    ensure!(after == before, "{after:?} is not {before:?}");
    aws.delete_bus_rule(BUS_FOREIGN).await
}
