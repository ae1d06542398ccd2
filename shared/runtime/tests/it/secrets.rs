//! Secrets go to those alone who may have them.

use std::sync::Mutex;

use sop_core::definition::{Workspace, parse};
use sop_core::engine::{End, Phase};
use sop_core::id::{Digest, Tenant};
use sop_core::matching::{Listed, Snapshot};
use sop_runtime::flow::{self, Published, Push, Sources, execute};
use sop_runtime::port::{Catalog, PortError, QueueName, Secrets};
use sop_testkit::scenario::{GATE, NOOP, texts, toml, webhook};

use crate::house::{House, files};

/// Has every secret, and remembers which were asked for.
#[derive(Default)]
struct Vault(Mutex<Vec<String>>);

impl Secrets for Vault {
    async fn secret(&self, name: &str) -> Result<Option<String>, PortError> {
        self.0.lock().unwrap().push(name.to_owned());
        Ok(Some("hunter2-hunter2".to_owned()))
    }
}

const CALL: &str = "**Call** — it.\n   - capability: http.request\n   \
    - with: {\"url\": \"https://a.example/\", \"headers\": {\"x-key\": \"{{ secret(\\\"key\\\") }}\"}}";

/// F12: a definition that got around validation gives no secret to a built-in that may have none: the step
/// fails, and the secret is not even asked for.
#[tokio::test]
async fn who_may_have_no_secret_gets_none() {
    for (capability, may) in [("http.request", true), ("transform", false), ("noop", false)] {
        let house = House::new();
        let source = files(texts(&toml("leak", "", &webhook("/sop/a")), &[CALL]));
        let parsed = parse(&source, &Workspace::default());
        let mut definition =
            parsed.definition.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
        definition.steps[0].capability = Some(capability.to_owned());
        let json = definition.to_json();
        let digest = Digest::of(json.as_bytes());
        house.memory.put_definition(&digest, &json).await.unwrap();
        let snapshot = serde_json::to_string(&Snapshot::new([Listed::from(&definition)])).unwrap();
        let digest = Digest::of(snapshot.as_bytes());
        house.memory.put_snapshot(&digest, &snapshot).await.unwrap();
        house.memory.publish(&Tenant::default(), 0, &digest).await.unwrap();

        house.event("/sop/a").await;
        house.dispatch().await;
        let vault = Vault::default();
        for message in house.received(QueueName::Effects).await {
            execute(&house.host, (&house.performer, &vault), &message).await.unwrap();
        }
        house.run_out().await;
        assert_eq!(!vault.0.lock().unwrap().is_empty(), may, "{capability}");
        assert_eq!(!house.performer.counts().is_empty(), may, "{capability}");
        match house.run(&house.only_run().await).await.phase {
            Phase::Finished { end: End::Completed, .. } => assert!(may, "{capability}"),
            Phase::Finished { end: End::Failed { reason }, .. } => {
                let told = format!("`{capability}` may not be given the secret `key`");
                assert!(!may && reason.contains(&told), "{reason}");
            }
            phase => panic!("{capability}: {phase:?}"),
        }
    }
}

const WORKSPACE: &str = "[policies.told]\nrequest = [{ type = \"mqtt\", topic = \"gates\" }]\n";

/// The word of a gate in which `prompt` is asked, for an event of `payload`.
async fn word(prompt: &str, payload: &[u8]) -> serde_json::Value {
    let house = House::new();
    let gate = format!("{GATE}\n   - policy: told\n   - prompt: {prompt}");
    let files = [files(texts(&toml("ask", "", &webhook("/sop/a")), &[NOOP, &gate]))];
    let workspace = Some(("sops/workspace.toml", WORKSPACE));
    let sources = Sources { files: &files, workspace, schema_problem: None };
    let published = flow::publish(&house.host, sources, Push::Publish, "author").await.unwrap();
    assert!(matches!(published, Published::Active { .. }), "{published:?}");
    house.post("/sop/a", None, payload).await;
    house.run_out().await;
    let notices = house.performer.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    notices[0].body.clone()
}

/// D25: word of a gate asks what the gate asks, filled in.
#[tokio::test]
async fn word_of_a_gate_asks_what_the_gate_asks() {
    let body = word(
        "Deploy {{ event.service }}? It gave {{ steps.1.output.done }}.",
        b"{\"service\": \"web\"}",
    );
    let body = body.await;
    assert_eq!(body["prompt"], "Deploy web? It gave 1.", "{body}");
    assert!(body.get("prompt_problem").is_none(), "{body}");
    // What cannot be filled in keeps nobody from hearing of the gate.
    let body = word("Deploy {{ event.service }}?", b"{}").await;
    assert!(body["prompt"].is_null(), "{body}");
    assert!(body["prompt_problem"].as_str().unwrap().contains("service"), "{body}");
}
