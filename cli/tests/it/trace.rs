//! `sop trace` against a real `sop dev`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::people::Town;

#[test]
fn a_trace_goes_from_the_door_to_the_last_step() {
    let town = Town::new();
    let anna = town.person();
    anna.write("record", "", "1. **Keep** — it.\n   - capability: noop\n");
    anna.write(
        "release",
        "",
        "1. **Check** — it.\n   - capability: noop\n2. **Approve** — it.\n   - kind: checkpoint\n3. **Record** \
         — it.\n   - capability: sop.start\n   - with: {\"sop\": \"record\"}\n",
    );
    anna.does(&["push"]);
    let run = anna.starts("release", "{}");
    anna.until(&run, |run| run["status"] == "waiting");
    let open = anna.does(&["trace", &run]).out;
    assert!(open.contains("waits at gate 1") && open.contains("goes on"), "{open}");
    anna.does(&["approve", &run]);
    anna.until(&run, |run| run["status"] == "completed");

    let text = anna.does(&["trace", &run]).out;
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("no `{words}`: {text}"));
    // The door, the dispatcher, the executor, a person by the API, and the run that was started in turn.
    let in_order = [
        "api        manual release",
        "dispatcher run of release",
        "dispatcher step 1 Check",
        "executor   noop",
        "dispatcher step 2 Approve",
        "people     waits at gate 1",
        "dispatcher step 3 Record",
        "child      waits for run",
        "dispatcher run of record",
        "dispatcher step 1 Keep",
    ];
    let places: Vec<usize> = in_order.iter().map(|words| place(words)).collect();
    assert!(places.is_sorted(), "{text}");
    place(&format!("api #2: gate 1 approved (by {})", anna.subject));
    assert!(!text.contains("goes on"), "{text}");

    let json = anna.json(&["trace", &run]);
    let spans = json["spans"].as_array().unwrap();
    let ids: BTreeSet<&str> = spans.iter().filter_map(|span| span["id"].as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "every id once: {json}");
    let orphan = |span: &&Value| span["parent"].as_str().is_some_and(|id| !ids.contains(id));
    assert!(!spans.iter().any(|span| orphan(&span)), "{json}");
    for span in spans {
        let (began, ended) = (span["began"].as_i64().unwrap(), span["ended"].as_i64().unwrap());
        assert!(began <= ended && span["failed"] == false, "{span}");
    }
    // The same run has the same trace, whoever asks.
    assert_eq!(anna.json(&["trace", &run]), json);

    let otlp = anna.does(&["trace", &run, "--otlp"]).json();
    let resources = otlp["resourceSpans"].as_array().unwrap();
    let count: usize = resources
        .iter()
        .map(|resource| resource["scopeSpans"][0]["spans"].as_array().unwrap().len())
        .sum();
    assert_eq!(count, spans.len());
    let span = &resources[0]["scopeSpans"][0]["spans"][0];
    assert!(span["traceId"].as_str().is_some_and(|id| id.len() == 32), "{span}");
    assert!(span["startTimeUnixNano"].as_str().unwrap().ends_with("000000"), "{span}");
}

#[test]
fn what_happened_is_counted() {
    let town = Town::new();
    let anna = town.person();
    anna.write("two", "", "1. **Keep** — it.\n   - capability: noop\n2. **Look** — at it.\n");
    anna.does(&["push"]);
    let run = anna.starts("two", "{}");
    anna.until(&run, |run| run["status"] == "waiting");
    anna.does(&["complete", &run]);
    anna.until(&run, |run| run["status"] == "completed");
    let counted = town.text("/metrics");
    for line in [
        "sop_accepted_total{source=\"manual\"} 1",
        "sop_execution_seconds_count{capability=\"noop\"} 1",
        "sop_waits_begun_total{on=\"performer\"} 1",
        "sop_waits_ended_total{on=\"person\"} 1",
        "sop_runs_finished_total{status=\"completed\"} 1",
        "sop_run_seconds_count{status=\"completed\"} 1",
        "sop_transitions_total 3",
    ] {
        assert!(counted.lines().any(|known| known == line), "no `{line}`: {counted}");
    }
}
