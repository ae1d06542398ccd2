//! The corpus of hostile requests, `tests/attacks.json`: each is answered as it says, changes nothing but what it
//! says, and neither answer nor log nor store ever has a secret in it.

use std::sync::Arc;

use serde::Deserialize;
use sop_core::definition::Scheme;
use sop_core::id::{Digest, Tenant};
use sop_core::signature::sign;
use sop_runtime::flow::{self, Host, Push, Sources};
use sop_runtime::port::{Clock, Grant, Role};

use crate::log;
use crate::request::{Ask, ask};
use crate::world::{SECRETS, World, files};

/// Of those for the router; there are more for the wire.
const ATTACKS_MIN: usize = 150;

#[derive(Deserialize)]
struct Corpus {
    router: Vec<Attack>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attack {
    is: String,
    /// Method and path, with places to fill in.
    ask: String,
    /// Whose token it has.
    #[serde(rename = "as")]
    who: String,
    status: u16,
    code: String,
    #[serde(default)]
    headers: Vec<(String, Text)>,
    #[serde(default)]
    body: Option<Text>,
    #[serde(default)]
    bytes: Vec<u8>,
    #[serde(default)]
    chunked: bool,
    #[serde(default)]
    sign: Option<Sign>,
    /// The parts of the store that may change.
    #[serde(default)]
    writes: Vec<String>,
}

/// A text, or a long one told shortly.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Long { before: String, repeat: String, times: usize, after: String },
}

impl Text {
    fn text(&self) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::Long { before, repeat, times, after } => {
                format!("{before}{}{after}", repeat.repeat(*times))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sign {
    scheme: String,
    secret: String,
    /// What is signed; the body when left out.
    #[serde(default)]
    over: Option<String>,
    #[serde(default)]
    at_secs: i64,
    #[serde(default)]
    twice: bool,
}

/// What fills the places of an attack.
struct Prey {
    world: World,
    fills: Vec<(&'static str, String)>,
    tokens: Vec<(&'static str, String)>,
}

impl Prey {
    async fn new() -> Self {
        let world = World::new().await;
        world.publish_signed().await;
        let run = world.at_gate().await;
        let issue = async |role| {
            let grant = Grant { role, ..Grant::default() };
            flow::issue(&world.host, "paired", &grant).await.expect("memory takes it").0
        };
        let revoked = issue(Role::Operator).await;
        let id = |token: &str| Digest::of(token.as_bytes()).to_string()[..16].to_owned();
        assert!(flow::revoke(&world.host, &id(&revoked)).await.expect("memory takes it").is_some());
        let (foreign_run, foreign) = neighbour(&world).await;
        let fills = vec![
            ("{run}", run),
            ("{foreign_run}", foreign_run),
            ("{foreign_token_id}", id(&foreign)),
            ("{token_id}", id(&world.token)),
            ("{token}", world.token.clone()),
        ];
        let tokens = vec![
            ("operator", world.token.clone()),
            ("ingress", issue(Role::Ingress).await),
            ("viewer", issue(Role::Viewer).await),
            ("revoked", revoked),
            ("foreign", foreign),
            ("lapsed", world.lapsed_token().await),
        ];
        Self { world, fills, tokens }
    }

    fn filled(&self, text: &str) -> String {
        self.fills.iter().fold(text.to_owned(), |text, (place, with)| text.replace(place, with))
    }

    fn request(&self, attack: &Attack) -> Ask {
        let mut request = ask(&self.filled(&attack.ask));
        if attack.who != "nobody" {
            let found = self.tokens.iter().find(|(name, _)| *name == attack.who);
            request = request.bearer(&found.expect("a kind of token").1);
        }
        for (name, value) in &attack.headers {
            request = request.header(name, self.filled(&value.text()));
        }
        let mut body = attack.bytes.clone();
        if let Some(text) = &attack.body {
            body.extend_from_slice(text.text().as_bytes());
        }
        if let Some(how) = &attack.sign {
            request = self.signed(request, how, &body);
        }
        let request = request.body(body);
        if attack.chunked { request.chunked() } else { request }
    }

    fn signed(&self, mut request: Ask, how: &Sign, body: &[u8]) -> Ask {
        let scheme = match how.scheme.as_str() {
            "github" => Scheme::Github,
            "stripe" => Scheme::Stripe,
            "slack" => Scheme::Slack,
            "standard-webhooks" => Scheme::StandardWebhooks,
            other => panic!("no scheme `{other}`"),
        };
        let known = SECRETS.iter().find(|(name, _)| *name == how.secret);
        let secret = known.map_or("Z3Vlc3NlZA==", |(_, text)| text);
        let at = self.world.clock.now().plus_millis(how.at_secs * 1_000);
        let over = how.over.as_deref().map_or(body, str::as_bytes);
        for _ in 0..=usize::from(how.twice) {
            for (name, value) in sign(scheme, secret, "msg-1", at, over).expect("a secret") {
                request = request.header(name, value);
            }
        }
        request
    }

    /// Nothing that `text` could have of these may ever be seen.
    fn is_clean(&self, text: &str) -> bool {
        let secrets = SECRETS.iter().map(|(_, secret)| *secret);
        let tokens = self.tokens.iter().map(|(_, token)| token.as_str());
        !secrets.chain(tokens).any(|secret| text.contains(secret))
    }
}

/// Another tenant on the same store: a run that waits at a gate, and a token.
async fn neighbour(world: &World) -> (String, String) {
    let mut host = Host::new(world.memory.clone(), world.memory.clone(), world.clock.clone());
    host.tenant = Tenant::parse("other").expect("a tenant");
    let host = Arc::new(host);
    let toml = "[sop]\nname = \"theirs\"\ndescription = \"d\"\n\
        [[triggers]]\ntype = \"webhook\"\npath = \"/sop/theirs\"\n[[triggers]]\ntype = \"manual\"\n";
    let sops = [files("theirs", toml)];
    flow::publish(&host, Sources::from(&sops[..]), Push::Publish, "test").await.expect("published");
    let (token, _) = flow::issue_token(&host, "paired").await.expect("memory takes it");
    let router = sop_http::all(Arc::clone(&host), Arc::new(()));
    let started = ask("POST /api/sops/theirs/run").bearer(&token).send_to(router).await;
    assert_eq!(started.status, 202, "{}", started.body);
    (started.body["run_id"].as_str().expect("a run").to_owned(), token)
}

#[tokio::test]
async fn no_attack_changes_anything_or_learns_a_secret() {
    let corpus: Corpus = serde_json::from_str(include_str!("../attacks.json")).expect("a corpus");
    assert!(corpus.router.len() >= ATTACKS_MIN, "{} attacks", corpus.router.len());
    let prey = Prey::new().await;
    let (_, known) = &prey.tokens[0];
    assert!(!prey.is_clean(known), "what is looked for would be found");
    for attack in &corpus.router {
        let request = prey.request(attack);
        let before = prey.world.memory.fingerprint();
        log::take();
        let answer = request.send(&prey.world).await;
        let said = format!("{:?} {}", answer.headers, answer.body);
        assert_eq!(
            (answer.status, answer.code()),
            (attack.status, attack.code.as_str()),
            "{}: {said}",
            attack.is
        );
        let changed = prey.world.memory.fingerprint().changed_since(&before);
        assert_eq!(changed, attack.writes, "{} changed something", attack.is);
        assert!(prey.is_clean(&said), "{}: a secret is in the answer: {said}", attack.is);
        for line in log::take() {
            assert!(prey.is_clean(&line.to_string()), "{}: in the log: {line}", attack.is);
        }
    }
    let kept = prey.world.memory.fingerprint();
    let secrets = SECRETS.iter().map(|(_, secret)| *secret);
    for secret in secrets.chain(prey.tokens.iter().map(|(_, token)| token.as_str())) {
        assert!(!kept.contains(secret), "the store has a secret in clear");
    }
    println!("{} hostile requests refused", corpus.router.len());
}
