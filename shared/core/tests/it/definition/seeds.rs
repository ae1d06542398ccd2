//! The examples of the reference, and those of `sops/`.

use std::collections::BTreeMap;

use sop_core::definition::AdmissionPolicy;

use super::*;

#[test]
fn the_reference_example_loads_exactly() {
    let files = load(&tests_dir().join("seeds/deploy-prod"), "sops/deploy-prod");
    let parsed = parse_files(&files);
    assert_eq!(parsed.diagnostics, []);
    let step = |number, title: &str, body: &str, tools: &[&str], requires_confirmation| Step {
        number,
        title: title.into(),
        body: body.into(),
        kind: StepKind::Execute,
        suggested_tools: tools.iter().map(ToString::to_string).collect(),
        requires_confirmation,
        ..Step::default()
    };
    let expected = Definition {
        name: SopName::parse("deploy-prod").unwrap(),
        description: "Deploy service to production".into(),
        version: "1.0.0".into(),
        priority: Priority::High,
        execution_mode: ExecutionMode::Supervised,
        cooldown_secs: 300,
        max_concurrent: Some(1),
        timezone: "UTC".into(),
        owner: None,
        workstream: None,
        admission_policy: AdmissionPolicy::Queue,
        max_pending_approvals: None,
        delegation: None,
        input: None,
        timeout_secs: None,
        triggers: vec![
            Trigger::Webhook(WebhookTrigger {
                path: "/sop/deploy".into(),
                method: None,
                auth: Auth::Bearer,
                condition: None,
            }),
            Trigger::Manual,
            Trigger::Mqtt {
                topic: TopicFilter::parse("ops/deploy").unwrap(),
                condition: Some(Condition::parse("$.env == \"prod\"").unwrap()),
                key: None,
            },
        ],
        steps: vec![
            step(
                1,
                "Preflight",
                "Check service health and release window.",
                &["http_request"],
                false,
            ),
            step(2, "Deploy", "Run deployment command.", &["shell"], true),
        ],
        policies: BTreeMap::new(),
        max_concurrent_total: None,
    };
    assert_eq!(parsed.definition, Some(expected));
}

#[test]
fn every_trigger_example_of_the_references_loads() {
    let triggers = [
        r#"type = "manual""#,
        "type = \"webhook\"\npath = \"/sop/deploy\"",
        "type = \"webhook\"\npath = \"/webhook\"",
        "type = \"mqtt\"\ntopic = \"sensors/alert\"\ncondition = \"$.severity >= 2\"",
        "type = \"mqtt\"\ntopic = \"ops/deploy/#\"",
        "type = \"mqtt\"\ntopic = \"plant/+/temperature\"",
        "type = \"cron\"\nexpression = \"0 0 8 * * *\"",
        "type = \"cron\"\nexpression = \"0 8 * * *\"",
        "type = \"cron\"\nexpression = \"0 0 8 * * * 2030\"",
        "type = \"peripheral\"\nboard = \"b\"\nsignal = \"s\"\ncondition = \"> 0\"",
        "type = \"peripheral\"\nboard = \"b\"\nsignal = \"s\"\ncondition = \"$.value > 85\"",
        "type = \"event\"\nsource = \"aws.s3\"\ndetail_type = \"Object Created\"",
        "type = \"event\"\nsource = \"aws.s3\"\ncondition = \"$.detail.object.size > 0\"",
        "type = \"event\"\ndetail_type = \"Order / New\"",
        "type = \"mqtt\"\ntopic = \"t\"\ncondition = '$.status == \"critical\"'",
    ];
    for trigger in triggers {
        let toml = format!("[sop]\nname = \"x\"\ndescription = \"d\"\n[[triggers]]\n{trigger}\n");
        let parsed = parse(&toml, "## Steps\n\n1. **Look** — at it.\n");
        assert_eq!(parsed.diagnostics, [], "{trigger}");
        assert_eq!(parsed.definition.map(|sop| sop.triggers.len()), Some(1));
    }
}

#[test]
fn defaults_are_those_of_the_reference() {
    let sop = parse("[sop]\nname = \"x\"\n", "## Steps\n1. Look\n").definition.unwrap();
    assert_eq!((sop.version.as_str(), sop.timezone.as_str()), ("0.1.0", "UTC"));
    assert_eq!((sop.priority, sop.execution_mode), (Priority::Normal, ExecutionMode::Supervised));
    assert_eq!((sop.cooldown_secs, sop.max_concurrent), (0, None));
    assert!(sop.runnable());
}

#[test]
fn a_schedule_keeps_its_own_time_zone() {
    let toml = "[sop]\nname = \"x\"\ndescription = \"d\"\ntimezone = \"Europe/Berlin\"\n\
                [[triggers]]\ntype = \"cron\"\nexpression = \"0 0 8 * * *\"\ntimezone = \"Asia/Tokyo\"\n";
    let sop = parse(toml, "## Steps\n1. Look\n").definition.unwrap();
    let expression = CronExpr::parse("0 0 8 * * *").unwrap();
    assert_eq!(sop.triggers, [Trigger::Cron { expression, timezone: Some("Asia/Tokyo".into()) }]);
    assert_eq!(sop.timezone, "Europe/Berlin");
}

#[test]
fn the_examples_have_not_even_a_warning() {
    let found = directories(&repo_dir().join("sops"));
    assert!(found.len() >= 5);
    let mut all = Vec::new();
    for directory in found {
        let name = directory.file_name().unwrap().to_str().unwrap().to_owned();
        let files = load(&directory, &format!("sops/{name}"));
        let parsed = parse_shipped(&files);
        assert_eq!(rendered(&files, "", &parsed), "", "{name}");
        let sop = parsed.definition.as_ref().expect("no diagnostics");
        assert_eq!(sop.name.as_str(), name);
        assert!(sop.runnable());
        all.push(parsed);
    }
    assert_eq!(definition::check_workspace(&all), []);
}
