//! A host with three SOPs, a paired caller, and a run in each state that a decision can meet.

use std::sync::Arc;

use axum::Router;
use serde_json::{Value, json};
use sop_core::definition::SourceFiles;
use sop_core::id::{Digest, Tenant};
use sop_runtime::flow::settings::Gateway;
use sop_runtime::flow::{self, Host, Published, Push, Sources};
use sop_runtime::port::{Clock, Role, Token, Tokens};
use sop_testkit::{ManualClock, Memory, MemorySecrets};

use crate::log;
use crate::request::ask;

/// A gate, a person's step, a gate.
const STEPS: &str = "## Steps\n\n\
    1. **Look** — Look at it.\n   - kind: checkpoint\n\
    2. **Do** — Do it.\n\
    3. **Look again** — Look at it again.\n   - kind: checkpoint\n";

const DEPLOY: &str = "[sop]\nname = \"deploy\"\ndescription = \"d\"\nversion = \"1.0.0\"\n\
    execution_mode = \"auto\"\n\
    [[triggers]]\ntype = \"webhook\"\npath = \"/sop/deploy\"\nmethod = \"POST\"\n\
    [[triggers]]\ntype = \"manual\"\n";

const GUARDED: &str = "[sop]\nname = \"guarded\"\ndescription = \"g\"\nversion = \"1.0.0\"\n\
    [[triggers]]\ntype = \"webhook\"\npath = \"/sop/guarded\"\ncondition = \"$.severity >= 2\"\n";

const OPEN: &str = "[sop]\nname = \"open\"\ndescription = \"o\"\nversion = \"1.0.0\"\n\
    [[triggers]]\ntype = \"webhook\"\npath = \"/sop/open\"\nmethod = \"PUT\"\nauth = \"none\"\n";

/// The host's secrets. No answer, log line or ledger may ever have one of them.
pub(crate) const SECRETS: [(&str, &str); 4] = [
    ("hook-old", "b2xkLWhvb2stc2VjcmV0"),
    ("hook-new", "bmV3LWhvb2stc2VjcmV0"),
    ("layer", "the-second-layer-s3cret"),
    ("broken", "%not-base-64%"),
];

/// What a test works on.
pub(crate) struct World {
    pub(crate) memory: Memory,
    pub(crate) clock: ManualClock,
    pub(crate) host: Arc<Host<Memory, Memory, ManualClock>>,
    pub(crate) router: Router,
    /// A token that opens this tenant's data.
    pub(crate) token: String,
}

pub(crate) fn files(directory: &str, toml: &str) -> SourceFiles {
    SourceFiles { directory: directory.into(), toml: toml.into(), markdown: Some(STEPS.into()) }
}

impl World {
    /// A host on which nobody is counted.
    pub(crate) async fn new() -> Self {
        Self::with(|gateway| {
            gateway.webhook_rate_limit_per_minute = 0;
            gateway.pair_rate_limit_per_minute = 0;
        })
        .await
    }

    /// A host whose doors are as `set` leaves them.
    pub(crate) async fn with(set: impl FnOnce(&mut Gateway)) -> Self {
        log::capture();
        let clock = ManualClock::default();
        let memory = Memory::new(clock.clone());
        let mut host = Host::new(memory.clone(), memory.clone(), clock.clone());
        set(&mut host.settings.gateway);
        let host = Arc::new(host);
        let secrets = Arc::new(MemorySecrets::from(SECRETS));
        let sops = [files("deploy", DEPLOY), files("guarded", GUARDED), files("open", OPEN)];
        let published = flow::publish(&host, Sources::from(&sops[..]), Push::Publish, "test")
            .await
            .expect("memory takes it");
        assert!(matches!(published, Published::Active { .. }), "{published:?}");
        let (token, _) = flow::issue_token(&host, "paired").await.expect("memory takes it");
        let router = sop_http::all(Arc::clone(&host), Arc::clone(&secrets));
        Self { memory, clock, host, router, token }
    }

    /// Another paired caller.
    pub(crate) async fn another_token(&self) -> String {
        flow::issue_token(&self.host, "paired").await.expect("memory takes it").0
    }

    /// A token of another tenant.
    pub(crate) async fn foreign_token(&self) -> String {
        let tenant = Tenant::parse("other").expect("a tenant");
        self.put_token("sop_foreign", "paired:00000000", tenant, None).await
    }

    /// A token that lapses at this very instant.
    pub(crate) async fn lapsed_token(&self) -> String {
        let now = Some(self.clock.now());
        self.put_token("sop_lapsed", "paired:00000000", Tenant::default(), now).await
    }

    /// The token of a person of this tenant, by name.
    pub(crate) async fn person(&self, name: &str) -> String {
        self.put_token(&format!("sop_{name}"), name, Tenant::default(), None).await
    }

    /// Publishes one more SOP, under a `workspace.toml`.
    pub(crate) async fn publish(&self, name: &str, toml: &str, markdown: &str, workspace: &str) {
        let files = [SourceFiles {
            directory: name.into(),
            toml: format!("[sop]\nname = \"{name}\"\ndescription = \"d\"\n{toml}"),
            markdown: Some(markdown.into()),
        }];
        let sources = Sources {
            files: &files,
            workspace: Some(("workspace.toml", workspace)),
            schema_problem: None,
        };
        let published = flow::publish(&self.host, sources, Push::Publish, "test").await;
        let published = published.expect("memory takes it");
        assert!(matches!(published, Published::Active { .. }), "{published:?}");
    }

    /// Publishes an SOP for each sender that signs, at `/sop/signed/SCHEME`, and two whose secret is of no use.
    pub(crate) async fn publish_signed(&self) {
        let both = "[\"hook-old\", \"hook-new\"]";
        for (name, scheme, secret) in [
            ("github", "github", both),
            ("stripe", "stripe", both),
            ("slack", "slack", both),
            ("standard-webhooks", "standard-webhooks", both),
            ("missing", "standard-webhooks", "\"no-such-secret\""),
            ("broken", "standard-webhooks", "\"broken\""),
        ] {
            let toml = format!(
                "[[triggers]]\ntype = \"webhook\"\npath = \"/sop/signed/{name}\"\nmethod = \"POST\"\n\
                 auth = {{ type = \"{scheme}\", secret = {secret} }}\n"
            );
            self.publish(&format!("signed-{name}"), &toml, STEPS, "").await;
        }
        // What was looked at a moment ago is taken to be the newest.
        self.clock.advance(2_001);
    }

    /// A new run of `sop`, started by the holder of `token`.
    pub(crate) async fn start(&self, sop: &str, token: &str, payload: &str) -> String {
        let path = format!("POST /api/sops/{sop}/run");
        let started = ask(&path).bearer(token).body(payload).taken(self, 202).await;
        started["run_id"].as_str().expect("a run").to_owned()
    }

    /// The run as it is shown.
    pub(crate) async fn run(&self, run: &str) -> Value {
        ask(&format!("GET /api/runs/{run}")).bearer(&self.token).taken(self, 200).await
    }

    /// What the entries of a run's ledger say happened.
    pub(crate) async fn ledger(&self, run: &str) -> Vec<Value> {
        let path = format!("GET /api/runs/{run}/journal");
        let journal = ask(&path).bearer(&self.token).taken(self, 200).await;
        let entries = journal["entries"].as_array().expect("entries").iter();
        let body = |entry: &Value| entry["body"].as_str().expect("text").to_owned();
        entries.map(|entry| serde_json::from_str(&body(entry)).expect("JSON")).collect()
    }

    async fn put_token(
        &self,
        text: &str,
        subject: &str,
        tenant: Tenant,
        expires_at: Option<sop_core::Timestamp>,
    ) -> String {
        let token = Token {
            hash: Digest::of(text.as_bytes()),
            tenant,
            subject: subject.into(),
            role: Role::Operator,
            issued_at: self.clock.now(),
            expires_at,
            revoked_at: None,
        };
        self.memory.put_token(&token).await.expect("memory takes it");
        text.to_owned()
    }

    /// A new run, at its first gate.
    pub(crate) async fn at_gate(&self) -> String {
        let started = ask("POST /api/sops/deploy/run").bearer(&self.token).taken(self, 202).await;
        started["run_id"].as_str().expect("a run").to_owned()
    }

    /// A new run whose second step waits for a person.
    pub(crate) async fn at_person(&self) -> String {
        let run = self.at_gate().await;
        self.decide(&run, &json!({ "revision": 1, "decision": "approve" })).await;
        run
    }

    /// A new run at its second gate.
    pub(crate) async fn at_second_gate(&self) -> String {
        let run = self.at_person().await;
        let path = format!("POST /api/runs/{run}/steps/2/complete");
        ask(&path).bearer(&self.token).taken(self, 200).await;
        run
    }

    /// A new run that was cancelled.
    pub(crate) async fn finished(&self) -> String {
        let run = self.at_gate().await;
        let path = format!("POST /api/runs/{run}/cancel");
        ask(&path).bearer(&self.token).body(r#"{"reason":"test"}"#).taken(self, 200).await;
        run
    }

    pub(crate) async fn decide(&self, run: &str, decision: &Value) -> Value {
        let path = format!("POST /api/gates/{run}/decision");
        ask(&path).bearer(&self.token).body(decision.to_string()).taken(self, 200).await
    }
}
