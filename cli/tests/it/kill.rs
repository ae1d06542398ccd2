//! `sop dev` is killed while events come in: what it answered 202 to has exactly one run.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::house::{Caller, House, PATIENCE};

/// Events sent, each twice.
const EVENTS: usize = 2_000;

/// Events after which the process is killed.
const KILLS: [usize; 3] = [300, 900, 1_500];

/// Callers at once.
const CALLERS: usize = 8;

const TOML: &str = "[sop]\nname = \"killed\"\ndescription = \"runs through kills\"\n\
                    execution_mode = \"auto\"\nmax_concurrent = 20\n\n\
                    [[triggers]]\ntype = \"webhook\"\npath = \"/sop/killed\"\n";

const MARKDOWN: &str = "## Steps\n\n1. **Check**\n   - capability: json.validate\n   \
                        - with: {\"schema\": {\"type\": \"object\", \"required\": [\"n\"]}}\n\n\
                        2. **Note**\n   - capability: noop\n\n3. **End**\n   - capability: noop\n";

/// Sends each event twice; gives the ids that were answered.
fn send(house: &House, token: &str, next: &AtomicUsize, done: &AtomicUsize) -> Vec<String> {
    let mut caller = Caller::new(house.port, token);
    let mut ids = Vec::new();
    loop {
        let n = next.fetch_add(1, Ordering::SeqCst);
        if n >= EVENTS {
            return ids;
        }
        let (key, body) = (format!("event-{n}"), format!("{{\"n\":{n}}}"));
        let (first, answer) = caller.call("POST", "/sop/killed", Some(&key), &body);
        // After a kill the answer to the first try may have been lost: then this is a duplicate.
        assert!(first == 202 || first == 200, "{first} {answer}");
        let id = answer["event_id"].as_str().expect("an event id").to_owned();
        let (second, again) = caller.call("POST", "/sop/killed", Some(&key), &body);
        assert_eq!((second, &again["status"]), (200, &Value::from("duplicate")));
        assert_eq!(again["event_id"], answer["event_id"]);
        ids.push(id);
        done.fetch_add(1, Ordering::SeqCst);
    }
}

/// All runs, by the event that started each, once none is on its way any more.
fn settled(house: &House) -> Vec<(String, String)> {
    let started = Instant::now();
    loop {
        let text = |run: &Value, key: &str| run[key].as_str().unwrap_or_default().to_owned();
        let runs = house.list("runs");
        let runs: Vec<_> =
            runs.iter().map(|run| (text(run, "event"), text(run, "status"))).collect();
        if runs.len() >= EVENTS && runs.iter().all(|(_, status)| status == "completed") {
            return runs;
        }
        let open = runs.iter().filter(|(_, status)| status != "completed").count();
        assert!(started.elapsed() < PATIENCE, "{} runs, {open} not completed", runs.len());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn audit(house: &House, folder: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_sop"))
        .args(["audit", "verify", "--all", "--format", "json"])
        .args(["--url", &format!("http://127.0.0.1:{}", house.port)])
        .args(["--token", house.token().trim()])
        .current_dir(folder)
        .output()
        .expect("sop runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the ledger does not verify: {stderr}");
}

/// 2 000 events, each sent twice, and three kills in between: every 202 has exactly one run, no run is
/// stranded, the ledger verifies.
#[test]
fn kills_lose_nothing_and_start_nothing_twice() {
    let house = House::new("killed", TOML, MARKDOWN);
    let mut server = Some(house.start());
    let token = house.token();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ids = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let sent = send(&house, &token, &next, &done);
                ids.lock().expect("nobody panicked").extend(sent);
            });
        }
        for kill_after in KILLS {
            let started = Instant::now();
            while done.load(Ordering::SeqCst) < kill_after {
                assert!(started.elapsed() < PATIENCE, "the callers are stuck");
                std::thread::sleep(Duration::from_millis(1));
            }
            if let Some(mut server) = server.take() {
                server.kill();
            }
            server = Some(house.start());
        }
    });
    let ids = ids.into_inner().expect("nobody panicked");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), EVENTS, "an event has one id");
    let runs = settled(&house);
    assert_eq!(runs.len(), EVENTS, "one run an event");
    let by_event: BTreeSet<&String> = runs.iter().map(|(event, _)| event).collect();
    assert_eq!(by_event, ids.iter().collect(), "each accepted event has its run");
    audit(&house, house.path());
    drop(server);
}
