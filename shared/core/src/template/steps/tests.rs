use super::*;
use crate::definition::{Case, Delivery};

fn step(number: u32) -> Step {
    Step {
        number,
        title: String::new(),
        body: String::new(),
        kind: StepKind::Capability,
        suggested_tools: Vec::new(),
        requires_confirmation: false,
        capability: Some("noop".into()),
        with: None,
        mode: None,
        only_if: None,
        when: None,
        next: None,
        switch: Vec::new(),
        terminal: false,
        depends_on: Vec::new(),
        on_failure: OnFailure::Fail,
        backoff: None,
        timeout_secs: None,
        input: None,
        output: None,
        delegation: None,
        policy: None,
        prompt: None,
        edit: None,
        delivery: Delivery::default(),
        agent: None,
        allow_tools: None,
        deny_tools: Vec::new(),
    }
}

fn with(number: u32, text: &str) -> Step {
    Step { with: Some(json!({ "v": text })), ..step(number) }
}

fn holds(text: &str) -> Option<Condition> {
    Some(Condition::parse(text).unwrap())
}

/// The messages about all steps.
fn told(steps: &[Step]) -> Vec<String> {
    told_of(steps, None)
}

fn told_of(steps: &[Step], event: Option<&Value>) -> Vec<String> {
    let outline = Outline::new(steps, event);
    steps
        .iter()
        .flat_map(|step| outline.check_step(step))
        .map(|found| format!("{}: {}", found.severity.as_str(), found.message))
        .collect()
}

#[test]
fn a_step_refers_to_what_can_have_run() {
    let early = [with(1, "{{ steps.2.output }}"), with(2, "{{ steps.1.state }}")];
    assert_eq!(told(&early), ["error: step 2 cannot have run before step 1"]);

    let own = [with(1, "{{ steps.1.output }}")];
    assert_eq!(told(&own), ["error: step 1 has no output before it has run"]);
    let absent = [with(1, "{{ steps.2.output }} {{ steps.9.state }}")];
    assert_eq!(told(&absent), ["error: there is no step 2", "error: there is no step 9"]);

    let round = [
        with(1, "{{ steps.2.output | default(0) }}"),
        Step { when: holds("$.steps.2.output.again == true"), next: Some(1), ..step(2) },
    ];
    assert_eq!(told(&round), Vec::<String>::new(), "a loop comes back");

    let apart = [
        Step {
            switch: vec![case("$.event.a == 1", 2), Case { condition: None, next: 3 }],
            ..step(1)
        },
        Step { terminal: true, ..step(2) },
        with(3, "{{ steps.2.output }}"),
    ];
    assert_eq!(told(&apart), ["error: step 2 cannot have run before step 3"]);
    let skipped = Step { terminal: true, only_if: holds("$.event.a == 1"), ..step(2) };
    assert_eq!(told(&[step(1), skipped, with(3, "{{ steps.2.state }}")]), Vec::<String>::new());
    let failed = Step { on_failure: OnFailure::Goto { step: 3 }, ..step(2) };
    let after = Step { terminal: true, ..failed };
    assert_eq!(told(&[step(1), after, with(3, "{{ steps.2.state }}")]), Vec::<String>::new());
}

fn case(condition: &str, next: u32) -> Case {
    Case { condition: holds(condition), next }
}

#[test]
fn a_step_of_a_graph_refers_to_what_it_depends_on() {
    let steps = [
        step(1),
        step(2),
        Step { depends_on: vec![1], ..with(3, "{{ steps.1.output }}") },
        Step { depends_on: vec![3], ..with(4, "{{ steps.1.output }} {{ steps.2.output }}") },
        Step { depends_on: vec![], ..with(5, "{{ steps.4.state }}") },
    ];
    assert_eq!(
        told(&steps),
        [
            "error: step 2 cannot have run before step 4",
            "error: step 4 cannot have run before step 5"
        ]
    );
    let help = Outline::new(&steps, None).check_step(&steps[3]).remove(0).help.unwrap();
    assert!(help.contains("add 2 to its `depends_on`"), "{help}");
}

#[test]
fn conditions_and_prompts_are_checked_too() {
    let steps = [Step {
        only_if: holds("$.steps.1.output == 1 && $.severity == \"high\""),
        when: holds("$.steps.1.output.ok == true"),
        switch: vec![
            case("$.steps.1.state == \"done\"", 1),
            case("$.steps.4.state == \"done\"", 1),
        ],
        prompt: Some("go? {{ evnt }} ".into()),
        ..step(1)
    }];
    let found = Outline::new(&steps, None).check_step(&steps[0]);
    let shown: Vec<(Key, &str)> = found.iter().map(|f| (f.key, f.message.as_str())).collect();
    assert_eq!(
        shown,
        [
            (Key::Prompt, "nothing is called `evnt` here"),
            (Key::If, "nothing is called `severity` here"),
            (Key::Switch(1), "there is no step 4"),
        ]
    );
    assert_eq!(found[0].span, 7..11);
}

#[test]
fn secrets_go_out_and_nowhere_else() {
    let text = "{{ secret(\"a\") }}";
    let of = |capability: &str| Step { capability: Some(capability.into()), ..with(1, text) };
    assert_eq!(told(&[of("http.request")]), Vec::<String>::new());
    for capability in ["noop", "transform", "json.validate", "wait", "wait.event", "sop.start"] {
        let message =
            format!("error: `{capability}` keeps its input on the ledger, where no secret may be");
        assert_eq!(told(&[of(capability)]), [message]);
    }
    let person = Step { kind: StepKind::Execute, capability: None, ..with(1, text) };
    assert_eq!(told(&[person]), ["error: only a built-in can be given a secret"]);
    let prompt = Step { prompt: Some(text.into()), ..step(1) };
    assert_eq!(told(&[prompt]), ["error: a secret cannot be shown to an approver"]);
}

#[test]
fn paths_are_held_against_the_schemas() {
    let output = json!({
        "type": "object", "additionalProperties": false, "required": ["level"],
        "properties": {"level": {"type": "integer"}, "note": {"type": "string"}},
    });
    let declared = Step { output: Some(output.clone()), ..step(1) };
    for (text, expected) in [
        ("{{ steps.1.output.level }}", None),
        ("{{ steps.1.output.note | default('') }}", None),
        (
            "{{ steps.1.output.note }}",
            Some(
                "warning: `steps.1.output.note` may be missing: by the `output` of step 1, `note` is \
                 not among the `required` keys",
            ),
        ),
        (
            "{{ steps.1.output.levl | default(1) }}",
            Some(
                "error: `steps.1.output.levl` never exists: by the `output` of step 1, it has no `levl`",
            ),
        ),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(told(&[declared.clone(), with(2, text)]), expected, "{text}");
    }
    let request = Step { capability: Some("http.request".into()), ..step(1) };
    let asks = with(2, "{{ steps.1.output.body.x }} {{ steps.1.output.code }}");
    let steps = [request, asks];
    assert_eq!(
        told(&steps),
        [
            "error: `steps.1.output.code` never exists: by what the built-in of step 1 gives, it has no `code`"
        ]
    );
    let help = Outline::new(&steps, None).check_step(&steps[1]).remove(0).help.unwrap();
    assert_eq!(help, "the output of step 1 has `body`, `encoding`, `headers`, `status`");

    let event = [Step { only_if: holds("$.event.note == \"x\""), ..with(1, "{{ event.x }}") }];
    assert_eq!(told(&event), Vec::<String>::new());
    let told = told_of(&event, Some(&output));
    assert!(told[0].starts_with("error: `event.x` never exists: by the SOP's `input`"), "{told:?}");
    assert_eq!(told.len(), 1, "a condition over what may be missing is no mistake");
    let open = json!({"properties": {"level": {}}});
    let event = [Step { only_if: holds("$.event.levle == 1"), ..step(1) }];
    let found = Outline::new(&event, Some(&open)).check_step(&event[0]);
    assert_eq!(found[0].severity, Severity::Warning);
    assert_eq!(found[0].help.as_deref(), Some("did you mean `level`?"));
}
