//! What operators ask: dead letters, schedules, one event.

use serde_json::{Value, json};

use crate::cli::{Place, Said};
use crate::stub::{Stub, problem};

fn ask(stub: &Stub, args: &[&str]) -> Said {
    let args = [args, &["--url", &stub.url, "--token", "t0ken"]].concat();
    let mut said = Place::new().sop_cli(&args);
    said.out = said.out.replace(&stub.url, "http://host");
    said.err = said.err.replace(&stub.url, "http://host");
    said
}

fn letters() -> Value {
    json!({ "letters": [
        { "queue": "events", "id": "5f0c2c1f1d1ef3a2", "kind": "event",
          "event": { "id": "01jevent", "source": "webhook", "subject": "/sop/de\u{1b}[2Jploy" },
          "run": null, "at": "2026-03-01T08:00:00.000Z", "attempts": 5,
          "reason": "a port failed: could not append an entry: throttled" },
        { "queue": "events", "id": "5e00000000000000", "kind": "unknown", "event": null,
          "run": null, "at": null, "attempts": null, "reason": null },
        { "queue": "effects", "id": "77aa000000000000", "kind": "effect", "event": null,
          "run": "01jrun", "at": "2026-03-01T07:00:00.000Z", "attempts": 5, "reason": "no power" },
    ] })
}

#[test]
fn dead_letters_are_listed_with_their_reasons() {
    let stub = Stub::routes(vec![("GET /api/dlq", 200, letters())]);
    insta::assert_snapshot!("dlq_list", ask(&stub, &["dlq", "list"]).all());
    let said = ask(&stub, &["dlq", "list", "--queue", "effects", "--limit", "7"]);
    assert_eq!(said.code, 0);
    assert!(stub.asked()[1].line.contains("queue=effects&limit=7"), "{}", stub.asked()[1].line);
    assert_eq!(ask(&stub, &["dlq", "list", "--format", "json"]).json(), letters());
    let none = Stub::routes(vec![("GET /api/dlq", 200, json!({ "letters": [] }))]);
    assert!(ask(&none, &["dlq", "list"]).err.contains("no dead letters"));
}

#[test]
fn a_letter_is_meant_by_the_beginning_of_its_id() {
    let mut shown = letters()["letters"][0].clone();
    shown["body"] = json!("{\"v\":1}");
    let stub = Stub::routes(vec![
        ("GET /api/dlq/events/5f0c2c1f1d1ef3a2", 200, shown),
        ("GET /api/dlq", 200, letters()),
    ]);
    insta::assert_snapshot!("dlq_show", ask(&stub, &["dlq", "show", "5f"]).all());
    let said = ask(&stub, &["dlq", "show", "5"]);
    assert!(said.code != 0 && said.err.contains("begins the ids of 2"), "{said:?}");
    assert!(ask(&stub, &["dlq", "show", "zz"]).err.contains("no dead letter has an id"));
}

#[test]
fn letters_are_redriven_and_discarded_queue_by_queue() {
    let stub = Stub::routes(vec![
        ("GET /api/dlq", 200, letters()),
        ("POST /api/dlq/redrive", 200, json!({ "queue": "events", "redriven": 2 })),
        ("POST /api/dlq/discard", 200, json!({ "queue": "effects", "discarded": 1 })),
    ]);
    let said = ask(&stub, &["dlq", "redrive", "5f", "5e", "77"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("2 dead letters sent to the events queue again"), "{said:?}");
    let orders: Vec<Value> = stub
        .asked()
        .iter()
        .filter(|asked| asked.line.starts_with("POST"))
        .map(|asked| asked.json())
        .collect();
    assert_eq!(
        orders,
        [
            json!({ "queue": "events", "ids": ["5f0c2c1f1d1ef3a2", "5e00000000000000"] }),
            json!({ "queue": "effects", "ids": ["77aa000000000000"] }),
        ]
    );
    let said = ask(&stub, &["dlq", "discard", "--all", "--queue", "effects"]);
    assert!(said.out.contains("1 dead letter of the effects queue discarded"), "{said:?}");
    for wrong in [&["dlq", "redrive"][..], &["dlq", "redrive", "--all"], &["dlq"]] {
        assert_eq!(ask(&stub, wrong).code, 2, "{wrong:?}");
    }
    let refused = Stub::routes(vec![
        ("GET /api/dlq", 200, letters()),
        ("POST ", 409, problem(409, "not_redrivable", "an arrival")),
    ]);
    assert_eq!(ask(&refused, &["dlq", "redrive", "77"]).code, 3);
}

#[test]
fn schedules_are_listed_and_switched() {
    let routines = json!({ "routines": [
        { "sop": "nightly", "on": true, "since": null, "by": null, "schedules": [
            { "expression": "0 2 * * *", "timezone": "UTC", "next": "2026-03-02T02:00:00.000Z" },
            { "expression": "0 0 1 1 * 2020", "timezone": "UTC", "next": null } ] },
        { "sop": "weekly", "on": false, "since": "2026-03-01T08:00:00.000Z", "by": "paired:1",
          "schedules": [{ "expression": "@weekly", "timezone": "UTC", "next": null }] },
    ] });
    let stub = Stub::routes(vec![
        ("GET /api/routines", 200, routines.clone()),
        ("POST /api/sops/nightly/routine", 200, json!({ "sop": "nightly", "on": false })),
    ]);
    insta::assert_snapshot!("routine_list", ask(&stub, &["routine", "list"]).all());
    assert_eq!(ask(&stub, &["routine", "list", "--format", "json"]).json(), routines);
    for (word, on) in [("off", false), ("on", true)] {
        assert_eq!(ask(&stub, &["routine", word, "nightly"]).code, 0);
        assert_eq!(stub.asked().last().unwrap().json(), json!({ "on": on }));
    }
}

/// The documentation's example, with the jump of Berlin's clock.
#[test]
fn a_schedule_tells_its_next_times() {
    let place = Place::new();
    let from = ["-n", "2", "--from", "2026-03-28T12:00:00Z"];
    let next = |args: &[&str]| place.sop_cli(&[&["cron", "next"], args, &from].concat());
    let berlin = next(&["30 2 * * *", "--timezone", "Europe/Berlin"]);
    insta::assert_snapshot!("cron_next", berlin.all());
    let cron =
        "[[triggers]]\ntype = \"cron\"\nexpression = \"@daily\"\ntimezone = \"Asia/Tokyo\"\n";
    place.sop("nightly", cron);
    place.sop("other", "[[triggers]]\ntype = \"manual\"\n");
    for args in [&[][..], &["nightly"]] {
        let told = next(&[args, &["--format", "json"]].concat()).json();
        let times = json!(["2026-03-28T15:00:00.000Z", "2026-03-29T15:00:00.000Z"]);
        assert_eq!(
            told["schedules"],
            json!([{ "sop": "nightly", "expression": "@daily", "timezone": "Asia/Tokyo", "next": times }])
        );
    }
    for wrong in [&["61 * * * *"][..], &["@never"], &["other"], &["nobody"]] {
        assert_ne!(next(wrong).code, 0, "{wrong:?}");
    }
    let zone = next(&["* * * * *", "--timezone", "Berlin"]);
    assert!(zone.err.contains("did you mean `Europe/Berlin`?"), "{zone:?}");
    let past = next(&["0 0 0 1 1 * 2020"]);
    assert!(past.out.contains("never again"), "{past:?}");
}

#[test]
fn an_event_is_shown_and_sent_again() {
    let event = json!({
        "event": "01jevent", "time": "2026-03-01T08:00:00.000Z", "source": "mqtt",
        "subject": "sensors/alert", "outcome": "unmatched",
        "detail": {
            "verdicts": [{ "sop": "alarm", "matched": false, "reason": "1 >= 2 is false" }],
            "others": 0, "payload": "{\"severity\":1}", "payload_bytes": 14,
            "actor": "mqtt:pump", "replay_of": "01jold",
        },
    });
    let stub = Stub::routes(vec![
        ("GET /api/events/01jevent", 200, event),
        (
            "POST /api/events/01jevent/replay",
            202,
            json!({ "event_id": "01jnew", "replay_of": "01jevent" }),
        ),
    ]);
    insta::assert_snapshot!("events_show", ask(&stub, &["events", "show", "01jevent"]).all());
    let why = ask(&stub, &["events", "--why", "01jevent"]);
    assert!(why.out.contains("1 >= 2 is false") && !why.out.contains("replay of"), "{why:?}");
    let again = ask(&stub, &["events", "replay", "01jevent", "--sop", "alarm"]);
    assert!(again.out.contains("01jnew"), "{again:?}");
    assert_eq!(stub.asked().last().unwrap().json(), json!({ "sop": "alarm" }));
    assert_eq!(ask(&stub, &["events", "--why", "x", "--sop", "alarm"]).code, 2);
    assert_eq!(ask(&stub, &["events", "--matched", "--unmatched"]).code, 2);
}

#[test]
fn the_log_is_filtered_by_the_host() {
    let notice = json!({
        "event": "01jmore", "time": "2026-03-01T08:00:59.999Z", "source": "mqtt",
        "subject": "unmatched events", "outcome": "sampled",
        "detail": { "verdicts": [], "others": 0, "payload_bytes": 0, "written": 3, "not_written": 17 },
    });
    let page = json!({ "events": [notice], "next_cursor": null });
    let stub = Stub::routes(vec![("GET /api/events", 200, page)]);
    let said = ask(
        &stub,
        &["events", "--source", "mqtt", "--unmatched", "--sop", "alarm", "--limit", "5"],
    );
    assert!(said.out.contains("17 more unmatched events of that minute not written"), "{said:?}");
    let line = &stub.asked()[0].line;
    assert!(line.contains("source=mqtt&outcome=unmatched&sop=alarm&limit=5"), "{line}");
}

/// An event of a bus is named by flags, or by the payload itself.
#[test]
fn events_of_a_bus_are_emitted_and_matched() {
    let payload = r#"{"source":"aws.s3","detail-type":"Object Created","detail":{"size":5}}"#;
    let by_flags = ["--event-source", "aws.s3", "--detail-type", "Object Created"];
    for args in [&by_flags[..], &["--payload", payload]] {
        let stub = Stub::routes(vec![("POST /api/events", 202, json!({ "event_id": "ev" }))]);
        assert_eq!(ask(&stub, &[&["emit", "--source", "event"], args].concat()).code, 0);
        assert_eq!(stub.asked()[0].json()["subject"], "aws.s3/Object Created");
    }
    let place = Place::new();
    let trigger =
        "[[triggers]]\ntype = \"event\"\nsource = \"aws.s3\"\ncondition = \"$.detail.size > 4\"\n";
    place.sop("upload", trigger);
    let matched =
        place.sop_cli(&["match", "--source", "event", "--payload", payload, "--format", "json"]);
    assert_eq!(matched.json()["matched"], json!(["upload"]));
    let bare = place.sop_cli(&["match", "--source", "event", "--payload", "{}"]);
    assert!(bare.code != 0 && bare.err.contains("--detail-type"), "{bare:?}");
    let stray = place.sop_cli(&["match", "--source", "mqtt", "--topic", "a", "--detail-type", "x"]);
    assert!(stray.err.contains("`--detail-type` belongs to"), "{stray:?}");
}
