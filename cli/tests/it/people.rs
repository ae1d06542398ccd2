//! What people do, from end to end: the binary against a real `sop dev`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::{Place, Said};
use crate::house::{House, PATIENCE, Server};

pub(crate) const HEAD: &str =
    "description = \"d\"\nexecution_mode = \"auto\"\n\n[[triggers]]\ntype = \"manual\"\n";

/// One person, at one machine.
pub(crate) struct Person {
    pub(crate) place: Place,
    url: String,
    token: String,
    pub(crate) subject: String,
}

/// A host with people.
pub(crate) struct Town {
    house: House,
    _server: Server,
    pub(crate) url: String,
}

impl Town {
    pub(crate) fn new() -> Self {
        let toml = format!("[sop]\nname = \"idle\"\n{HEAD}");
        let house = House::new("idle", &toml, "## Steps\n\n1. **Idle** — about.\n");
        let server = house.start();
        let url = format!("http://127.0.0.1:{}", house.port);
        Self { house, _server: server, url }
    }

    /// What a browser is shown at `path`.
    pub(crate) fn text(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.house.port)).expect("it listens");
        let ask = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// Somebody new, who pairs as people do.
    pub(crate) fn person(&self) -> Person {
        let place = Place::new();
        let token = self.house.token();
        let host = ["--url", &self.url, "--token", token.trim()];
        let code = place.sop_cli(&[&["pair", "--new"], &host[..]].concat());
        assert_eq!(code.code, 0, "{code:?}");
        let pair = ["pair", code.out.trim(), "--url", &self.url, "--format", "json"];
        let paired = place.sop_cli(&pair).json();
        let text = |key: &str| paired[key].as_str().expect("a text").to_owned();
        Person { place, url: self.url.clone(), token: text("token"), subject: text("subject") }
    }
}

impl Person {
    /// Whoever holds `token`.
    pub(crate) fn with_token(house: &House, token: &str) -> Self {
        let url = format!("http://127.0.0.1:{}", house.port);
        Self { place: Place::new(), url, token: token.to_owned(), subject: String::new() }
    }

    pub(crate) fn say(&self, args: &[&str]) -> Said {
        let host = ["--url", &self.url, "--token", &self.token];
        self.place.sop_cli(&[args, &host[..]].concat())
    }

    /// The same, done.
    pub(crate) fn does(&self, args: &[&str]) -> Said {
        let said = self.say(args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.does(&[args, &["--format", "json"]].concat()).json()
    }

    /// Refused by the host, with this code.
    fn refused(&self, args: &[&str], code: &str) {
        let said = self.say(args);
        assert!(said.code == 3 && said.err.contains(code), "{args:?}: {said:?}");
    }

    pub(crate) fn write(&self, name: &str, more: &str, steps: &str) {
        let toml = format!("[sop]\nname = \"{name}\"\n{more}{HEAD}");
        self.place.write(&format!("sops/{name}/SOP.toml"), &toml);
        self.place.write(&format!("sops/{name}/SOP.md"), &format!("## Steps\n\n{steps}"));
    }

    /// Starts a run and gives its id.
    pub(crate) fn starts(&self, name: &str, payload: &str) -> String {
        self.does(&["run", name, "--payload", payload]).out.trim().to_owned()
    }

    pub(crate) fn status(&self, run: &str) -> Value {
        self.json(&["status", run])
    }

    /// Waits until the run is as `is` wants it: built-ins work in the background.
    pub(crate) fn until(&self, run: &str, is: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let status = self.status(run);
            if is(&status) {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "{status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn two_people_of_the_group_approve_and_nobody_for_themselves() {
    let town = Town::new();
    let (anna, ben, eve) = (town.person(), town.person(), town.person());
    anna.place.write(
        "sops/workspace.toml",
        &format!(
            "[groups.ops]\nmembers = [\"{}\", \"{}\"]\n[policies.production]\ngroup = \"ops\"\n\
             quorum = 2\nno_self_approval = true\n",
            anna.subject, ben.subject
        ),
    );
    anna.write(
        "release",
        "",
        "1. **Approve** — it.\n   - kind: checkpoint\n   - policy: production\n",
    );
    anna.does(&["push"]);
    let own = anna.starts("release", "{\"version\":1}");
    anna.refused(&["approve", &own], "own_work");
    eve.refused(&["approve", &own], "not_entitled");
    let told = anna.does(&["audit", "show", &own]).out;
    for (words, who) in [("may not approve it", &anna), ("only members of `ops`", &eve)] {
        let line = told.lines().find(|line| line.contains(words)).expect(words);
        assert!(line.contains("refused") && line.contains(&who.subject), "{line}");
    }

    let run = eve.starts("release", "{\"version\":2}");
    let shown = anna.does(&["approve", &run, "--comment", "fine"]);
    assert!(shown.err.contains("\"version\": 2") && shown.err.contains("0 of 2"), "{shown:?}");
    assert!(shown.out.contains(&format!("1 of 2 ({})", anna.subject)), "{shown:?}");
    anna.refused(&["approve", &run], "already_voted");
    let status = ben.does(&["status", &run]).out;
    assert!(status.contains("gate 1 of step 1") && status.contains("`ops`"), "{status}");
    assert!(ben.does(&["inbox"]).out.contains(&format!("sop approve {run}")));
    assert!(ben.does(&["approve", &run]).out.contains("completed"));
    assert_eq!(ben.does(&["audit", "verify", "--all"]).code, 0);
}

#[test]
fn a_draft_is_sent_back_and_amended() {
    let town = Town::new();
    let anna = town.person();
    anna.write(
        "letter",
        "",
        "1. **Write** — it.\n2. **Read** — it.\n   - kind: checkpoint\n   - edit: text\n   \
         - prompt: Send {{ steps.1.output.text }}?\n3. **Send** — it.\n   - capability: noop\n   \
         - if: $.steps.2.output.text == \"Dear all\"\n4. **Burn** — it.\n   - capability: noop\n   \
         - if: $.steps.2.output.text == \"Hey\"\n",
    );
    anna.does(&["push"]);
    let run = anna.starts("letter", "{}");
    anna.does(&["complete", &run, "--output", "{\"text\":\"Hey\"}"]);
    let revised = anna.does(&["revise", &run, "politer, please"]).out;
    assert!(revised.contains("step 1 waits for a person"), "{revised}");
    let stale = anna.say(&["approve", &run, "--gate", "1"]);
    assert!(stale.code == 3 && stale.err.contains("gate_not_open"), "{stale:?}");
    anna.does(&["complete", &run, "--output", "{\"text\":\"Dear you\"}"]);
    let status = anna.does(&["status", &run]).out;
    assert!(status.contains("asks: Send Dear you?"), "{status}");
    assert!(status.contains(&format!("sop amend {run}")), "{status}");
    let amended = anna.does(&["amend", &run, "Dear all"]);
    assert!(amended.err.contains("- text: \"Dear you\"\n+ text: \"Dear all\""), "{amended:?}");
    anna.until(&run, |run| run["status"] == "completed");
    let told = anna.does(&["audit", "show", &run]).out;
    for words in [
        "step 1 sent back: politer, please",
        "approved with `text` amended",
        "- text: \"Dear you\"",
        "+ text: \"Dear all\"",
        "step 3: `if` held",
        "step 4: `if` did not hold",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(anna.does(&["audit", "verify", &run]).out.contains("verified"));
}

#[test]
fn a_run_is_paused_resumed_retried_and_taken_up_again() {
    let town = Town::new();
    let anna = town.person();
    anna.write(
        "fix",
        "",
        "1. **Look** — at it.\n2. **Mend** — it.\n   - requires_confirmation: true\n3. **Tell** — them.\n",
    );
    anna.does(&["push"]);
    let run = anna.starts("fix", "{\"n\":1}");
    anna.does(&["complete", &run, "--output", "{\"seen\":true}"]);
    let paused = anna.does(&["pause", &run]).out;
    assert!(paused.contains("paused") && paused.contains(&format!("sop resume {run}")), "{paused}");
    let refused = anna.say(&["approve", &run, "--gate", "1", "--format", "json"]);
    assert!(refused.code == 3 && refused.err.contains("sop resume RUN"), "{refused:?}");
    anna.refused(&["pause", &run], "paused");
    assert!(anna.does(&["runs", "--status", "paused"]).out.contains(&run));
    anna.does(&["resume", &run]);
    anna.refused(&["resume", &run], "not_paused");
    anna.does(&["approve", &run]);
    let failed = anna.does(&["fail", &run, "--reason", "no tools"]).out;
    assert!(failed.contains(&format!("sop retry {run}")), "{failed}");
    let retried = anna.does(&["retry", &run]).out;
    assert!(retried.contains("step 2 waits") && retried.contains("try 2"), "{retried}");
    anna.refused(&["retry", &run], "not_failed");
    anna.refused(&["rerun", &run, "--from", "2"], "not_rerun");
    if anna.status(&run)["gate"].is_number() {
        anna.does(&["approve", &run]);
    }
    anna.does(&["complete", &run]);
    anna.does(&["complete", &run]);
    assert_eq!(anna.status(&run)["status"], "completed");
    for from in ["0", "999"] {
        anna.refused(&["rerun", &run, "--from", from], "not_rerun");
    }
    let again = anna.json(&["rerun", &run, "--from", "3"]);
    let again = again["run_id"].as_str().expect("a run");
    let status = anna.does(&["status", again]).out;
    assert!(status.contains(&format!("takes up again run {run}")), "{status}");
    assert!(status.contains("✔ 2 Mend") && status.contains("step 3 waits"), "{status}");
    let told = anna.does(&["audit", "show", again]).out;
    assert!(told.contains("taking over the ends of steps 1, 2"), "{told}");
    anna.does(&["complete", again]);
    anna.does(&["audit", "verify", "--all"]);
}

#[test]
fn a_procedure_waits_for_the_one_it_starts() {
    let town = Town::new();
    let anna = town.person();
    anna.write("child", "", "1. **Count** — them.\n");
    anna.write(
        "parent",
        "",
        "1. **Ask** — the other.\n   - capability: sop.start\n   \
         - with: {\"sop\": \"child\", \"payload\": {\"n\": \"{{ event.n }}\"}}\n\
         2. **Note** — what came.\n   - capability: noop\n",
    );
    anna.does(&["push"]);
    let parent = anna.starts("parent", "{\"n\":7}");
    let status = anna.until(&parent, |run| run["awaits"][0]["on"] == "child");
    let child = status["awaits"][0]["run"].as_str().expect("a run").to_owned();
    let started = Instant::now();
    while anna.say(&["status", &child]).code != 0 {
        assert!(started.elapsed() < PATIENCE, "the child is not started");
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = anna.does(&["status", &parent]).out;
    assert!(told.contains(&format!("waits for run {child}, which it started")), "{told}");
    let told = anna.does(&["status", &child]).out;
    assert!(told.contains(&format!("works for run {parent}")), "{told}");
    anna.does(&["complete", &child, "--output", "{\"count\":3}"]);
    anna.until(&parent, |run| run["status"] == "completed");
    let ledger = anna.does(&["audit", "show", &parent]).out;
    assert!(ledger.contains("step 1 done, giving {\"count\":3}"), "{ledger}");
}

#[test]
fn versions_are_drafted_published_rolled_back_compared_and_archived() {
    let town = Town::new();
    let anna = town.person();
    anna.write("tidy", "version = \"1\"\n", "1. **Tidy** — up.\n2. **Rest** — a while.\n");
    anna.does(&["push", "--draft", "tidy"]);
    anna.refused(&["run", "tidy"], "no_sop");
    let one = anna.json(&["publish", "tidy"])["digest"].as_str().expect("a digest").to_owned();
    let run = anna.starts("tidy", "{}");
    anna.write(
        "tidy",
        "version = \"2\"\n",
        "1. **Tidy** — up well.\n2. **Sweep** — the floor.\n3. **Rest** — a while.\n",
    );
    let diff = anna.does(&["diff", "tidy"]).out;
    for words in ["version: \"1\" → \"2\"", "~ step 1 Tidy", "body: ", "+ step 2 Sweep"] {
        assert!(diff.contains(words), "{words}: {diff}");
    }
    assert!(diff.contains("~ step 2 → 3 Rest") && diff.contains("\n+2. **Sweep**"), "{diff}");
    anna.does(&["push", "tidy"]);
    assert!(anna.does(&["diff", "tidy"]).err.contains("the same definition"));
    assert_eq!(anna.say(&["diff", &one, "tidy@active", "--exit-code"]).code, 1);
    let json = anna.json(&["diff", &format!("tidy@{}", &one[..8]), "tidy"]);
    assert_eq!((&json["same"], &json["a"]["version"]), (&Value::Bool(false), &Value::from("1")));
    anna.does(&["rollback", "tidy"]);
    let versions = anna.json(&["versions", "tidy"]);
    let of = |status: &str| {
        let all = versions["versions"].as_array().expect("versions").iter();
        let found = all.filter(|it| it["status"] == status).map(|it| it["version"].clone());
        found.collect::<Vec<Value>>()
    };
    assert_eq!((of("active"), of("archived")), (vec!["1".into()], vec!["2".into()]));
    assert!(anna.does(&["versions", "tidy"]).out.contains(&one[..12]));
    anna.does(&["rollback", "tidy", "--to", &one[..10]]);
    let nothing = anna.say(&["rollback", "tidy", "--to", "ffffff"]);
    assert!(nothing.code == 2 && nothing.err.contains("sop versions tidy"), "{nothing:?}");
    anna.does(&["archive", "tidy"]);
    anna.refused(&["run", "tidy"], "no_sop");
    anna.does(&["complete", &run]);
    anna.does(&["complete", &run]);
    assert_eq!(anna.status(&run)["status"], "completed", "its runs go on");
    anna.does(&["rollback", "tidy"]);
    anna.starts("tidy", "{}");
}

#[test]
fn several_steps_wait_each_for_its_own_answer() {
    let town = Town::new();
    let anna = town.person();
    anna.write(
        "both",
        "",
        "1. **Left** — side.\n2. **Right** — side.\n3. **Join** — both.\n   - depends_on: 1, 2\n",
    );
    anna.does(&["push"]);
    let run = anna.starts("both", "{}");
    let said = anna.say(&["complete", &run]);
    assert!(said.code == 2 && said.err.contains("--step N"), "{said:?}");
    let status = anna.does(&["status", &run]).out;
    assert!(status.contains("step 1 waits") && status.contains("step 2 waits"), "{status}");
    assert!(status.contains(&format!("sop complete {run} --step 2")), "{status}");
    let inbox = anna.does(&["inbox"]).out;
    assert_eq!(inbox.lines().filter(|line| line.contains(&run)).count(), 2, "{inbox}");
    anna.does(&["complete", &run, "--step", "2"]);
    anna.does(&["complete", &run]);
    assert_eq!(anna.status(&run)["awaits"][0]["step"], 3);
}
