//! What callers of the doors are told, and what they have to mend: statement by statement.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use integration_tests::{Feature, Method, SIGNING_SECRET, Scenario, World};
use serde_json::{Value, json};
use sop_core::definition::Scheme;
use sop_core::signature::sign;
use sop_runtime::port::{Clock, SystemClock};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "a webhook's path is the same to the letter, and the answer says what came near",
            needs: &[],
            run: |world| to_the_letter(world).boxed(),
        },
        Scenario {
            name: "the chat endpoint asks the procedures first, and says that nobody else listens",
            needs: &[],
            run: |world| chat(world).boxed(),
        },
        Scenario {
            name: "a webhook without its token is told how to get one, and then gets in",
            needs: &[],
            run: |world| token(world).boxed(),
        },
        Scenario {
            name: "a key of the chat endpoint is no key of the others",
            needs: &[],
            run: |world| families(world).boxed(),
        },
        Scenario {
            name: "every webhook shows the second secret, and 401 names the header that it goes into",
            needs: &[],
            run: |world| second_layer(world).boxed(),
        },
        Scenario {
            name: "a signed webhook needs no token, and one that is altered or late gets in nowhere",
            needs: &[],
            run: |world| signed(world).boxed(),
        },
        Scenario {
            name: "a key is held for five minutes and then forgotten",
            needs: &[Feature::Aws],
            run: |world| forgotten(world).boxed(),
        },
        Scenario {
            name: "a step that nobody does waits for somebody, and what arrived is beside it",
            needs: &[Feature::Mqtt],
            run: |world| waits(world).boxed(),
        },
    ]
}

async fn to_the_letter(world: Arc<World>) -> Result<()> {
    let body = json!({ "message": "x" });
    for path in ["/sop/Deploy", "/sop/deploy/", "/sop/deploy/now", "/sop/deploi"] {
        let problem = world.hook(path, &body).send().await?.expect_problem(404, "no_match")?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        ensure!(detail.contains("to the letter"), "{path}: {problem}");
    }
    let problem = world.hook("/sop/deploi", &body).send().await?.expect_problem(404, "no_match")?;
    ensure!(problem["near"].to_string().contains("/sop/deploy"), "{problem}");
    // The same, spelled otherwise.
    let answer = world.hook("/sop/%64eploy", &body).send().await?.expect(202)?;
    ensure!(answer["matched_sops"] == json!(["deploy-pipeline"]), "{answer}");
    let get = world.api().request(Method::GET, "/sop/deploy").send().await?;
    get.expect_problem(405, "method_not_allowed")?;
    Ok(())
}

async fn chat(world: Arc<World>) -> Result<()> {
    let known = json!({ "intent": "record" });
    let answer = world.hook("/webhook", &known).send().await?.expect(202)?;
    ensure!(answer["source"] == "webhook" && answer["path"] == "/webhook", "{answer}");
    ensure!(answer["matched_sops"] == json!(["chat-hook"]), "{answer}");
    let event = answer["event_id"].as_str().context("an event id")?;
    let run = world.run_of("chat-hook", event).await?;
    world.completed(&run).await?;
    let unknown = json!({ "intent": "small talk" });
    let problem = world.hook("/webhook", &unknown).send().await?.expect_problem(501, "no_agent")?;
    ensure!(problem["near"].to_string().contains("small talk"), "{problem}");
    Ok(())
}

async fn token(world: Arc<World>) -> Result<()> {
    let body = json!({ "message": "let me in" });
    let anybody = world.anybody();
    let problem = anybody.post("/sop/deploy", &body).await?.expect_problem(401, "unauthorized")?;
    let detail = problem["detail"].as_str().unwrap_or_default();
    ensure!(detail.contains("/pair"), "the way in is not told: {problem}");
    let wrong = anybody.with_token("sop_0000").post("/sop/deploy", &body).await?;
    wrong.expect_problem(401, "unauthorized")?;
    let caller = world.another_caller().await?;
    caller.post("/sop/deploy", &body).await?.expect(202)?;
    Ok(())
}

async fn families(world: Arc<World>) -> Result<()> {
    let keyed = |path: &'static str, body: Value| {
        let request = world.hook(path, &body).header("x-idempotency-key", "one-key-two-doors");
        async move { request.send().await }
    };
    let chat = keyed("/webhook", json!({ "intent": "record" })).await?.expect(202)?;
    let sop = keyed("/sop/deploy", json!({ "message": "same key" })).await?.expect(202)?;
    ensure!(chat["event_id"] != sop["event_id"], "{chat} and {sop} are one event");
    let again = keyed("/webhook", json!({ "intent": "record" })).await?.expect(200)?;
    ensure!(again["status"] == "duplicate" && again["event_id"] == chat["event_id"], "{again}");
    Ok(())
}

async fn second_layer(world: Arc<World>) -> Result<()> {
    let body = json!({ "message": "secured twice" });
    let anybody = world.anybody();
    for wrong in [None, Some(""), Some("second-layer"), Some("in-front-of-all-webhooks-51d1")] {
        for caller in [world.api(), anybody.clone()] {
            for path in ["/sop/deploy", "/webhook", "/sop/open", "/sop/signed/github"] {
                let caller = caller.with_second_layer(wrong);
                let problem =
                    caller.post(path, &body).await?.expect_problem(401, "wrong_secret")?;
                let detail = problem["detail"].as_str().unwrap_or_default();
                ensure!(detail.contains("X-Webhook-Secret"), "{path}: {problem}");
            }
        }
    }
    // A layer, and no way in.
    anybody.post("/sop/deploy", &body).await?.expect_problem(401, "unauthorized")?;
    world.api().post("/sop/deploy", &body).await?.expect(202)?;
    Ok(())
}

async fn signed(world: Arc<World>) -> Result<()> {
    let now = SystemClock.now();
    let post = |(scheme, path): (Scheme, &'static str), at, signed: &str, sent: &str| {
        let headers = sign(scheme, SIGNING_SECRET, "d-1", at, signed.as_bytes());
        let request = world.anybody().request(Method::POST, path).text(sent.to_owned());
        let request = headers
            .into_iter()
            .flatten()
            .fold(request, |request, (name, value)| request.header(name, &value));
        async move { request.send().await }
    };
    let number = world.number();
    for by in [(Scheme::Github, "/sop/signed/github"), (Scheme::Stripe, "/sop/signed/stripe")] {
        let body = json!({ "id": format!("d-{number}"), "amount": 7 }).to_string();
        let altered = body.replace('7', "9");
        let nobody = world.anybody().request(Method::POST, by.1).text(body.clone()).send().await?;
        nobody.expect_problem(401, "signature_missing")?;
        post(by, now, &body, &altered).await?.expect_problem(401, "signature_wrong")?;
        let answer = post(by, now, &body, &body).await?.expect(202)?;
        ensure!(answer["matched_sops"] == json!(["signed-hook"]), "{answer}");
        let event = answer["event_id"].as_str().context("an event id")?;
        let run = world.run_of("signed-hook", event).await?;
        world.completed(&run).await?;
        // Whoever saw it may send it once more: it is the same event.
        let again = post(by, now, &body, &body).await?.expect(200)?;
        ensure!(again["status"] == "duplicate" && again["event_id"] == event, "{again}");
    }
    let late = now.plus_millis(-600_000);
    let stripe = (Scheme::Stripe, "/sop/signed/stripe");
    post(stripe, late, "{}", "{}").await?.expect_problem(401, "signature_late")?;
    Ok(())
}

async fn forgotten(world: Arc<World>) -> Result<()> {
    let aws = world.deployment.aws().context("the services")?;
    let key = format!("forgotten-{}", world.number());
    let post = || {
        let request = world.hook("/webhook", &json!({ "intent": "record" }));
        request.header("x-idempotency-key", &key).send()
    };
    let begun = SystemClock.now();
    let first = post().await?.expect(202)?;
    let until = aws.end_key(&key).await?;
    let held_ms = until.millis_since(begun);
    ensure!((300_000..330_000).contains(&held_ms), "it is held for {held_ms} ms");
    let second = post().await?.expect(202)?;
    ensure!(second["event_id"] != first["event_id"], "{second} is {first}");
    Ok(())
}

async fn waits(world: Arc<World>) -> Result<()> {
    let alert = json!({ "severity": 4, "room": "nobody-there" }).to_string();
    world.publish(&[("sensors/alert", &alert)]).await?;
    let line = world
        .logged("the alert in the log", integration_tests::SOON, |line| {
            line["detail"]["payload"].to_string().contains("nobody-there")
        })
        .await?;
    let verdicts = line["detail"]["verdicts"].as_array().context("verdicts")?;
    let run = verdicts.iter().find_map(|verdict| verdict["run"].as_str()).context("a run")?;
    let waits = |seen: &Value| seen["steps"][0]["state"] == "waiting";
    let seen = world.run_when(run, "at its first step", waits).await?;
    ensure!(seen["waiting_for"].to_string().contains("person"), "{seen}");
    let verified = world.verify(run).await?;
    ensure!(verified.entries == 1, "something was done without anybody: {}", verified.entries);
    // The payload is the run's first entry, and so what its steps see.
    let journal = world.api().get(&format!("/api/runs/{run}/journal")).await?;
    let first = journal["entries"][0]["body"].as_str().context("an entry")?;
    ensure!(first.contains("nobody-there"), "{first}");
    let reason = json!({ "reason": "nobody is there" });
    world.api().post(&format!("/api/runs/{run}/cancel"), &reason).await?.expect(200)?;
    Ok(())
}
