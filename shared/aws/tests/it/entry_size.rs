//! How big the entries of a run are as items: one write unit is 1024 bytes.

use sop_aws::count::WRITE_UNIT_BYTES;
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

fn definition(steps: u32) -> Definition {
    let steps: Vec<_> = (1..=steps)
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

/// The entries of a run of so many built-in steps that an alert of about 200 bytes started.
fn entries(steps: u32) -> Vec<Sealed> {
    let sop = definition(steps);
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
        follows: None,
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
    for step in 1..=steps {
        let output = Some(Stored::of("{\"status\":200,\"body\":{\"healthy\":true}}"));
        let input =
            Input::Outcome { step, attempt: 1, verdict: Verdict::Completed { output }, ran: None };
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
    let sizes: Vec<usize> = entries(STEPS).iter().map(entry_bytes).collect();
    println!("bytes of the entries of a run of {STEPS} steps: {sizes:?}");
    assert!(sizes.iter().all(|size| *size <= WRITE_UNIT_BYTES), "{sizes:?}");
}

/// What a run has behind it is in each of its entries; packed, it adds little.
#[test]
fn an_entry_of_a_long_run_is_a_few_write_units() {
    let entries = entries(200);
    let bodies = entries.iter().map(|entry| entry.body.len()).max().unwrap();
    let stored = entries.iter().map(entry_bytes).max().unwrap();
    println!("largest entry of a run of 200 steps: {bodies} bytes, {stored} stored");
    assert!(bodies > 4 * WRITE_UNIT_BYTES, "{bodies}: the run is long");
    assert!(stored <= 3 * WRITE_UNIT_BYTES, "{stored}");
}
