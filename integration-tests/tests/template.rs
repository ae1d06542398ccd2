//! What only AWS would show, asserted on the template: permissions, encryption, dead letters.

use std::collections::BTreeMap;
use std::process::Command;

use serde_yaml_ng::Value;

const TEMPLATE: &str = include_str!("../../infra/template.yaml");

/// A resource: logical id, type, properties.
type Resource = (String, String, Value);

fn template() -> Value {
    serde_yaml_ng::from_str(TEMPLATE).expect("the template is YAML")
}

fn resources(of: &str) -> Vec<Resource> {
    let template = template();
    let all = template["Resources"].as_mapping().expect("resources").clone();
    all.into_iter()
        .map(|(id, resource)| {
            let id = id.as_str().expect("an id").to_owned();
            let kind = resource["Type"].as_str().expect("a type").to_owned();
            (id, kind, resource["Properties"].clone())
        })
        .filter(|(_, kind, _)| kind == of)
        .collect()
}

/// A value with its `!Ref` and `!GetAtt` written out: `!Ref Table` for example.
fn text(value: &Value) -> String {
    if let Value::Tagged(tagged) = value {
        return format!("{} {}", tagged.tag, text(&tagged.value));
    }
    value.as_str().map_or_else(
        || serde_yaml_ng::to_string(value).expect("YAML").trim().to_owned(),
        str::to_owned,
    )
}

/// The values of a list, or the one; of a choice, what may be chosen.
fn list(value: &Value) -> Vec<String> {
    if let Value::Sequence(values) = value {
        return values.iter().flat_map(list).collect();
    }
    if let Value::Tagged(choice) = value
        && choice.tag == "!If"
    {
        let branches = choice.value.as_sequence().expect("a condition and two values");
        return branches[1..].iter().flat_map(list).collect();
    }
    vec![text(value)]
}

/// (role, statement) of every role.
fn statements() -> Vec<(String, Value)> {
    let mut statements = Vec::new();
    for (id, _, properties) in resources("AWS::IAM::Role") {
        assert!(properties.get("ManagedPolicyArns").is_none(), "{id} takes a policy of AWS's");
        for policy in properties["Policies"].as_sequence().expect("policies") {
            let all = policy["PolicyDocument"]["Statement"].as_sequence().expect("statements");
            statements.extend(all.iter().map(|statement| (id.clone(), statement.clone())));
        }
    }
    statements
}

/// Wildcards in what a role may touch: (role, statement, resource, why). All else names resources of ours.
const WILDCARDS: &[(&str, &str, &str, &str)] = &[
    (
        "ExecutorRole",
        "Secrets",
        "!Sub arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Prefix}/*",
        "which secrets there are, people decide after the stack is made; AWS adds six characters to each name",
    ),
    (
        "WebhookRole",
        "Secrets",
        "!Sub arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${Prefix}/*",
        "what senders sign with is named by definitions, which come after the stack",
    ),
    (
        "ExecutorRole",
        "PublishSns",
        "!Sub arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:*",
        "which topics steps and gates speak to is in definitions, which come after the stack",
    ),
    (
        "ExecutorRole",
        "PublishMqtt",
        "!Sub arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:topic/*",
        "which topics steps and gates speak to is in definitions; the broker's own are denied beside it",
    ),
    ("ApiRole", "ListRules", "*", "the service knows no resource for a list of its rules"),
    (
        "ApiRole",
        "Rules",
        "!Sub arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:rule/${Prefix}_mqtt_*",
        "rules are named after the filters of SOPs, which come after the stack",
    ),
    ("CronRole", "ListRules", "*", "the service knows no resource for a list of its rules"),
    (
        "CronRole",
        "Rules",
        "!Sub arn:${AWS::Partition}:iot:${AWS::Region}:${AWS::AccountId}:rule/${Prefix}_mqtt_*",
        "rules are named after the filters of SOPs, which come after the stack",
    ),
    (
        "ApiRole",
        "BusRules",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${Prefix}-events-*",
        "rules are named after the sources that SOPs ask for, which come after the stack",
    ),
    (
        "ApiRole",
        "BusRules",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${EventBusName}/${Prefix}-events-*",
        "rules are named after the sources that SOPs ask for, which come after the stack",
    ),
    (
        "ApiRole",
        "BusTargets",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${Prefix}-events-*",
        "rules are named after the sources that SOPs ask for; what they lead to is one function",
    ),
    (
        "ApiRole",
        "BusTargets",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${EventBusName}/${Prefix}-events-*",
        "rules are named after the sources that SOPs ask for; what they lead to is one function",
    ),
    (
        "ApiRole",
        "ListBusRules",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*",
        "a list is asked of all rules of a bus",
    ),
    (
        "CronRole",
        "BusRules",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${Prefix}-events-*",
        "rules are named after the sources that SOPs ask for, which come after the stack",
    ),
    (
        "CronRole",
        "BusRules",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${EventBusName}/${Prefix}-events-*",
        "rules are named after the sources that SOPs ask for, which come after the stack",
    ),
    (
        "CronRole",
        "BusTargets",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${Prefix}-events-*",
        "rules are named after the sources that SOPs ask for; what they lead to is one function",
    ),
    (
        "CronRole",
        "BusTargets",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/${EventBusName}/${Prefix}-events-*",
        "rules are named after the sources that SOPs ask for; what they lead to is one function",
    ),
    (
        "CronRole",
        "ListBusRules",
        "!Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/*",
        "a list is asked of all rules of a bus",
    ),
    ("WebhookRole", "Trace", "*", "the service knows no resource for a trace"),
    ("MqttRole", "Trace", "*", "the service knows no resource for a trace"),
    ("PeripheralRole", "Trace", "*", "the service knows no resource for a trace"),
    ("EventbridgeRole", "Trace", "*", "the service knows no resource for a trace"),
    ("CronRole", "Trace", "*", "the service knows no resource for a trace"),
    ("DispatcherRole", "Trace", "*", "the service knows no resource for a trace"),
    ("ExecutorRole", "Trace", "*", "the service knows no resource for a trace"),
    ("ApiRole", "Trace", "*", "the service knows no resource for a trace"),
];

#[test]
fn no_role_may_do_everything_or_touch_everything() {
    let statements = statements();
    assert!(statements.len() > 15, "{} statements were found", statements.len());
    let mut wildcards = 0;
    for (role, statement) in &statements {
        let sid = text(&statement["Sid"]);
        // What is taken away again may be as wide as it likes.
        let is_denial = (role.as_str(), sid.as_str()) == ("ExecutorRole", "NotTheBrokersOwn");
        let effect = if is_denial { "Deny" } else { "Allow" };
        assert_eq!(statement["Effect"].as_str(), Some(effect), "{role}");
        if is_denial {
            assert_eq!(list(&statement["Action"]), ["iot:Publish"]);
            assert!(list(&statement["Resource"])[0].ends_with(":topic/$*"));
            continue;
        }
        assert!(statement.get("NotAction").is_none() && statement.get("NotResource").is_none());
        for action in list(&statement["Action"]) {
            assert!(!action.contains('*'), "{role} may `{action}`");
            assert!(action.contains(':'), "{role} may `{action}`");
        }
        for resource in list(&statement["Resource"]) {
            let known =
                |row: &&(&str, &str, &str, &str)| (row.0, row.1, row.2) == (role, &sid, &resource);
            if WILDCARDS.iter().any(|row| known(&row)) {
                wildcards += 1;
                continue;
            }
            assert!(!resource.contains('*'), "{role}, {sid} may touch `{resource}`");
            assert!(
                resource.starts_with('!'),
                "{role}, {sid} names `{resource}`, not a resource of ours"
            );
        }
    }
    assert_eq!(wildcards, WILDCARDS.len(), "a wildcard in the table is not in the template");
}

/// Who takes on roles: those of functions, and two that belong to services.
const SERVICE_ROLES: [(&str, &str); 2] =
    [("RuleErrorRole", "iot.amazonaws.com"), ("TickRole", "scheduler.amazonaws.com")];

#[test]
fn each_role_is_taken_on_by_one_service() {
    for (id, _, properties) in resources("AWS::IAM::Role") {
        let trust = &properties["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(trust.as_sequence().map(Vec::len), Some(1), "{id}");
        assert_eq!(trust[0]["Action"].as_str(), Some("sts:AssumeRole"), "{id}");
        let named = SERVICE_ROLES.iter().find(|(role, _)| *role == id);
        let service = named.map_or("lambda.amazonaws.com", |(_, service)| service);
        assert_eq!(trust[0]["Principal"]["Service"].as_str(), Some(service), "{id}");
    }
}

#[test]
fn only_the_named_services_may_call_functions_and_only_from_this_stack() {
    for (id, _, properties) in resources("AWS::Lambda::Permission") {
        assert_eq!(properties["Action"].as_str(), Some("lambda:InvokeFunction"), "{id}");
        for from in list(&properties["SourceArn"]) {
            assert!(from.starts_with('!'), "{id} lets in whoever comes from `{from}`");
        }
        assert_ne!(text(&properties["Principal"]), "*", "{id}");
    }
}

/// Events come from the bus's rules that api and cron may change, and what they leave behind too.
#[test]
fn rules_of_the_bus_hand_events_to_one_function_and_one_queue() {
    let ours: Vec<String> = WILDCARDS
        .iter()
        .filter(|row| row.0 == "ApiRole" && row.1 == "BusRules")
        .map(|row| row.2.to_owned())
        .collect();
    let template = template();
    let permission = &template["Resources"]["EventRulePermission"]["Properties"];
    assert_eq!(text(&permission["FunctionName"]), "!Ref EventbridgeFunction");
    assert_eq!(list(&permission["SourceArn"]), ours);
    let policy = &template["Resources"]["TlsOnly"]["Properties"]["PolicyDocument"];
    let allowed = policy["Statement"].as_sequence().expect("statements");
    let allowed: Vec<_> = allowed.iter().filter(|it| it["Effect"] == "Allow").collect();
    assert_eq!(allowed.len(), 1);
    assert_eq!(text(&allowed[0]["Principal"]["Service"]), "events.amazonaws.com");
    assert_eq!(list(&allowed[0]["Action"]), ["sqs:SendMessage"]);
    assert_eq!(list(&allowed[0]["Resource"]), ["!GetAtt ArrivalsDead.Arn"]);
    assert_eq!(list(&allowed[0]["Condition"]["ArnLike"]["aws:SourceArn"]), ours);
    let puts: Vec<_> = statements()
        .into_iter()
        .filter(|(_, statement)| {
            list(&statement["Action"]).contains(&"events:PutTargets".to_owned())
        })
        .collect();
    assert_eq!(puts.len(), 2);
    for (role, statement) in puts {
        let to = &statement["Condition"]["ForAllValues:ArnEquals"]["events:TargetArn"];
        assert_eq!(text(to), "!GetAtt EventbridgeFunction.Arn", "{role}");
    }
    let function =
        |name: &str| template["Resources"][name]["Properties"]["Environment"]["Variables"].clone();
    for name in ["ApiFunction", "CronFunction"] {
        let told = function(name);
        assert_eq!(text(&told["SOP_BUS_FUNCTION_ARN"]), "!GetAtt EventbridgeFunction.Arn");
        assert_eq!(text(&told["SOP_BUS_DEAD_QUEUE_ARN"]), "!GetAtt ArrivalsDead.Arn");
        assert_eq!(text(&told["SOP_BUS_NAME"]), "!Ref EventBusName");
    }
}

/// Each statement has a scenario that fails without it, or says why no emulator shows that.
#[test]
fn the_table_of_statements_is_complete() {
    let rows: Vec<Value> =
        serde_yaml_ng::from_str(include_str!("../iam.yaml")).expect("iam.yaml is a list");
    let readme = include_str!("../README.md");
    let mut listed = BTreeMap::new();
    for row in &rows {
        let key = (text(&row["role"]), text(&row["sid"]));
        assert_eq!(
            row.as_mapping().map(|fields| fields.len()),
            Some(3),
            "{key:?}: role, sid and why"
        );
        match (row["scenario"].as_str(), row["unenforced"].as_str()) {
            (Some(name), None) => {
                assert!(readme.contains(&format!("| {name} |")), "no scenario `{name}`: {key:?}");
            }
            (None, Some(reason)) => assert!(reason.len() > 20, "{key:?}: say why"),
            (Some(_), Some(_)) | (None, None) => panic!("{key:?} has a scenario or a reason"),
        }
        assert!(listed.insert(key.clone(), ()).is_none(), "{key:?} is there twice");
    }
    for (role, statement) in statements() {
        let key = (role, text(&statement["Sid"]));
        assert!(listed.remove(&key).is_some(), "{key:?} is not in integration-tests/iam.yaml");
    }
    assert!(listed.is_empty(), "not in the template any more: {listed:?}");
}

/// Whoever makes a rule hands it a role: that one, to that service.
#[test]
fn only_the_role_of_dead_letters_is_passed_on_and_only_to_rules() {
    let passes: Vec<_> = statements()
        .into_iter()
        .filter(|(_, statement)| list(&statement["Action"]).contains(&"iam:PassRole".to_owned()))
        .collect();
    assert_eq!(passes.len(), 2);
    for (role, statement) in passes {
        assert!(["ApiRole", "CronRole"].contains(&role.as_str()), "{role} may pass a role");
        assert_eq!(list(&statement["Resource"]), ["!GetAtt RuleErrorRole.Arn"]);
        let to = &statement["Condition"]["StringEquals"]["iam:PassedToService"];
        assert_eq!(text(to), "iot.amazonaws.com");
    }
}

#[test]
fn each_function_has_a_role_of_its_own() {
    let mut roles = BTreeMap::new();
    let functions = resources("AWS::Serverless::Function");
    assert_eq!(functions.len(), 8);
    for (id, _, properties) in functions {
        assert!(properties.get("Policies").is_none(), "{id} has policies beside its role");
        let role = text(&properties["Role"]);
        if let Some(other) = roles.insert(role.clone(), id.clone()) {
            panic!("{id} and {other} share {role}");
        }
        assert_eq!(role, format!("!GetAtt {}", id.replace("Function", "Role.Arn")));
        let group = text(&properties["LoggingConfig"]["LogGroup"]);
        assert_eq!(group, format!("!Ref {}", id.replace("Function", "Logs")));
    }
    // Nor is there a role that nobody takes on.
    for (id, _, _) in resources("AWS::IAM::Role") {
        let used = roles.contains_key(&format!("!GetAtt {id}.Arn"));
        assert!(used || SERVICE_ROLES.iter().any(|(role, _)| *role == id), "{id} is nobody's");
    }
}

#[test]
fn every_log_group_keeps_its_lines_for_a_time() {
    let groups = resources("AWS::Logs::LogGroup");
    assert!(groups.len() > 7);
    for (id, _, properties) in groups {
        assert_eq!(text(&properties["RetentionInDays"]), "!Ref LogRetentionDays", "{id}");
    }
}

/// Functions that a queue drives have the mapping's limit; one more would hold messages back twice.
#[test]
fn every_function_has_a_limit_on_how_many_run_at_once() {
    let driven: Vec<String> = resources("AWS::Lambda::EventSourceMapping")
        .iter()
        .map(|(_, _, mapping)| text(&mapping["FunctionName"]).replace("!Ref ", ""))
        .collect();
    for (id, _, properties) in resources("AWS::Serverless::Function") {
        let reserved = properties.get("ReservedConcurrentExecutions").is_some();
        assert_ne!(driven.contains(&id), reserved, "{id}");
    }
}

#[test]
fn the_http_api_has_a_throttle_on_all_routes() {
    for (id, _, stage) in resources("AWS::ApiGatewayV2::Stage") {
        let limits = &stage["DefaultRouteSettings"];
        for name in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
            assert!(limits.get(name).is_some(), "{id} has no {name}");
        }
    }
    let scales = &template()["Mappings"]["Scales"];
    for scale in ["small", "standard", "large"] {
        let number = |name: &str| scales[scale][name].as_u64().expect("a number");
        assert!(number("Burst") >= number("Requests"), "{scale}");
    }
}

/// Deployed to AWS, table and queues answer over TLS alone.
#[test]
fn nothing_travels_without_tls() {
    let template = template();
    assert_eq!(template["Parameters"]["RequireTls"]["Default"].as_str(), Some("yes"));
    let denies = |statement: &Value, of: &str| {
        assert_eq!(statement["Effect"].as_str(), Some("Deny"));
        assert_eq!(statement["Principal"].as_str(), Some("*"));
        assert_eq!(list(&statement["Action"]), [format!("{of}:*")]);
        assert_eq!(text(&statement["Condition"]["Bool"]["aws:SecureTransport"]), "false");
        list(&statement["Resource"])
    };
    let policy = &template["Resources"]["TlsOnly"]["Properties"];
    let closed = denies(&policy["PolicyDocument"]["Statement"][0], "sqs");
    for (id, _, _) in resources("AWS::SQS::Queue") {
        assert!(closed.contains(&format!("!GetAtt {id}.Arn")), "{id} answers without TLS");
        assert!(list(&policy["Queues"]).contains(&format!("!Ref {id}")), "{id} has no policy");
    }
    let policy = &template["Resources"]["Table"]["Properties"]["ResourcePolicy"];
    let Value::Tagged(choice) = policy else { panic!("the table's policy goes by RequireTls") };
    assert_eq!(choice.value[0].as_str(), Some("RequiresTls"));
    let closed = denies(&choice.value[1]["PolicyDocument"]["Statement"][0], "dynamodb");
    assert_eq!(closed.len(), 2, "the table and its indexes");
}

/// Who is woken by an alarm finds in its text where to read on.
#[test]
fn every_alarm_names_its_runbook() {
    let operations = include_str!("../../docs/operations.md");
    let alarms = resources("AWS::CloudWatch::Alarm");
    assert!(alarms.len() >= 5);
    for (id, _, properties) in alarms {
        let said = text(&properties["AlarmDescription"]);
        let (_, runbook) = said
            .split_once("The runbook is docs/operations.md, ")
            .unwrap_or_else(|| panic!("{id} names no runbook: {said}"));
        let heading = format!("\n### Runbook: {}\n", runbook.trim_end_matches('.'));
        assert!(operations.contains(&heading), "no `{}` in docs/operations.md", heading.trim());
        assert!(properties.get("AlarmActions").is_some(), "{id} tells nobody");
    }
}

#[test]
fn only_those_who_move_runs_may_change_them() {
    for (role, statement) in statements() {
        let actions = list(&statement["Action"]);
        let moves = ["DispatcherRole", "ApiRole"].contains(&role.as_str());
        // Where a statement holds for some items only, what their partitions begin with.
        let leading = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let only = |prefixes: &[&str]| {
            let all = || list(leading).iter().all(|prefix| prefixes.contains(&prefix.as_str()));
            !leading.is_null() && all()
        };
        for action in actions {
            let may = match action.as_str() {
                "dynamodb:DeleteItem" => moves && only(&["WAIT#*"]),
                "dynamodb:UpdateItem" => moves || only(&["ADM#*", "TALLY#*", "RATE#*"]),
                _ => !action.starts_with("dynamodb:Delete"),
            };
            assert!(may, "{role} may `{action}`");
        }
    }
}

#[test]
fn every_queue_is_encrypted_and_every_consumed_queue_has_dead_letters() {
    let template = template();
    let timeout = |function: &str| {
        let own = &template["Resources"][function]["Properties"]["Timeout"];
        own.as_u64().or(template["Globals"]["Function"]["Timeout"].as_u64()).expect("a time-out")
    };
    let queues: BTreeMap<String, Value> = resources("AWS::SQS::Queue")
        .into_iter()
        .map(|(id, _, properties)| (format!("!GetAtt {id}.Arn"), properties))
        .collect();
    for (id, queue) in &queues {
        assert_eq!(queue["SqsManagedSseEnabled"].as_bool(), Some(true), "{id}");
        assert_eq!(queue["MessageRetentionPeriod"].as_u64(), Some(14 * 86_400), "{id}");
    }
    let mappings = resources("AWS::Lambda::EventSourceMapping");
    assert!(mappings.len() >= 2);
    for (id, _, mapping) in mappings {
        assert_eq!(list(&mapping["FunctionResponseTypes"]), ["ReportBatchItemFailures"], "{id}");
        assert!(mapping["ScalingConfig"].get("MaximumConcurrency").is_some(), "{id}");
        let queue = &queues[&text(&mapping["EventSourceArn"])];
        let function = text(&mapping["FunctionName"]).replace("!Ref ", "");
        let hidden = queue["VisibilityTimeout"].as_u64().expect("a visibility time-out");
        // Six time-outs are AWS's advice. Effects take less, so that one whose executor died is tried
        // again within its step's deadline; the executor looks whether an effect is outstanding.
        let least = if id.starts_with("Effects") {
            timeout(&function) + 30
        } else {
            6 * timeout(&function)
        };
        assert!(hidden >= least, "{id}: {hidden} s for {function}");
        assert_eq!(queue["RedrivePolicy"]["maxReceiveCount"].as_u64(), Some(5), "{id}");
        let dead = text(&queue["RedrivePolicy"]["deadLetterTargetArn"]);
        assert!(queues.contains_key(&dead), "{id}: no queue {dead}");
    }
}

#[test]
fn the_table_is_kept_encrypted_and_has_the_keys_of_the_store() {
    use sop_aws::keys;
    let (_, _, table) = resources("AWS::DynamoDB::Table").pop().expect("a table");
    let schema = |value: &Value| -> Vec<(String, String)> {
        let keys = value.as_sequence().expect("a key schema").iter();
        keys.map(|key| (text(&key["AttributeName"]), text(&key["KeyType"]))).collect()
    };
    let pair = |hash: &str, range: &str| {
        vec![(hash.to_owned(), "HASH".to_owned()), (range.to_owned(), "RANGE".to_owned())]
    };
    assert_eq!(schema(&table["KeySchema"]), pair(keys::PK, keys::SK));
    let indexes = table["GlobalSecondaryIndexes"].as_sequence().expect("indexes");
    assert_eq!(indexes.len(), keys::INDEXES.len());
    for (index, (name, hash, range)) in indexes.iter().zip(keys::INDEXES) {
        assert_eq!(text(&index["IndexName"]), name);
        assert_eq!(schema(&index["KeySchema"]), pair(hash, range));
        assert_eq!(text(&index["Projection"]["ProjectionType"]), "KEYS_ONLY");
    }
    let expiry = &table["TimeToLiveSpecification"];
    assert_eq!(
        (text(&expiry["AttributeName"]), expiry["Enabled"].as_bool()),
        (keys::TTL.to_owned(), Some(true))
    );
    assert_eq!(table["SSESpecification"]["SSEEnabled"].as_bool(), Some(true));
    let recovery = &table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
    assert_eq!(recovery.as_bool(), Some(true));
    assert_eq!(template()["Parameters"]["DataDeletionPolicy"]["Default"].as_str(), Some("Retain"));
}

#[test]
fn cfn_lint_has_nothing_to_say() {
    let program = sop_emulator::venv().join("bin/cfn-lint");
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/template.yaml");
    let output = Command::new(&program)
        .args(["--include-checks", "I", "--", template])
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}; run `make setup`", program.display()));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}
