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

fn list(value: &Value) -> Vec<String> {
    if let Value::Sequence(values) = value {
        return values.iter().map(text).collect();
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

#[test]
fn no_role_may_do_everything_or_touch_everything() {
    let statements = statements();
    assert!(statements.len() > 15, "{} statements were found", statements.len());
    for (role, statement) in &statements {
        assert_eq!(statement["Effect"].as_str(), Some("Allow"), "{role}");
        assert!(statement.get("NotAction").is_none() && statement.get("NotResource").is_none());
        for action in list(&statement["Action"]) {
            assert!(!action.contains('*'), "{role} may `{action}`");
            assert!(action.contains(':'), "{role} may `{action}`");
        }
        // Which secrets there are, people decide after the stack is made: a prefix of names, and reading alone.
        if list(&statement["Action"]) == ["secretsmanager:GetSecretValue"] {
            let secrets = list(&statement["Resource"]);
            let reads = ["ExecutorRole", "WebhookRole"].contains(&role.as_str());
            assert!(reads, "{role} may read secrets");
            assert!(matches!(&secrets[..], [one] if one.ends_with(":secret:${Prefix}/*")));
            continue;
        }
        for resource in list(&statement["Resource"]) {
            assert!(!resource.contains('*'), "{role} may touch `{resource}`");
            assert!(resource.starts_with('!'), "{role} names `{resource}`, not a resource of ours");
        }
    }
}

#[test]
fn each_function_has_a_role_of_its_own() {
    let mut roles = BTreeMap::new();
    let functions = resources("AWS::Serverless::Function");
    assert_eq!(functions.len(), 7);
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
}

#[test]
fn only_those_who_move_runs_may_change_them() {
    for (role, statement) in statements() {
        let actions = list(&statement["Action"]);
        let moves = ["DispatcherRole", "ApiRole"].contains(&role.as_str());
        // Where a statement holds for some items only, what their partitions begin with.
        let leading = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        let only = |prefix: &str| !leading.is_null() && list(leading) == [prefix];
        for action in actions {
            let may = match action.as_str() {
                "dynamodb:DeleteItem" => moves && only("WAIT#*"),
                "dynamodb:UpdateItem" => moves || only("ADM#*") || only("RATE#*"),
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
    assert_eq!(mappings.len(), 2);
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
