//! What people send is held against the schemas of the definition.

use crate::request::ask;
use crate::world::World;

const TOML: &str = "execution_mode = \"auto\"\ninput = { type = \"object\", required = [\"order\"], \
    properties = { order = { type = \"integer\" } } }\n[[triggers]]\ntype = \"manual\"\n";

const STEPS: &str = "## Steps\n\n1. **Weigh** — it.\n   \
    - output: {\"type\": \"object\", \"required\": [\"grams\"], \
       \"properties\": {\"grams\": {\"type\": \"number\", \"minimum\": 0}}}\n";

#[tokio::test]
async fn a_start_by_hand_brings_what_the_sop_takes() {
    let world = World::new().await;
    world.publish("weigh", TOML, STEPS, "").await;
    let start = |body: &str| ask("POST /api/sops/weigh/run").bearer(&world.token).body(body);
    for (body, pointer) in
        [("", ""), ("{}", ""), ("[]", ""), ("null", ""), (r#"{"order":"7"}"#, "/order")]
    {
        start(body).refused(&world, 422, "bad_input", &[]).await;
        assert_eq!(start(body).send(&world).await.body["pointer"], pointer, "{body}");
    }
    start(r#"{"order":7}"#).taken(&world, 202).await;
}

#[tokio::test]
async fn a_step_gives_what_its_author_said() {
    let world = World::new().await;
    world.publish("weigh", TOML, STEPS, "").await;
    let run = world.start("weigh", &world.token, r#"{"order":7}"#).await;
    let complete = |body: &str| {
        ask(&format!("POST /api/runs/{run}/steps/1/complete")).bearer(&world.token).body(body)
    };
    for (body, pointer) in [
        ("", ""),
        (r#"{"output":null}"#, ""),
        (r#"{"output":"12"}"#, ""),
        (r#"{"output":{"grams":"secret-12"}}"#, "/grams"),
        (r#"{"output":{"grams":-1}}"#, "/grams"),
    ] {
        complete(body).refused(&world, 422, "bad_output", &[]).await;
        let problem = complete(body).send(&world).await.body;
        assert_eq!(problem["pointer"], pointer, "{body}");
        assert!(!problem.to_string().contains("secret-12"), "{problem}");
    }
    // What is not awaited is refused as that, whatever is said.
    let line = format!("POST /api/runs/{run}/steps/2/complete");
    ask(&line).bearer(&world.token).body("{}").refused(&world, 409, "not_awaited", &[]).await;
    let done = complete(r#"{"output":{"grams":12.5}}"#).key("k").taken(&world, 200).await;
    assert_eq!(done["run"]["status"], "completed");
    complete(r#"{"output":{"grams":12.5}}"#).key("k").taken(&world, 200).await;
    let line = format!("POST /api/runs/{run}/steps/1/fail");
    let fail = ask(&line).bearer(&world.token).body(r#"{"reason":"x"}"#);
    fail.refused(&world, 409, "already_finished", &[]).await;
}
