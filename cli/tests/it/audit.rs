//! Ledgers are verified here, whatever the host says of them.

use serde_json::{Value, json};
use sop_core::definition::{Definition, SourceFiles, Workspace, parse};
use sop_core::engine::{
    Beginning, Cause, Decided, Decision, Given, Identity, Input, Stored, Values, decide, start,
};
use sop_core::journal::{Entry, Sealed};
use sop_core::{EventId, InputId, RunId, SopName, Source, Tenant, Timestamp};

use crate::cli::{Place, Said};
use crate::stub::Stub;

fn definition() -> Definition {
    let toml = "[sop]\nname = \"deploy\"\ndescription = \"d\"\nversion = \"1\"\n\
                execution_mode = \"supervised\"\n\n[[triggers]]\ntype = \"manual\"\n";
    let files = SourceFiles {
        directory: "deploy".into(),
        toml: toml.into(),
        markdown: Some("## Steps\n\n1. **Look** — Closely.\n".into()),
    };
    parse(&files, &Workspace::default()).definition.unwrap()
}

fn moved(decided: Decided) -> Entry {
    match decided {
        Decided::Moves(transition) => transition.entry,
        other @ (Decided::Refused(_) | Decided::Needs(_)) => panic!("{other:?}"),
    }
}

fn ledger() -> (RunId, Definition, Vec<Sealed>) {
    let sop = definition();
    let now = Timestamp::from_millis(1_772_352_000_000);
    let (tenant, name) = (Tenant::default(), SopName::parse("deploy").unwrap());
    let event = EventId::from_random(now, &[7; 10]);
    let run = RunId::derive(&tenant, &name, &event, now);
    let identity = Identity {
        id: run.clone(),
        tenant,
        sop: name,
        version: "1".into(),
        definition: sop.digest(),
        event,
        source: Source::Manual,
        subject: "deploy".into(),
        actor: None,
        started_at: now,
        trace: None,
        parent: None,
        origin: None,
        follows: None,
    };
    let cause = |id: &str, by: &str| Cause { input: InputId::parse(id).unwrap(), by: by.into() };
    let payload = Some(Stored::of("{\"message\":\"hi\"}"));
    let values = Values::default();
    let given = |cause, now| Given { cause, now, queued: false, values: &values };
    let beginning = Beginning { identity, payload, reused: Vec::new() };
    let first = moved(start(&sop, beginning, given(cause("start", "event"), now)));
    let sealed = first.seal();
    let decision = Decision::Approve { comment: Some("fine\u{1b}[31m".into()) };
    let input = Input::Decide { gate: 1, decision };
    let later = now.plus_millis(1_000);
    let newest = (0, sealed.hash);
    let second =
        moved(decide(&sop, &first.after, newest, &input, given(cause("p-1", "ann"), later)));
    (run, sop, vec![sealed, second.seal()])
}

fn answer(run: &RunId, sop: &Definition, entries: &[Sealed]) -> Value {
    json!({ "run": run, "definition": sop.to_json(), "entries": entries })
}

fn audit(answer: Value, run: &RunId, args: &[&str]) -> Said {
    let heads = json!({ "runs": [{ "run": run, "sop": "deploy", "status": "waiting" }] });
    let stub = Stub::start(move |request| {
        let body = if request.line.ends_with("/journal") { &answer } else { &heads };
        (200, "", body.to_string())
    });
    Place::new().sop_cli(&[&["audit"], args, &["--url", &stub.url]].concat())
}

#[test]
fn a_whole_ledger_is_verified_and_shown() {
    let (run, sop, entries) = ledger();
    let told = audit(answer(&run, &sop, &entries), &run, &["verify", run.as_str()]);
    insta::assert_snapshot!("verified", told.all());
    let shown = audit(answer(&run, &sop, &entries), &run, &["show", run.as_str()]);
    insta::assert_snapshot!("ledger", shown.all());
    let all = audit(answer(&run, &sop, &entries), &run, &["verify", "--all", "--format", "json"]);
    assert_eq!(all.code, 0);
    assert_eq!((&all.json()["verified"], &all.json()["broken"]), (&json!(1), &json!(0)));
}

#[test]
fn whatever_was_done_to_a_ledger_is_found() {
    let (run, sop, entries) = ledger();
    let mut changed = entries.clone();
    changed[1].body = changed[1].body.replace("ann", "bob");
    let mut other_definition = sop.clone();
    other_definition.description = "another".into();
    let other_run = RunId::parse("00000000000000000000000000").unwrap();
    let cases = [
        ("entry 1 was changed", answer(&run, &sop, &changed), &run),
        ("entry 0 is missing", answer(&run, &sop, &entries[1..]), &run),
        ("empty", answer(&run, &sop, &[]), &run),
        ("definition", answer(&run, &other_definition, &entries), &run),
        ("another run", answer(&run, &sop, &entries), &other_run),
    ];
    for (what, answer, asked) in cases {
        let told = audit(answer.clone(), asked, &["verify", asked.as_str()]);
        assert_eq!(told.code, 1, "{what}: {told:?}");
        assert!(told.out.contains("broken: ") && told.out.contains(what), "{what}: {told:?}");
        let told = audit(answer, asked, &["verify", asked.as_str(), "--format", "json"]);
        assert_eq!((told.code, &told.json()["verified"]), (1, &json!(false)));
    }
}
