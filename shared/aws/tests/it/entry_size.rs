//! How big the entries of a run are as items: one write unit is 1024 bytes.

use sop_aws::entry_bytes;
use sop_core::definition::Definition;
use sop_core::engine::{
    Beginning, Cause, Decided, Given, Identity, Input, Stored, Values, Verdict, decide, start,
};
use sop_core::event::Source;
use sop_core::id::InputId;
use sop_core::journal::{Entry, Sealed};
use sop_testkit::ids::{EPOCH, fresh_event, fresh_run, fresh_tenant};

const STEPS: u32 = 5;

/// Bytes that one write unit covers.
const UNIT: usize = 1024;

fn definition() -> Definition {
    let steps: Vec<_> = (1..=STEPS)
        .map(|number| {
            serde_json::json!({
                "number": number, "title": format!("Step {number}"), "body": "", "kind": "capability",
                "suggested_tools": [], "requires_confirmation": false, "capability": "noop",
            })
        })
        .collect();
    serde_json::from_value(serde_json::json!({
        "name": "deploy-pipeline", "description": "Deploys a service", "version": "1.0.0",
        "priority": "normal", "execution_mode": "auto", "cooldown_secs": 300, "max_concurrent": 3,
        "timezone": "UTC", "triggers": [], "steps": steps,
    }))
    .unwrap()
}

fn moved(decided: Decided) -> Entry {
    match decided {
        Decided::Moves(transition) => transition.entry,
        Decided::Refused(_) | Decided::Needs(_) => panic!("the run moves: {decided:?}"),
    }
}

/// The entries of a run of five built-in steps that an alert of about 200 bytes started.
fn entries() -> Vec<Sealed> {
    let sop = definition();
    let (tenant, event) = (fresh_tenant(), fresh_event(EPOCH));
    let identity = Identity {
        id: fresh_run(&tenant, &sop.name, EPOCH),
        tenant,
        sop: sop.name.clone(),
        version: sop.version.clone(),
        definition: sop.digest(),
        event: event.clone(),
        source: Source::Webhook,
        subject: "/sop/deploy".into(),
        actor: None,
        started_at: EPOCH,
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        parent: None,
        origin: None,
    };
    let payload = Stored::of(&format!(
        "{{\"message\":\"deploy-service-a\",\"note\":\"{}\"}}",
        "n".repeat(150)
    ));
    let input = InputId::parse(&format!("event-{event}")).unwrap();
    let cause = Cause { input, by: "event".into() };
    let values = Values::default();
    let given = Given { cause, now: EPOCH, queued: false, values: &values };
    let beginning = Beginning { identity, payload: Some(payload), reused: Vec::new() };
    let mut entry = moved(start(&sop, beginning, given));
    let mut sealed = vec![entry.seal()];
    for step in 1..=STEPS {
        let output = Some(Stored::of("{\"status\":200,\"body\":{\"healthy\":true}}"));
        let input = Input::Outcome { step, attempt: 1, verdict: Verdict::Completed { output } };
        let cause = Cause { input: input.system_id(entry.seq), by: "executor".into() };
        let newest = (entry.seq, sealed.last().unwrap().hash);
        let now = EPOCH.plus_millis(1_500 * i64::from(step));
        let given = Given { cause, now, queued: false, values: &values };
        entry = moved(decide(&sop, &entry.after, newest, &input, given));
        sealed.push(entry.seal());
    }
    assert!(entry.after.is_finished());
    sealed
}

#[test]
fn an_entry_of_a_step_is_one_write_unit() {
    let sizes: Vec<usize> = entries().iter().map(entry_bytes).collect();
    println!("bytes of the entries of a run of {STEPS} steps: {sizes:?}");
    assert!(sizes.iter().all(|size| *size <= UNIT), "{sizes:?}");
}
