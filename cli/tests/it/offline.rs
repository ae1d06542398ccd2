//! Commands that need no host.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::cli::{Place, said};

const ALERT: &str =
    "[[triggers]]\ntype = \"mqtt\"\ntopic = \"sensors/alert\"\ncondition = \"$.severity >= 2\"\n";
const DEPLOY: &str =
    "[[triggers]]\ntype = \"webhook\"\npath = \"/sop/deploy\"\n\n[[triggers]]\ntype = \"manual\"\n";
const NIGHTLY: &str = "[[triggers]]\ntype = \"cron\"\nexpression = \"0 0 8 * * *\"\n";
const PUMP: &str =
    "[[triggers]]\ntype = \"peripheral\"\nboard = \"pump-7\"\nsignal = \"pressure\"\n";

fn place() -> Place {
    let place = Place::new();
    for (name, triggers) in
        [("alarm", ALERT), ("deploy", DEPLOY), ("nightly", NIGHTLY), ("pump", PUMP)]
    {
        place.sop(name, triggers);
    }
    place
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn whatever_new_writes_validates_without_a_warning() {
    let place = Place::new();
    for trigger in ["manual", "webhook", "mqtt", "cron", "peripheral", "event"] {
        let name = format!("my-{trigger}");
        let said = place.sop_cli(&["new", &name, "--trigger", trigger]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains(&format!("sops/{name}/SOP.toml")), "{said:?}");
    }
    let said = place.sop_cli(&["validate", "--deny", "warnings"]);
    assert_eq!((said.code, said.out.as_str()), (0, "6 SOPs: no errors, no warnings\n"));
}

#[test]
fn new_overwrites_nothing() {
    let place = place();
    let before = fs::read_to_string(place.path().join("sops/deploy/SOP.toml")).unwrap();
    let said = place.sop_cli(&["new", "deploy"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("is there already"), "{said:?}");
    let after = fs::read_to_string(place.path().join("sops/deploy/SOP.toml")).unwrap();
    assert_eq!(before, after);
    for hostile in ["../x", "a/b", "", "-x", ".."] {
        assert_eq!(place.sop_cli(&["new", "--", hostile]).code, 2, "{hostile}");
    }
    assert!(!place.path().join("x").exists());
}

#[test]
fn validate_points_at_what_is_wrong() {
    let place = place();
    place.write(
        "sops/broken/SOP.toml",
        "[sop]\nname = \"broken\"\ndescripton = \"d\"\n\n[[triggers]]\ntype = \"mqtt\"\ntopic = \"a/#/b\"\n",
    );
    place
        .write("sops/broken/SOP.md", "## Steps\n\n1. **Look** — Closely.\n3. **Act** — At once.\n");
    insta::assert_snapshot!(place.sop_cli(&["validate"]).all());
    assert_eq!(place.sop_cli(&["validate", "deploy"]).code, 0);
    assert_eq!(place.sop_cli(&["validate", "sops/"]).code, 1);
    assert_eq!(place.sop_cli(&["validate", "./sops/deploy"]).code, 0);
    assert_eq!(place.sop_cli(&["validate", "nobody"]).code, 2);
}

#[test]
fn validate_gives_programs_exactly_these_keys() {
    let place = Place::new();
    place.sop("deploy", "");
    let said = place.sop_cli(&["validate", "--format", "json"]);
    assert_eq!(said.code, 0, "warnings are no errors: {said:?}");
    assert_eq!(place.sop_cli(&["validate", "--deny", "warnings", "--format", "json"]).code, 1);
    let answer = said.json();
    assert_eq!(keys(&answer), BTreeSet::from(["sops", "errors", "warnings", "diagnostics"]));
    assert_eq!(answer["sops"], json!(1));
    assert_eq!(answer["errors"], json!(0));
    assert_eq!(answer["warnings"], json!(1));
    let expected =
        BTreeSet::from(["code", "severity", "sop", "file", "line", "column", "message", "help"]);
    assert_eq!(keys(&answer["diagnostics"][0]), expected);
    assert_eq!(answer["diagnostics"][0]["file"], json!("sops/deploy/SOP.toml"));
}

#[test]
fn two_sops_of_one_name_are_an_error_of_the_second() {
    let place = place();
    place.write(
        "sops/z/SOP.toml",
        &fs::read_to_string(place.path().join("sops/pump/SOP.toml")).unwrap(),
    );
    place.write("sops/z/SOP.md", "## Steps\n\n1. **Look** — Closely.\n");
    let answer = place.sop_cli(&["validate", "--format", "json"]).json();
    assert_eq!(answer["errors"], json!(1));
    assert_eq!(answer["diagnostics"][0]["file"], json!("sops/z/SOP.toml"));
}

#[test]
fn a_manifest_that_is_missing_or_not_text_is_said_plainly() {
    let place = Place::new();
    place.write("sops/a/SOP.md", "## Steps\n\n1. **Look** — Closely.\n");
    let answer = place.sop_cli(&["validate", "--format", "json"]).json();
    assert!(answer["errors"].as_u64().unwrap() > 0);
    fs::write(place.path().join("sops/a/SOP.toml"), b"\xff\xfe").unwrap();
    let said = place.sop_cli(&["validate"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("SOP.toml"), "{said:?}");
    let said = place.sop_cli(&["validate", "--sops", "nowhere"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("sop new"), "{said:?}");
}

#[test]
fn list_and_show_say_what_there_is() {
    let place = place();
    place.write("sops/broken/SOP.toml", "[sop\n");
    insta::assert_snapshot!("list", place.sop_cli(&["list"]).all());
    insta::assert_snapshot!("show", place.sop_cli(&["show", "alarm"]).all());
    assert_eq!(place.sop_cli(&["show", "broken"]).code, 1);
    assert_eq!(place.sop_cli(&["show", "nobody"]).code, 2);
}

#[test]
fn show_gives_programs_the_fields_of_the_format() {
    let definition = place().sop_cli(&["show", "alarm", "--format", "json"]).json();
    assert_eq!(definition["name"], json!("alarm"));
    assert_eq!(
        definition["triggers"],
        json!([{ "type": "mqtt", "topic": "sensors/alert", "condition": "$.severity >= 2" }])
    );
    let step = &definition["steps"][0];
    let expected = ["number", "title", "body", "kind", "suggested_tools", "requires_confirmation"];
    assert_eq!(keys(step), BTreeSet::from(expected));
}

#[test]
fn match_tells_for_every_door_what_would_start() {
    let place = place();
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["--source", "mqtt", "--topic", "sensors/alert", "--payload", "{\"severity\":3}"],
            &["alarm"],
        ),
        (&["--source", "mqtt", "--topic", "sensors/alert", "--payload", "{\"severity\":1}"], &[]),
        (&["--source", "mqtt", "--topic", "sensors/alert", "--payload", "not json"], &[]),
        (&["--source", "webhook", "--path", "/sop/deploy"], &["deploy"]),
        (&["--source", "webhook", "--path", "/sop/%64eploy", "--method", "put"], &["deploy"]),
        (&["--source", "webhook", "--path", "/sop/deploy/"], &[]),
        (&["--source", "cron", "--expression", "0 0 8 * * *"], &["nightly"]),
        (&["--source", "peripheral", "--board", "pump-7", "--signal", "pressure"], &["pump"]),
        (&["--source", "manual", "--sop", "deploy"], &["deploy"]),
        (&["--source", "manual", "--sop", "alarm"], &[]),
    ];
    for (event, expected) in cases {
        let args = [&["match", "--sops", "sops", "--format", "json"], *event].concat();
        let said = place.sop_cli(&args);
        assert_eq!(said.code, 0, "{event:?}: {said:?}");
        let answer = said.json();
        assert_eq!(answer["matched"], json!(expected), "{event:?}");
        assert_eq!(keys(&answer), BTreeSet::from(["matched", "verdicts"]));
        let verdicts = answer["verdicts"].as_array().unwrap();
        assert_eq!(verdicts.len(), 4);
        for verdict in verdicts {
            assert_eq!(keys(verdict), BTreeSet::from(["sop", "matched", "trigger", "reason"]));
        }
    }
}

#[test]
fn match_tells_people_why_not() {
    let place = place();
    place.write("sops/broken/SOP.toml", "[sop]\nname = \"broken\"\npriority = \"top\"\n");
    let said = place.sop_cli(&[
        "match",
        "--source",
        "mqtt",
        "--topic",
        "sensors/alert",
        "--payload",
        "{\"severity\":1}",
    ]);
    insta::assert_snapshot!(said.all());
}

#[test]
fn match_refuses_an_event_that_no_door_could_let_in() {
    let place = place();
    let cases: &[&[&str]] = &[
        &["--source", "mqtt"],
        &["--source", "mqtt", "--topic", "a/+"],
        &["--source", "mqtt", "--topic", "a", "--path", "/sop/x"],
        &["--source", "webhook", "--path", "/sop/../x"],
        &["--source", "webhook", "--path", "/sop/deploy", "--payload", "not json"],
        &["--source", "webhook", "--path", "/sop/deploy", "--payload", "@no-such-file"],
        &["--source", "peripheral", "--board", "a/b", "--signal", "c"],
        &["--source", "manual", "--sop", "nobody"],
        &["--source", "carrier-pigeon"],
    ];
    for event in cases {
        let said = place.sop_cli(&[&["match"], *event].concat());
        assert_eq!(said.code, 2, "{event:?}: {said:?}");
        assert!(said.out.is_empty() && !said.err.is_empty(), "{said:?}");
    }
}

#[test]
fn a_payload_comes_from_a_file_or_standard_input() {
    let place = place();
    place.write("payload.json", "{\"severity\": 2}");
    let event = ["match", "--source", "mqtt", "--topic", "sensors/alert", "--format", "json"];
    let from_file = place.sop_cli(&[&event[..], &["--payload", "@payload.json"]].concat());
    assert_eq!(from_file.json()["matched"], json!(["alarm"]));
    let mut command = place.command(&[&event[..], &["--payload", "-"]].concat());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"{\"severity\": 9}").unwrap();
    let answer = said(&child.wait_with_output().unwrap()).json();
    assert_eq!(answer["matched"], json!(["alarm"]));
}

#[test]
fn explain_knows_codes_in_either_case() {
    let place = Place::new();
    let said = place.sop_cli(&["explain", "sop0107"]);
    assert_eq!(said.code, 0);
    assert!(said.out.starts_with("# SOP0107"), "{said:?}");
    assert!(place.sop_cli(&["explain"]).out.lines().count() > 20);
    assert_eq!(place.sop_cli(&["explain", "SOP9999"]).code, 2);
}

#[test]
fn mistakes_on_the_command_line_are_2_and_help_is_0() {
    let place = Place::new();
    for (args, code) in [
        (&["--help"][..], 0),
        (&["--version"], 0),
        (&["validate", "--help"], 0),
        (&[], 2),
        (&["fly"], 2),
        (&["deny", "last"], 2),
        (&["fail", "last", "--reason", ""], 2),
        (&["audit", "verify"], 2),
        (&["pair"], 2),
        (&["pair", "123456", "--new"], 2),
        (&["push", "a", "--prune"], 2),
        (&["list", "--format", "xml"], 2),
        (&["emit", "--source", "manual"], 2),
    ] {
        assert_eq!(place.sop_cli(args).code, code, "{args:?}");
    }
}

#[test]
fn a_reader_that_stops_reading_is_no_failure() {
    let place = Place::new();
    let mut child =
        place.command(&["explain"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn capabilities_tell_what_each_takes() {
    let place = Place::new();
    let said = place.sop_cli(&["capabilities"]);
    assert!(said.code == 0 && said.out.contains("http.request") && said.out.contains("* url"));
    let json = place.sop_cli(&["capabilities", "--format", "json"]).json();
    let all = json["capabilities"].as_array().unwrap();
    assert!(all.iter().any(|it| it["name"] == "wait.event" && it["takes"][0]["required"] == true));
}
