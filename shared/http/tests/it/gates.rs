//! Gates with policies: what they show, who decides, what may be changed.

use serde_json::{Value, json};
use sop_core::limits::PAYLOAD_BYTES_MAX;

use crate::request::{Ask, ask};
use crate::world::World;

const TOML: &str = "execution_mode = \"auto\"\n[[triggers]]\ntype = \"manual\"\n";

const WORKSPACE: &str = "[groups.ops]\nmembers = [\"anna\", \"ben\", \"carl\"]\n\
    [policies.production]\ngroup = \"ops\"\nquorum = 2\nno_self_approval = true\ntimeout = \"15m\"\n";

/// A draft of a person, a checkpoint that shows it, a call that needs a yes.
const STEPS: &str = "## Steps\n\n\
    1. **Draft** — Write it.\n\
    2. **Approve** — Read it.\n   - kind: checkpoint\n   - policy: production\n   - edit: text\n   \
       - prompt: Release {{ event.version }} as {{ steps.1.output.text }}?\n\
    3. **Tell** — All of them.\n   - capability: http.request\n   - requires_confirmation: true\n   \
       - with: {\"url\": \"https://example.test/{{ event.version }}\", \
                \"headers\": {\"authorization\": \"Bearer {{ secret(\\\"tell\\\") }}\"}}\n";

struct House {
    world: World,
    anna: String,
    ben: String,
    carl: String,
    eve: String,
}

impl House {
    async fn new() -> Self {
        let world = World::new().await;
        world.publish("release", TOML, STEPS, WORKSPACE).await;
        let mut tokens = Vec::new();
        for name in ["anna", "ben", "carl", "eve"] {
            tokens.push(world.person(name).await);
        }
        let [anna, ben, carl, eve] = tokens.try_into().expect("four of them");
        Self { world, anna, ben, carl, eve }
    }

    /// A run that eve started, whose draft carl wrote: at its first gate.
    async fn at_gate(&self) -> String {
        let run = self.world.start("release", &self.eve, "{\"version\":\"2.1\"}").await;
        self.draft(&run).await;
        run
    }

    async fn draft(&self, run: &str) {
        let path = format!("POST /api/runs/{run}/steps/1/complete");
        let body = r#"{"output":{"text":"spring","size":1}}"#;
        ask(&path).bearer(&self.carl).body(body).taken(&self.world, 200).await;
    }

    async fn gate(&self, run: &str, gate: u32) -> Value {
        let path = format!("GET /api/runs/{run}/gates/{gate}");
        ask(&path).bearer(&self.world.token).taken(&self.world, 200).await
    }
}

fn decide(token: &str, run: &str, body: &Value) -> Ask {
    ask(&format!("POST /api/gates/{run}/decision")).bearer(token).body(body.to_string())
}

fn approve(token: &str, run: &str, revision: u32) -> Ask {
    decide(token, run, &json!({ "revision": revision, "decision": "approve" }))
}

#[tokio::test]
async fn a_gate_shows_exactly_what_a_yes_is_for() {
    let house = House::new().await;
    let world = &house.world;
    let run = house.at_gate().await;
    let gate = house.gate(&run, 1).await;
    let shown = world.run(&run).await;
    assert_eq!(gate["shown"], shown["shown"]);
    assert_eq!(gate["until"], "2026-03-01T08:15:00.000Z");
    let mut rest = gate;
    for member in ["shown", "definition", "since", "until", "run"] {
        assert!(rest.as_object_mut().unwrap().remove(member).unwrap().is_string(), "{member}");
    }
    let expected = json!({
        "gate": 1, "step": 2, "title": "Approve", "body": "Read it.", "kind": "checkpoint",
        "capability": null, "prompt": "Release 2.1 as spring?", "prompt_problem": null,
        "args": null, "input": { "text": "spring", "size": 1 },
        "edit": { "field": "text", "value": "spring" },
        "policy": {
            "name": "production", "group": "ops", "members": ["anna", "ben", "carl"], "quorum": 2,
            "no_self_approval": true, "timeout_secs": 900, "on_timeout": "escalate",
        },
        "votes": [], "escalations": 0,
    });
    assert_eq!(rest, expected);
    approve(&house.anna, &run, 1).taken(world, 200).await;
    assert_eq!(house.gate(&run, 1).await["votes"], json!(["anna"]));
    approve(&house.ben, &run, 1).taken(world, 200).await;
    // The next one shows the call as it will be made, but for its secrets.
    let gate = house.gate(&run, 2).await;
    let args = json!({
        "url": "https://example.test/2.1", "headers": { "authorization": "Bearer ***" },
    });
    assert_eq!((&gate["args"], &gate["capability"]), (&args, &json!("http.request")));
    assert_eq!((&gate["policy"]["name"], &gate["policy"]["quorum"]), (&Value::Null, &json!(1)));
    let closed = [(1, "superseded"), (3, "gate_not_open"), (0, "gate_not_open")];
    for (gate, code) in closed {
        let line = format!("GET /api/runs/{run}/gates/{gate}");
        ask(&line).bearer(&world.token).refused(world, 409, code, &[]).await;
    }
    for gate in ["x", "-1", "1.0", "4294967296", "%20"] {
        let line = format!("GET /api/runs/{run}/gates/{gate}");
        ask(&line).bearer(&world.token).refused(world, 400, "bad_gate", &[]).await;
    }
    let (over, person) = (world.finished().await, world.at_person().await);
    for (run, code) in [(over, "already_finished"), (person, "gate_not_open")] {
        let line = format!("GET /api/runs/{run}/gates/1");
        ask(&line).bearer(&world.token).refused(world, 409, code, &[]).await;
    }
}

/// Who may not decide is told so each time, and stands on the ledger each time but for the same request.
#[tokio::test]
async fn a_refused_decision_is_on_the_ledger() {
    let house = House::new().await;
    let world = &house.world;
    let run = house.at_gate().await;
    let written = &["journal", "queue"];
    let outsider = approve(&house.eve, &run, 1).key("k");
    outsider.clone().refused(world, 403, "not_entitled", written).await;
    // The same request again heals what a crash may have left of it, and is refused again.
    let again = outsider.send(world).await;
    assert_eq!((again.status, again.code()), (403, "not_entitled"));
    approve(&house.carl, &run, 1).refused(world, 403, "own_work", written).await;
    let amend = json!({ "revision": 1, "decision": "amend", "value": "mine" });
    decide(&house.carl, &run, &amend).refused(world, 403, "own_work", written).await;
    // A later entry does not make the first request another one.
    approve(&house.eve, &run, 1).key("k").refused(world, 403, "not_entitled", &[]).await;
    let ledger = world.ledger(&run).await;
    let refused: Vec<(&Value, &Value)> = ledger
        .iter()
        .filter(|entry| entry["fact"]["did"] == "refused")
        .map(|entry| (&entry["by"], &entry["fact"]["refusal"]["refusal"]))
        .collect();
    let expected = [("eve", "not_entitled"), ("carl", "own_work"), ("carl", "own_work")];
    let expected: Vec<(Value, Value)> =
        expected.iter().map(|(by, what)| (json!(by), json!(what))).collect();
    assert_eq!(refused, expected.iter().map(|(by, what)| (by, what)).collect::<Vec<_>>());
    assert_eq!(world.run(&run).await["status"], "waiting");
    // A stale or unknown revision is no vote and no line of the ledger.
    approve(&house.eve, &run, 7).refused(world, 409, "gate_not_open", &[]).await;
}

#[tokio::test]
async fn a_quorum_counts_each_person_once() {
    let house = House::new().await;
    let world = &house.world;
    let run = house.at_gate().await;
    let first = approve(&house.anna, &run, 1).taken(world, 200).await;
    let awaited = &first["run"]["awaits"][0];
    assert_eq!((&awaited["votes"], &awaited["quorum"]), (&json!(["anna"]), &json!(2)));
    approve(&house.anna, &run, 1).refused(world, 409, "already_voted", &[]).await;
    let second = approve(&house.ben, &run, 1).taken(world, 200).await;
    assert_eq!(second["run"]["gate"], 2);
    approve(&house.ben, &run, 1).refused(world, 409, "superseded", &[]).await;
}

#[tokio::test]
async fn one_field_may_be_amended_within_its_size() {
    let house = House::new().await;
    let world = &house.world;
    let run = house.at_gate().await;
    let amend = |value: &Value| {
        decide(&house.anna, &run, &json!({ "revision": 1, "decision": "amend", "value": value }))
    };
    for body in [
        json!({ "revision": 1, "decision": "amend" }),
        json!({ "revision": 1, "decision": "approve", "value": "x" }),
        json!({ "revision": 1, "decision": "deny", "reason": "x", "value": null }),
        json!({ "revision": 1, "decision": "amend", "value": "x", "guidance": "y" }),
        json!({ "revision": 1, "decision": "revise", "guidance": "y", "value": "x" }),
    ] {
        decide(&house.anna, &run, &body).refused(world, 400, "bad_body", &[]).await;
    }
    // It fits by itself, and no more with what stands beside it.
    let whole = json!("x".repeat(PAYLOAD_BYTES_MAX - 10));
    amend(&whole).refused(world, 413, "amendment_too_large", &[]).await;
    amend(&json!("x".repeat(PAYLOAD_BYTES_MAX * 2))).refused(world, 413, "too_large", &[]).await;
    let long = json!({ "revision": 1, "decision": "approve", "comment": "x".repeat(20_000) });
    decide(&house.anna, &run, &long).refused(world, 413, "too_large", &[]).await;
    let amended = amend(&json!("summer")).taken(world, 200).await;
    // The other one of the quorum says yes to the result, at a gate of its own.
    let awaited = &amended["run"]["awaits"][0];
    assert_eq!((&awaited["step"], &awaited["votes"]), (&json!(2), &json!(["anna"])), "{amended}");
    let shown = house.gate(&run, 2).await;
    assert_eq!(shown["input"], json!({ "text": "summer", "size": 1 }));
    assert_eq!(shown["edit"], json!({ "field": "text", "value": "summer" }));
    let ledger = world.ledger(&run).await;
    let fact = &ledger.last().unwrap()["fact"];
    assert_eq!((&fact["did"], &fact["field"]), (&json!("amended"), &json!("text")));
    assert_eq!(fact["before"]["inline"], "\"spring\"");
    assert_eq!(fact["after"]["inline"], "\"summer\"");
    approve(&house.ben, &run, 1).refused(world, 409, "superseded", &[]).await;
    let approved = approve(&house.ben, &run, 2).taken(world, 200).await;
    assert_eq!(approved["run"]["gate"], 3, "{approved}");
    let body = json!({ "revision": 3, "decision": "amend", "value": "x" });
    decide(&house.anna, &run, &body).refused(world, 409, "not_amendable", &[]).await;
}

#[tokio::test]
async fn a_draft_is_sent_back_three_times_at_most() {
    let house = House::new().await;
    let world = &house.world;
    let run = house.at_gate().await;
    for guidance in [json!(""), json!(" \n"), Value::Null] {
        let body = json!({ "revision": 1, "decision": "revise", "guidance": guidance });
        decide(&house.anna, &run, &body).refused(world, 400, "no_guidance", &[]).await;
    }
    let revise = |gate: u32| {
        let body = json!({ "revision": gate, "decision": "revise", "guidance": "shorter" });
        decide(&house.anna, &run, &body)
    };
    for gate in 1..=3 {
        let revised = revise(gate).taken(world, 200).await;
        assert_eq!(revised["run"]["awaits"][0]["on"], "person", "{revised}");
        revise(gate).refused(world, 409, "gate_not_open", &[]).await;
        house.draft(&run).await;
        revise(gate).refused(world, 409, "superseded", &[]).await;
    }
    revise(4).refused(world, 409, "revised_too_often", &[]).await;
    let gate = world.at_gate().await;
    let body = json!({ "revision": 1, "decision": "revise", "guidance": "shorter" });
    decide(&house.anna, &gate, &body).refused(world, 409, "no_draft", &[]).await;
}
