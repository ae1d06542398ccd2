//! What is printed says what was read.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use sop_core::definition::{
    AdmissionPolicy, Backoff, Case, Delegation, Delivery, OnFailure, Scheme, Signed,
    format_markdown, print,
};

use super::*;

const WORKSPACE: &str = r#"
[defaults]
priority = "low"
cooldown_secs = 60
admission_policy = "hold"
timezone = "Asia/Tokyo"
policy = "normal"

[limits]
max_concurrent_total = 9

[groups.ops]
members = ["anna", "ben"]

[policies.normal]
[policies.production]
group = "ops"
quorum = 2
"#;

fn workspace() -> Workspace {
    let (workspace, found) = Workspace::parse(WORKSPACE, "workspace.toml");
    assert_eq!(found, []);
    workspace
}

/// What the printed texts of `sop` are read as.
fn read_back(sop: &Definition, workspace: &Workspace) -> Definition {
    let printed = print(sop);
    let parsed = definition::parse(&printed, workspace);
    let markdown = printed.markdown.as_deref().unwrap();
    let shown = rendered(&printed, "", &parsed);
    parsed.definition.unwrap_or_else(|| panic!("{shown}\n{}\n{markdown}", printed.toml))
}

fn assert_survives(files: &SourceFiles, workspace: &Workspace) {
    if let Some(sop) = definition::parse(files, workspace).definition {
        assert_eq!(
            read_back(&sop, workspace),
            sop,
            "{:?}\n{}",
            files.markdown,
            print(&sop).markdown.unwrap()
        );
    }
    let Some(markdown) = &files.markdown else { return };
    let steps = |text: &str| definition::markdown::parse_steps(text).steps;
    if let Some(once) = format_markdown(markdown) {
        assert_eq!(steps(&once), steps(markdown), "{markdown}\n----\n{once}");
        let twice = format_markdown(&once).expect("it was understood before");
        assert_eq!(twice, once, "{markdown:?}");
    }
}

#[test]
fn the_examples_survive() {
    let mut found = directories(&repo_dir().join("sops"));
    found.extend(directories(&tests_dir().join("seeds")));
    found.extend(directories(&tests_dir().join("wrong")));
    for directory in found {
        assert_survives(&load(&directory, "x"), &workspace());
    }
    for (_, example) in fenced(&read(&repo_dir().join("docs/sop-language.md"))) {
        let heading = if example.contains("# Steps") { "" } else { "## Steps\n\n" };
        let markdown = format!("{heading}{example}");
        assert_survives(&files("x", "[sop]\nname = \"x\"\n", &markdown), &workspace());
    }
}

#[test]
fn the_print_of_an_example_is_its_text() {
    let markdown = "# x\n\n## Steps\n\n\
        1. **Look** — Look at the gauge.\n   - tools: camera\n\n\
        2. **Send \\_it\\_**\n\n   - first\n   - second\n\n   - capability: http.request\n   - with:\n     ```json\n     \
        {\n       \"body\": {\"text\": \"{{ steps.1.output.text }}\"},\n       \"method\": \"POST\",\n       \
        \"url\": \"https://mail.example.com/send\"\n     }\n     ```\n   - requires_confirmation: true\n   - \
        policy: production\n   - prompt:\n     ```text\n     One line.\n\n     Another.\n     ```\n   - timeout: 90s\n   - \
        on_failure: retry:3\n   - backoff: 2s..1m\n   - switch: $.event.a == \"x -> y; z\" -> 1; else -> 3\n\n\
        3. **End**\n   - kind: checkpoint\n   - terminal: true\n";
    let toml = "[sop]\nname = \"x\"\ndescription = \"It's \\\"d\\\"\"\nversion = \"1\"\npriority = \"low\"\n\
        execution_mode = \"auto\"\ncooldown_secs = 60\nadmission_policy = \"hold\"\ntimezone = \"Asia/Tokyo\"\n\
        timeout = \"1d\"\ninput = { \"a b\" = [1, 2.5], type = \"object\" }\n\n[[triggers]]\ntype = \"mqtt\"\n\
        topic = \"a/+\"\ncondition = '$.a == \"b\"'\n";
    let parsed = definition::parse(&files("x", toml, markdown), &workspace());
    let sop = parsed.definition.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let printed = print(&sop);
    assert_eq!(printed.toml, toml);
    assert_eq!(
        printed.markdown.unwrap(),
        markdown.replace("terminal: true\n", "policy: normal\n   - terminal: true\n")
    );
}

#[test]
fn a_body_that_no_file_holds_costs_no_key() {
    let text = "## Steps\n\n1. **T** — x\n   - kind: checkpoint\n";
    let mut sop = parse("[sop]\nname = \"x\"\n", text).definition.unwrap();
    sop.steps[0].body = "- tools: shell".to_owned();
    assert_eq!(read_back(&sop, &Workspace::default()), sop);
    for body in ["a\n- kind: execute", "x\n\n- requires_confirmation: false"] {
        sop.steps[0].body = body.to_owned();
        let back = read_back(&sop, &Workspace::default());
        assert_eq!((back.steps[0].kind, back.steps.len()), (StepKind::Checkpoint, 1));
        let ticks = if body.contains("```") { "````" } else { "```" };
        assert_eq!(back.steps[0].body, format!("{ticks}\n{body}\n{ticks}"));
    }
}

#[test]
fn formatting_leaves_the_rest_alone() {
    let text = "---\nfront: matter\n---\nIntro  \n\n##   Steps\n\nRead this first.\n\n\
        1)  **The *first*** - Do it.\n    * tools:  a,b\n    * kind: execute\n\n\n\n2)  Plain `words`,\n    and more.\n\n\
        ### Later\n<!-- remark -->\n\n3. **Call**\n   - with: {\"url\": \"https://a\", \"method\":\"PUT\"}\n   - capability: http.request\n\n## Notes\n1. x\n";
    let expected = "---\nfront: matter\n---\nIntro  \n\n##   Steps\n\nRead this first.\n\n\
        1. **The *first*** — Do it.\n   - tools: a, b\n\n2. Plain `words`,\n   and more.\n\n\
        ### Later\n<!-- remark -->\n\n3. **Call**\n   - capability: http.request\n   - with: {\"url\": \"https://a\", \"method\": \"PUT\"}\n\n## Notes\n1. x\n";
    assert_eq!(format_markdown(text).unwrap(), expected);
    assert_eq!(format_markdown(expected).unwrap(), expected);
    let windows = text.replace('\n', "\r\n");
    assert_eq!(format_markdown(&windows).unwrap(), expected.replace('\n', "\r\n"));
    assert_eq!(format_markdown("## Steps\n\n1. **A** — a\n   - mod: x\n"), None);
}

/// Bodies of a step, as they can stand under one.
const BLOCKS: &[&str] = &[
    "Plain text.",
    "Text — with — dashes - and –",
    "- check the dial\n- Note: hot",
    "1. first\n2. second\n   - deep",
    "10. ten\n11. eleven",
    "```\n- tools: not a key\n1. no step\n```",
    "````md\n```\n## Steps\n```\n````",
    "~~~\n- kind: checkpoint\n~~~",
    "> - kind: checkpoint\n> quoted",
    "    indented code\n      more",
    "`code` **bold** _x_ [a](b)",
    "温度 é ü \u{200b}x",
    "***",
    "# Heading",
    "<!-- a\n- tools: comment -->",
    "<div>\nx\n</div>",
    "a\\\nb",
    "- Outer:\n  - note: inner",
    "\\- tools: x",
    "&amp; &#32; &nbsp;",
    "* star\n* list",
    "Wrapped\ntext: of\nlines",
    "`- tools: x`",
    "key: value",
    "- https://example.com/a",
];

fn body() -> impl Strategy<Value = String> {
    vec(select(BLOCKS), 0..4).prop_map(|blocks| {
        let mut body = blocks.join("\n\n");
        body = body.trim_end().to_owned();
        body
    })
}

fn title() -> impl Strategy<Value = String> {
    let any = "[a-zA-Z0-9 `*_\\[\\]<>&!#~|—–.:;(){}'\"$%^=+\\\\/@,?-]{1,16}|\\PC{1,12}|1\\. x|- tools: x|&amp;|\\*\\*|`a``b|</a>";
    any.prop_map(|title| title.trim().to_owned())
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_.-]{0,8}"
}

fn names() -> impl Strategy<Value = Vec<String>> {
    vec("[a-z][a-z ]{0,5}[a-z]|`x`y|é", 1..4).prop_map(|names| {
        names.iter().map(|name| name.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let texts = [
        r#"$.event.a == "x;y -> z""#,
        "$.event.a  >  -1.50",
        r"$.event.b matches /a;b->\/`\d/i",
        r#"exists($.event["a -> b; c"]) || !($.run.id == 'x')"#,
        r#"$.run.source in ["webhook", "mqtt"]"#,
        r#"$.event.t contains "`tick` \\ \u00e9""#,
    ];
    select(texts.to_vec()).prop_map(|text| Condition::parse(text).unwrap())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::from),
        "(\\PC|\n|\t|```|\"|\\\\){0,10}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map("(\\PC|\n|\"){0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn schema() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        json_value().prop_map(|value| json!({ "const": value })),
        Just(json!({ "type": "object", "properties": { "x": { "type": "number" } } })),
    ]
}

fn duration() -> impl Strategy<Value = u64> {
    prop_oneof![
        1..200_u64,
        (1..100_u64).prop_map(|m| m * 60),
        (1..366_u64).prop_map(|d| d * 86_400)
    ]
}

fn mode() -> impl Strategy<Value = ExecutionMode> {
    select(vec![
        ExecutionMode::Auto,
        ExecutionMode::Supervised,
        ExecutionMode::StepByStep,
        ExecutionMode::PriorityBased,
    ])
}

fn delegation() -> impl Strategy<Value = Delegation> {
    select(vec![
        Delegation::HumanOnly,
        Delegation::Trialing,
        Delegation::AgentSupervised,
        Delegation::AgentAutonomous,
    ])
}

fn prompt() -> impl Strategy<Value = String> {
    "[^\r\0]{1,20}|a\n\n  b|`x`|``` a|- tools: x|\"quoted\"|\\{\\{ event\\.a \\}\\}|x  y"
        .prop_filter("something", |text| {
            !text.trim().is_empty() && !text.contains(|c: char| c.is_control() && c != '\n')
        })
        // What a fenced block holds has no white space at its ends that matters.
        .prop_map(|text| text.trim().to_owned())
}

/// Keys that any step can have, and its way out in a sequence of three.
fn common() -> impl Strategy<Value = Step> {
    let texts = (title(), body(), option::of(condition()), option::of(mode()));
    let ways = (
        option::of(condition()),
        option::of(1..=3_u32),
        vec((condition(), 1..=3_u32), 0..3),
        any::<bool>(),
        select(vec![OnFailure::Fail, OnFailure::Continue]),
    );
    let gate = (
        option::of(select(vec!["normal", "production"])),
        option::of(prompt()),
        option::of(word()),
    );
    (texts, ways, gate).prop_map(|((title, body, only_if, mode), ways, (policy, prompt, edit))| {
        let (when, next, switch, ends, on_failure) = ways;
        let mut switch: Vec<Case> =
            switch.into_iter().map(|(c, next)| Case { condition: Some(c), next }).collect();
        if next.is_none() && !ends && !switch.is_empty() {
            switch.push(Case { condition: None, next: 3 });
        }
        let terminal = ends && next.is_none();
        let leads = next.is_some() || !switch.is_empty() || terminal;
        Step {
            title,
            body,
            only_if,
            mode,
            when: when.filter(|_| leads),
            next,
            switch,
            terminal,
            on_failure,
            requires_confirmation: true,
            policy: Some(policy.unwrap_or("normal").to_owned()),
            prompt,
            edit,
            ..Step::default()
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let execute = (
        common(),
        (option::of(schema()), option::of(schema()), option::of(duration())),
        (option::of(names()), option::of(names()), option::of(names())),
        (option::of(delegation()), option::of(word()), option::of(1..=100_u32)),
    )
        .prop_map(|(step, (input, output, timeout_secs), (tools, allow, deny), who)| Step {
            input,
            output,
            timeout_secs,
            suggested_tools: tools.unwrap_or_default(),
            allow_tools: allow,
            deny_tools: deny.unwrap_or_default(),
            delegation: who.0,
            agent: who.1,
            on_failure: who.2.map_or(step.on_failure, |max| OnFailure::Retry { max }),
            ..step
        });
    let checkpoint = common().prop_map(|step| Step { kind: StepKind::Checkpoint, ..step });
    let capability = (
        common(),
        option::of(json_value()),
        option::of((1..=100_u32, option::of((1..500_u64, 0..500_u64)))),
        any::<bool>(),
    )
        .prop_map(|(step, with, retry, once)| Step {
            kind: StepKind::Capability,
            capability: Some("noop".to_owned()),
            with,
            backoff: retry.and_then(|(_, backoff)| backoff).map(|(first, more)| Backoff {
                initial_ms: first * 1_000,
                max_ms: (first + more) * 1_000,
            }),
            on_failure: retry.map_or(step.on_failure, |(max, _)| OnFailure::Retry { max }),
            delivery: if once { Delivery::AtMostOnce } else { Delivery::AtLeastOnce },
            ..step
        });
    prop_oneof![execute, checkpoint, capability]
}

fn auth() -> impl Strategy<Value = Auth> {
    let schemes = [Scheme::Github, Scheme::Stripe, Scheme::Slack, Scheme::StandardWebhooks];
    let names = vec("[a-zA-Z][a-zA-Z0-9_-]{0,8}", 1..=4);
    let signed = (select(schemes.to_vec()), names, option::of(1_u64..100_000)).prop_map(
        |(scheme, secrets, tolerance)| {
            let tolerance_secs = tolerance.filter(|_| scheme.is_timed());
            Auth::Signed(Signed { scheme, secrets, tolerance_secs })
        },
    );
    prop_oneof![Just(Auth::None), Just(Auth::Bearer), signed]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let condition = || option::of(condition());
    let key = || option::of(Just(ValuePath::parse("$.order[\"a b\"].id").expect("a path")));
    prop_oneof![
        Just(Trigger::Manual),
        (
            "/sop/[a-zA-Z0-9é温' -]{0,8}[a-z]",
            condition(),
            auth(),
            option::of(Just("PUT".to_owned()))
        )
            .prop_map(|(path, condition, auth, method)| Trigger::Webhook(WebhookTrigger {
                path,
                method,
                auth,
                condition,
            })),
        (condition(), key()).prop_map(|(condition, key)| Trigger::Mqtt {
            topic: TopicFilter::parse("a \"b\"/+/'c'\\").unwrap(),
            condition,
            key,
        }),
        (condition(), key()).prop_map(|(condition, key)| Trigger::Peripheral {
            board: "b\"1".into(),
            signal: "s'".into(),
            condition,
            key,
        }),
        (any::<u8>(), condition()).prop_map(|(which, condition)| Trigger::Event {
            source: (which % 3 != 1).then(|| "com.x/\"orders\"".into()),
            detail_type: (which % 3 != 2).then(|| "Order 'New'".into()),
            condition
        }),
        option::of(Just("Asia/Tokyo".to_owned())).prop_map(|timezone| Trigger::Cron {
            expression: CronExpr::parse("0 30 7 * * MON-FRI").unwrap(),
            timezone
        }),
    ]
}

fn toml_text() -> impl Strategy<Value = String> {
    "(\\PC|\n|\t|\"|'|\\\\|\u{7f}|\u{1}){0,12}".prop_map(|text| text.trim().to_owned())
}

fn sop() -> impl Strategy<Value = Definition> {
    let count = || option::of(1..=u32::MAX);
    let texts = (toml_text(), toml_text(), option::of(toml_text()), option::of(toml_text()));
    let choices = (
        select(vec![Priority::Low, Priority::Normal, Priority::High, Priority::Critical]),
        mode(),
        select(vec![
            AdmissionPolicy::Queue,
            AdmissionPolicy::Parallel,
            AdmissionPolicy::Hold,
            AdmissionPolicy::Coalesce,
            AdmissionPolicy::Drop,
        ]),
        option::of(delegation()),
        select(vec!["UTC", "Europe/Berlin"]),
    );
    let numbers = (0..31_622_400_u64, count(), count(), option::of(duration()));
    let rest = (option::of(schema()), vec(trigger(), 0..4), vec(step(), 3..=3), any::<bool>());
    (texts, choices, numbers, rest).prop_map(
        |(texts, choices, numbers, (input, triggers, mut steps, is_graph))| {
            for (number, step) in (1..).zip(&mut steps) {
                step.number = number;
                if is_graph {
                    step.when = None;
                    step.next = None;
                    step.switch.clear();
                    step.terminal = false;
                    step.depends_on = (1..number).collect();
                }
            }
            let said = |text: Option<String>| text.filter(|text| !text.is_empty());
            let rules = workspace();
            let named: BTreeMap<_, _> = steps
                .iter()
                .filter_map(|step| step.policy.clone())
                .map(|name| (name.clone(), rules.policy(&name).unwrap().clone()))
                .collect();
            Definition {
                name: SopName::parse("a.b_c-1").unwrap(),
                description: texts.0,
                version: said(Some(texts.1)).unwrap_or_else(|| "1".into()),
                priority: choices.0,
                execution_mode: choices.1,
                cooldown_secs: numbers.0,
                max_concurrent: numbers.1,
                timezone: choices.4.into(),
                owner: said(texts.2),
                workstream: said(texts.3),
                admission_policy: choices.2,
                max_pending_approvals: numbers.2,
                delegation: choices.3,
                input,
                timeout_secs: numbers.3,
                triggers,
                steps,
                policies: named,
                max_concurrent_total: Some(9),
            }
        },
    )
}

/// Lines of a Markdown text, some of which mean something.
fn lines() -> impl Strategy<Value = String> {
    let line =
        (0..8_usize, select(BLOCKS), subsequence(LINES, 1)).prop_map(|(indent, block, line)| {
            let text = if indent % 2 == 0 { line[0] } else { block };
            text.lines().map(|line| format!("{}{line}\n", " ".repeat(indent))).collect::<String>()
        });
    vec(line, 0..12).prop_map(|lines| lines.concat())
}

const LINES: &[&str] = &[
    "",
    "",
    "",
    "- tools: a, b",
    "- kind: checkpoint",
    "- with: {\"b\": 1, \"a\": [1.0]}",
    "- capability: noop",
    "- next: 1",
    "- if: $.event.a == 1",
    "- prompt: May it?",
    "- prompt:",
    "```",
    "```json",
    "2. **Two** — x",
    "3. Three",
    "text",
    "- item",
    "---",
    "> quote",
    "<!--",
    "-->",
    "<div>",
    "\tcode",
    "**bold** — x",
    "- output: true",
    "* requires_confirmation: true",
    "- on_failure: continue",
    "# H",
    "    code",
    "- timeout: 5m",
    "1. one",
];

proptest! {
    #[test]
    fn what_is_printed_reads_back(sop in sop()) {
        let back = read_back(&sop, &workspace());
        prop_assert_eq!(&back, &sop, "{}", print(&sop).markdown.unwrap());
        prop_assert_eq!(back.digest(), sop.digest());
        let printed = print(&sop).markdown.unwrap();
        prop_assert_eq!(format_markdown(&printed).unwrap(), printed);
    }

    #[test]
    fn what_was_read_survives_being_printed(lines in lines()) {
        let markdown = format!("## Steps\n\n1. **One** — first.\n{lines}");
        assert_survives(&files("x", "[sop]\nname = \"x\"\n", &markdown), &workspace());
        let markdown = format!("## Steps\n\n1. First\n{lines}");
        assert_survives(&files("x", "[sop]\nname = \"x\"\n", &markdown), &workspace());
    }
}
