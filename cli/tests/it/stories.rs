//! Stories, plans and backtests of the command line.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{Place, Said};
use crate::stub::Stub;

const STORY: &str = r#"# A comment that stays.
description = "a run"

[[input]]
manual = true # so does this

[[input]]
after = "1m"
complete = 1
output = { ok = true }
"#;

/// A place with one SOP, whose folder is called `name`, and one story of it.
fn place(story: &str) -> Place {
    let place = Place::new();
    place.write(
        "sops/look/SOP.toml",
        "[sop]\nname = \"look\"\ndescription = \"d\"\nversion = \"1\"\nexecution_mode = \"auto\"\n\
         [[triggers]]\ntype = \"manual\"\n[[triggers]]\ntype = \"mqtt\"\ntopic = \"a/b\"\n\
         condition = \"$.t > 5\"\n",
    );
    let steps = "1. **Look** — Closely.\n\n2. **Tell** — Others.\n   - kind: checkpoint\n   \
                 - if: $.steps.1.output.ok == true\n";
    place.write("sops/look/SOP.md", &format!("## Steps\n\n{steps}"));
    place.write("sops/look/stories/one.toml", story);
    place
}

fn story_of(place: &Place) -> String {
    fs::read_to_string(place.path().join("sops/look/stories/one.toml")).unwrap()
}

#[test]
fn every_example_has_stories_that_hold_and_leave_no_branch_out() {
    let sops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sops");
    let sops = sops.to_str().unwrap();
    let said = Place::new().sop_cli(&["test", "--sops", sops, "--format", "json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert!(told["stories"].as_array().unwrap().len() >= 37, "{said:?}");
    for coverage in told["coverage"].as_array().unwrap() {
        assert_eq!(coverage["missing_steps"], json!([]), "{coverage}");
        assert_eq!(coverage["missing_branches"], json!([]), "{coverage}");
    }
}

#[test]
fn a_story_is_blessed_once_and_holds_from_then_on() {
    let place = place(STORY);
    let said = place.sop_cli(&["test"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("--bless"), "{said:?}");
    assert_eq!(story_of(&place), STORY, "nothing is written unasked");
    assert_eq!(place.sop_cli(&["test", "--bless"]).code, 0);
    let blessed = story_of(&place);
    assert!(blessed.starts_with(STORY.trim_end()), "{blessed}");
    insta::assert_snapshot!("blessed", &blessed[STORY.trim_end().len()..]);
    let said = place.sop_cli(&["test", "look"]);
    assert_eq!(said.code, 0, "{said:?}");
    insta::assert_snapshot!("told", said.out);
    assert_eq!(place.sop_cli(&["test", "--bless"]).code, 0);
    assert_eq!(story_of(&place), blessed, "what holds is left alone");
}

#[test]
fn a_story_that_does_not_hold_shows_how_the_traces_differ() {
    let wrong = format!(
        "{STORY}\n[expect]\nstatus = \"completed\"\ntrace = \"\"\"\n08:00:00 anna starts look\n\
         08:02:00 anna has done step 1\n\"\"\"\n\n[[expect.call]]\nstep = 2\ncapability = \"noop\"\n"
    );
    let said = place(&wrong).sop_cli(&["test"]);
    assert_eq!(said.code, 1, "{said:?}");
    insta::assert_snapshot!("differs", said.out);
}

#[test]
fn what_a_story_cannot_have_is_named() {
    let says = |story: &str| {
        let said = place(story).sop_cli(&["test"]);
        assert_eq!(said.code, 1, "{said:?}");
        said.out.lines().nth(1).unwrap_or_default().trim().to_owned()
    };
    let wrong = [
        "[[input]]\naprove = 1\n",
        "[[input]]\nmanual = true\nreson = \"x\"\n",
        "[[input]]\nmanual = true\nmqtt = \"a\"\n",
        "[[input]]\nafter = \"soon\"\n",
        "[[input]]\nmanual = false\n",
        "[[input]]\ncomplete = 0\n",
        "[[input]]\ncron = \"daily\"\n",
        "[[input]]\ncron = \"next\"\n",
        "[[input]]\napprove = 1\n",
        "[[input]]\nmanual = true\nrun = 3\n",
        "[[input]]\nmqtt = \"a/#\"\n",
        "[[input]]\nperipheral = \"board\"\n",
        "[[input]]\nmanual = true\n[[anwser]]\n",
        "[[input]]\nmanual = true\n[[answer]]\noutput = 1\n",
        "[[input]]\nmanual = true\n[[answer]]\nstep = 1\noutput = 1\nhang = true\n",
        "[[input]]\nmanual = true\n[expect]\ntraces = \"\"\n",
        "start = 2026-03-01\n[[input]]\nmanual = true\n",
        "sops = [\"nobody\"]\n[[input]]\nmanual = true\n",
        "input = 1\n",
        "description = \"nothing happens\"\n",
        "[[input]\n",
        "",
    ];
    let said: Vec<String> =
        wrong.iter().map(|story| format!("{story}=> {}\n", says(story))).collect();
    insta::assert_snapshot!("wrong_stories", said.join("\n"));
}

#[test]
fn a_plan_leaves_open_what_the_event_does_not_decide() {
    let sops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sops");
    let plan = |args: &[&str]| -> Said {
        let args = [&["plan", "--sops", sops.to_str().unwrap()], args].concat();
        Place::new().sop_cli(&args)
    };
    let order = r#"{"order_id":"A-17","total":80,"country":"DE","items":["lamp"]}"#;
    let event = ["--source", "webhook", "--path", "/sop/orders", "--payload", order];
    let said = plan(&event);
    assert_eq!(said.code, 0, "{said:?}");
    insta::assert_snapshot!("plan", said.out);
    let refund =
        plan(&["refund-or-book", "--payload", r#"{"due":80,"paid":80}"#, "--format", "json"]);
    let refund: Value = serde_json::from_str(&refund.out).unwrap();
    assert_eq!(refund["plans"][0]["never"], json!([2, 3]), "{refund}");
    let nothing = plan(&["--source", "mqtt", "--topic", "nobody"]);
    assert_eq!((nothing.code, nothing.out.as_str()), (0, ""), "{nothing:?}");
    assert_eq!(plan(&[]).code, 2);
    assert_eq!(plan(&["nobody"]).code, 2);
}

#[test]
fn a_backtest_tells_what_would_differ() {
    let line = |event: &str, payload: &str, bytes: usize, matched: bool| {
        json!({
            "event": event, "time": "2026-03-01T08:00:00.000Z", "source": "mqtt",
            "subject": "a/b", "outcome": "matched", "detail": {
                "verdicts": [{ "sop": "look", "matched": matched, "reason": "r" }],
                "others": 0, "payload": payload, "payload_bytes": bytes,
            },
        })
    };
    let events = [
        line("new", "{\"t\":6}", 7, false),
        line("gone", "{\"t\":4}", 7, true),
        line("same", "{\"t\":7}", 7, true),
        line("cut", "{\"pad\":\"xx", 9_000, true),
    ];
    let stub = Stub::routes(vec![("GET /api/events", 200, json!({ "events": events }))]);
    let place = place(STORY);
    let ask = |more: &[&str]| {
        let args = [&["backtest", "--since", "2026-02-01T00:00:00Z"], more].concat();
        place.sop_cli(&[&args[..], &["--url", &stub.url, "--token", "t0ken"]].concat())
    };
    let said = ask(&["look", "--all"]);
    assert_eq!(said.code, 0, "{said:?}");
    insta::assert_snapshot!("backtest", said.out);
    let said: Value = serde_json::from_str(&ask(&["--format", "json"]).out).unwrap();
    let wanted = json!({ "events": 4, "newly": 1, "no_longer": 1, "same": 1, "undecided": 1 });
    assert_eq!(said["summary"], wanted, "{said}");
    assert!(stub.asked().iter().all(|asked| asked.line.starts_with("GET ")), "it sends nothing");
}
