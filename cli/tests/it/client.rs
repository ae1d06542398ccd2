//! Commands that ask a host: what they send, what they show, how they end.

use serde_json::{Value, json};

use crate::cli::{Place, Said};
use crate::stub::{NO_ANSWER, Stub, problem};

const RUN: &str = "01jabcdefg0123456789abcdef";

fn run(status: &str, more: &Value) -> Value {
    let mut run = json!({
        "run": RUN, "sop": "deploy", "version": "1.0.0", "status": status,
        "steps": [
            { "number": 1, "title": "Look", "state": "done" },
            { "number": 2, "title": "Act", "state": "waiting" },
            { "number": 3, "title": "Tell", "state": "todo" },
        ],
        "definition": "d", "event": "e", "source": "webhook", "subject": "/sop/deploy",
        "started_at": "2026-03-01T08:00:00.000Z",
    });
    for (key, value) in more.as_object().unwrap() {
        run[key] = value.clone();
    }
    run
}

fn at_gate() -> Value {
    run("waiting", &json!({ "gate": 1, "waiting_for": "an approval of step 2 (gate 1)" }))
}

fn at_person() -> Value {
    run("waiting", &json!({ "waiting_for": "a person to do step 2" }))
}

fn head(run: &str, sop: &str, status: &str) -> Value {
    json!({
        "run": run, "sop": sop, "version": "1.0.0", "status": status, "step": 2, "gate": 1,
        "source": "webhook", "event": "e", "started_at": "2026-03-01T08:00:00.000Z",
        "updated_at": "2026-03-01T08:00:01.000Z", "reason": null,
    })
}

fn ask(stub: &Stub, args: &[&str]) -> Said {
    let args = [args, &["--url", &stub.url, "--token", "t0ken"]].concat();
    let mut said = Place::new().sop_cli(&args);
    said.out = said.out.replace(&stub.url, "http://host");
    said.err = said.err.replace(&stub.url, "http://host");
    said
}

#[test]
fn status_shows_the_steps_and_what_to_type_next() {
    let gate = Stub::routes(vec![("GET /api/runs/01j", 200, at_gate())]);
    insta::assert_snapshot!("status_gate", ask(&gate, &["status", RUN]).all());
    let person = Stub::routes(vec![("GET /api/runs/01j", 200, at_person())]);
    insta::assert_snapshot!("status_person", ask(&person, &["status", RUN]).all());
    let failed = run("failed", &json!({ "reason": "no\u{1b}[2Jpower" }));
    let failed = Stub::routes(vec![("GET /api/runs/01j", 200, failed)]);
    insta::assert_snapshot!("status_failed", ask(&failed, &["status", RUN]).all());
    assert_eq!(failed.asked()[0].header("authorization"), Some("Bearer t0ken"));
}

#[test]
fn status_gives_programs_what_the_host_said() {
    let stub = Stub::routes(vec![("GET /api/runs/01j", 200, at_gate())]);
    assert_eq!(ask(&stub, &["status", RUN, "--format", "json"]).json(), at_gate());
}

#[test]
fn a_run_is_meant_by_last_or_by_its_beginning() {
    let other = "01jabcdefh0000000000000000";
    let list = json!({ "runs": [head(RUN, "deploy", "waiting"), head(other, "x", "failed")] });
    let stub = Stub::routes(vec![
        ("GET /api/runs?", 200, list),
        ("GET /api/runs/01jabcdefg", 200, at_gate()),
    ]);
    for given in ["last", "01jabcdefg", "01JABCDEFG", RUN] {
        assert_eq!(ask(&stub, &["status", given]).code, 0, "{given}");
    }
    let said = ask(&stub, &["status", "01jabc"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains(RUN) && said.err.contains(other), "{said:?}");
    for (given, what) in
        [("01jab", "at least 6"), ("zzzzzz", "no run begins"), ("../../x", "is no run")]
    {
        let said = ask(&stub, &["status", given]);
        assert!(said.code == 2 && said.err.contains(what), "{given}: {said:?}");
    }
}

#[test]
fn people_answer_at_the_open_gate_and_the_waiting_step() {
    let cases: &[(Value, &[&str], &str, Value)] = &[
        (
            at_gate(),
            &["approve", RUN, "--comment", "go"],
            "gates/{run}/decision",
            json!({ "revision": 1, "decision": "approve", "comment": "go" }),
        ),
        (
            at_gate(),
            &["approve", RUN, "--gate", "7"],
            "gates/{run}/decision",
            json!({ "revision": 7, "decision": "approve" }),
        ),
        (
            at_gate(),
            &["deny", RUN, "--reason", "no"],
            "gates/{run}/decision",
            json!({ "revision": 1, "decision": "deny", "reason": "no" }),
        ),
        (
            at_person(),
            &["complete", RUN, "--output", "{\"n\":1}"],
            "runs/{run}/steps/2/complete",
            json!({ "output": { "n": 1 } }),
        ),
        (at_person(), &["complete", RUN], "runs/{run}/steps/2/complete", json!({})),
        (
            at_person(),
            &["fail", RUN, "--reason", "no"],
            "runs/{run}/steps/2/fail",
            json!({ "reason": "no" }),
        ),
        (
            at_person(),
            &["cancel", RUN, "--reason", "no"],
            "runs/{run}/cancel",
            json!({ "reason": "no" }),
        ),
    ];
    for (stands, args, path, body) in cases {
        let stub = Stub::routes(vec![
            ("GET /api/runs/01j", 200, stands.clone()),
            ("POST /api/runs/", 200, run("running", &json!({}))),
            // A run may come alone or inside an object.
            ("POST /api/gates/", 200, json!({ "run": run("running", &json!({})) })),
        ]);
        let said = ask(&stub, args);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains("running"), "{said:?}");
        let asked = stub.asked();
        let sent = asked.last().unwrap();
        assert_eq!(sent.line, format!("POST /api/{}", path.replace("{run}", RUN)));
        assert_eq!(sent.json(), *body);
        assert!(sent.header("idempotency-key").is_some_and(|key| key.len() == 32));
    }
}

#[test]
fn nothing_is_sent_when_nothing_waits() {
    let stub = Stub::routes(vec![("GET /api/runs/01j", 200, at_person())]);
    assert_eq!(ask(&stub, &["approve", RUN]).code, 2);
    let gate = Stub::routes(vec![("GET /api/runs/01j", 200, at_gate())]);
    let said = ask(&gate, &["complete", RUN]);
    assert!(said.code == 2 && said.err.contains("sop approve"), "{said:?}");
    let over = Stub::routes(vec![("GET /api/runs/01j", 200, run("completed", &json!({})))]);
    assert_eq!(ask(&over, &["approve", RUN]).code, 2);
    for stub in [stub, gate, over] {
        assert_eq!(stub.asked().len(), 1);
    }
}

#[test]
fn a_refusal_is_3_and_tells_what_to_do() {
    let cases = [
        (401, "unauthorized", "sop pair CODE"),
        (404, "no_run", "there is no run"),
        (409, "superseded", "sop status RUN"),
        (429, "slow_down", "try again"),
        (500, "internal", "(internal)"),
    ];
    for (status, code, what) in cases {
        let body = problem(status, code, "there is no run\u{1b}]0;x\u{7} here");
        let stub = Stub::routes(vec![("GET ", status, body)]);
        let said = ask(&stub, &["status", RUN]);
        assert_eq!(said.code, 3, "{said:?}");
        assert!(said.err.contains(what), "{said:?}");
        assert!(!said.err.contains(['\u{1b}', '\u{7}']), "{said:?}");
    }
}

#[test]
fn answers_that_are_not_ours_are_told_apart() {
    let page = Stub::start(|_| (200, "content-type: text/html\r\n", "<html>".into()));
    let said = ask(&page, &["status", RUN]);
    assert!(said.code == 3 && said.err.contains("not this API"), "{said:?}");
    let proxy = Stub::start(|_| (502, "", "<h1>Bad gateway</h1>\u{1b}[0m".into()));
    let said = ask(&proxy, &["status", RUN]);
    assert!(said.code == 3 && said.err.contains("status 502"), "{said:?}");
    let elsewhere = Stub::start(|_| (302, "location: http://127.0.0.1:1/\r\n", String::new()));
    assert_eq!(ask(&elsewhere, &["status", RUN]).code, 3, "a token follows no redirect");
}

#[test]
fn no_host_is_4_and_a_bad_url_is_2() {
    let place = Place::new();
    let said = place.sop_cli(&["runs", "--url", "http://127.0.0.1:1"]);
    assert_eq!(said.code, 4);
    assert!(said.err.contains("sop dev"), "{said:?}");
    for bad in ["localhost:3000", "ftp://x", "no"] {
        assert_eq!(place.sop_cli(&["runs", "--url", bad]).code, 2, "{bad}");
    }
    assert_eq!(place.sop_cli(&["runs", "--token", "a\nb"]).code, 2);
}

#[test]
fn watching_ends_when_the_run_does() {
    for (end, code) in [("completed", 0), ("failed", 1), ("cancelled", 1)] {
        let looks = std::sync::atomic::AtomicUsize::new(0);
        let stub =
            Stub::start(move |_| match looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
                0 => (200, "", at_gate().to_string()),
                1 => (503, "", problem(503, "unavailable", "later").to_string()),
                _ => (200, "", run(end, &json!({})).to_string()),
            });
        let said = ask(&stub, &["status", RUN, "--watch"]);
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.out.contains("waiting") && said.out.contains(end), "{said:?}");
        assert_eq!(stub.asked().len(), 3);
    }
}

#[test]
fn a_run_starts_with_the_payload_as_written() {
    let started = json!({ "run_id": RUN, "parentSessionId": RUN, "reason": "started by name" });
    let stub = Stub::routes(vec![
        ("POST /api/sops/deploy/run", 202, started),
        ("GET /api/runs/01j", 200, run("completed", &json!({}))),
    ]);
    let payload = "{\"exact\": 1.50000000000000000000000001}";
    let said = ask(&stub, &["run", "deploy", "--payload", payload]);
    assert_eq!((said.code, said.out.trim()), (0, RUN));
    assert_eq!(stub.asked()[0].body, payload);
    assert_eq!(ask(&stub, &["run", "deploy", "--watch", "--key", "k1"]).code, 0);
    assert_eq!(stub.asked()[1].header("idempotency-key"), Some("k1"));
    assert_eq!(ask(&stub, &["run", "deploy", "--payload", "{"]).code, 2);
    let refused = Stub::routes(vec![("POST ", 409, problem(409, "not_started", "cooling down"))]);
    let said = ask(&refused, &["run", "deploy"]);
    assert!(said.code == 3 && said.err.contains("cooling down"), "{said:?}");
}

#[test]
fn emit_sends_the_subject_that_its_door_would_give() {
    let cases: &[(&[&str], Value)] = &[
        (
            &["--source", "mqtt", "--topic", "a/b", "--payload", "{\"n\":1}"],
            json!({ "source": "mqtt", "subject": "a/b", "payload": { "n": 1 } }),
        ),
        (
            &["--source", "peripheral", "--board", "p", "--signal", "s"],
            json!({ "source": "peripheral", "subject": "p/s" }),
        ),
        (
            &["--source", "webhook", "--path", "/sop/x"],
            json!({ "source": "webhook", "subject": "/sop/x" }),
        ),
        (
            &["--source", "cron", "--expression", "0 8 * * *"],
            json!({ "source": "cron", "subject": "0 8 * * *" }),
        ),
    ];
    for (args, body) in cases {
        let stub = Stub::routes(vec![("POST /api/events", 202, json!({ "event_id": "ev" }))]);
        let said = ask(&stub, &[&["emit"], *args].concat());
        assert!(said.code == 0 && said.out.contains("ev"), "{said:?}");
        assert_eq!(stub.asked()[0].json(), *body);
    }
}

#[test]
fn events_tell_each_verdict_with_its_reason() {
    let event = json!({
        "event": "01jevent", "time": "2026-03-01T08:00:00.000Z", "source": "mqtt",
        "subject": "sensors/alert", "outcome": "unmatched",
        "detail": {
            "verdicts": [{ "sop": "alarm", "matched": false, "trigger": "mqtt sensors/alert",
                "reason": "`$.severity >= 2`: 1 >= 2 is false" }],
            "others": 3, "payload": "{\"severity\":1}\u{9b}31m", "payload_bytes": 14,
        },
    });
    let mut matched = event.clone();
    matched["outcome"] = json!("matched");
    let stub = Stub::routes(vec![("GET /api/events", 200, json!({ "events": [event, matched] }))]);
    let said = ask(&stub, &["events", "--unmatched", "--since", "2026-01-01T00:00:00Z"]);
    insta::assert_snapshot!("events", said.all());
    assert_eq!(
        stub.lines(),
        ["GET /api/events?since=2026-01-01T00%3A00%3A00.000Z&outcome=unmatched&limit=20"]
    );
    let said = ask(&stub, &["events", "--unmatched", "--format", "json"]);
    assert!(!said.out.contains('\u{9b}'), "not even in JSON");
    assert_eq!(said.json()["events"], json!([event]));
    assert_eq!(ask(&stub, &["events", "--since", "yesterday"]).code, 2);
}

#[test]
fn lists_follow_pages_and_filter() {
    let first = json!({ "runs": [head(RUN, "deploy", "waiting")], "next_cursor": "c&1" });
    let second = json!({ "runs": [head("01k", "other", "failed")], "next_cursor": null });
    let stub = Stub::routes(vec![
        ("GET /api/runs?limit=100&cursor=c%261", 200, second.clone()),
        ("GET /api/runs?limit=100", 200, first.clone()),
        ("GET /api/inbox?limit=100&cursor", 200, second),
        ("GET /api/inbox?limit=100", 200, first),
    ]);
    insta::assert_snapshot!("runs", ask(&stub, &["runs"]).all());
    insta::assert_snapshot!("inbox", ask(&stub, &["inbox"]).all());
    let failed = ask(&stub, &["runs", "--status", "failed", "--format", "json"]).json();
    assert_eq!(failed["runs"].as_array().unwrap().len(), 1);
    assert_eq!(failed["runs"][0]["run"], json!("01k"));
}

#[test]
fn push_checks_first_and_sends_the_files_as_they_are() {
    let place = Place::new();
    place.sop("deploy", "[[triggers]]\ntype = \"manual\"\n");
    place.sop("other", "[[triggers]]\ntype = \"manual\"\n");
    let answer =
        json!({ "version": 1, "sops": [{ "name": "deploy", "digest": "abc" }], "diagnostics": [] });
    let stub = Stub::routes(vec![("POST /api/sops", 200, answer)]);
    let push = |more: &[&str]| place.sop_cli(&[&["push", "--url", &stub.url], more].concat());
    let said = push(&["deploy"]);
    assert_eq!((said.code, said.out.as_str()), (0, "abc  deploy\n"), "{said:?}");
    let sent = stub.asked()[0].json();
    assert_eq!(sent["prune"], json!(false));
    assert_eq!(sent["sops"].as_array().unwrap().len(), 1);
    assert_eq!(sent["sops"][0]["directory"], json!("sops/deploy"));
    assert!(sent["sops"][0]["markdown"].as_str().unwrap().contains("## Steps"));
    assert_eq!(push(&["--prune"]).code, 0);
    assert_eq!(stub.asked()[1].json()["prune"], json!(true));
    place.write("sops/other/SOP.toml", "[sop]\n");
    assert_eq!(push(&[]).code, 1);
    assert_eq!(stub.asked().len(), 2, "nothing is sent when something is wrong");
}

#[test]
fn remote_lists_and_definitions_come_from_the_host() {
    let list = json!({ "version": 3, "sops": [
        { "name": "deploy", "version": "1", "digest": "0123456789abcdef", "triggers": ["manual"] },
    ] });
    let stub = Stub::routes(vec![("GET /api/sops", 200, list)]);
    insta::assert_snapshot!("remote", ask(&stub, &["list", "--remote"]).all());
}

#[test]
fn a_lost_answer_is_asked_for_again_only_where_that_is_the_same_request() {
    let lost_once = || {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        Stub::start(move |request| {
            let is_first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            let answer = if request.line.contains("/api/events") {
                json!({ "event_id": "ev" })
            } else {
                json!({ "run_id": RUN })
            };
            (if is_first { NO_ANSWER } else { 202 }, "", answer.to_string())
        })
    };
    let keyed = lost_once();
    assert_eq!(ask(&keyed, &["run", "deploy"]).code, 0);
    let asked = keyed.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].header("idempotency-key"), asked[1].header("idempotency-key"));
    let keyless = lost_once();
    assert_eq!(ask(&keyless, &["emit", "--source", "mqtt", "--topic", "a"]).code, 4);
    assert_eq!(keyless.asked().len(), 1);
}
