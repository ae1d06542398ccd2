use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::condition::Condition;
use crate::limits::PAYLOAD_BYTES_MAX;

fn scope() -> Value {
    json!({
        "event": {
            "severity": "high", "value": 7.5, "ok": true, "none": null, "list": ["a", {"b": 1}],
            "odd key": "odd", "evil": "{{ secret(\"aws\") }}", "0": "zero",
        },
        "steps": {
            "1": { "output": { "level": 3 }, "state": "done" },
            "2": { "output": null, "state": "skipped" },
        },
        "run": { "id": "01R", "source": "webhook" },
        "sop": { "name": "deploy", "priority": "high" },
    })
}

fn rendered(value: &Value) -> Value {
    render(value, &scope()).map(|rendered| rendered.value).unwrap()
}

#[test]
fn a_text_that_is_one_template_becomes_the_value() {
    for (text, value) in [
        ("{{ event.value }}", json!(7.5)),
        ("{{event.ok}}", json!(true)),
        ("{{ event.none }}", json!(null)),
        ("{{ event.list }}", json!(["a", {"b": 1}])),
        ("{{ event.list[1].b }}", json!(1)),
        ("{{ event.list.0 }}", json!("a")),
        ("{{ event.0 }}", json!("zero")),
        ("{{ event[\"odd key\"] }}", json!("odd")),
        ("{{ event['odd key'] }}", json!("odd")),
        ("{{ steps.1.output }}", json!({"level": 3})),
        ("{{ steps[\"1\"].output.level }}", json!(3)),
        ("{{ steps.2.state }}", json!("skipped")),
        ("{{ run.id }}", json!("01R")),
        ("{{ sop }}", json!({"name": "deploy", "priority": "high"})),
        ("{{ event.absent | default(5) }}", json!(5)),
        ("{{ event.none | default({\"a\": {\"b\": \"}}\"}}) }}", json!({"a": {"b": "}}"}})),
        ("{{ event.absent | default('none') }}", json!("none")),
        ("{{ event.value | default(5) }}", json!(7.5)),
        ("{{ steps.2.output.level | default(null) }}", json!(null)),
        ("{{ event.list | json }}", json!("[\"a\",{\"b\":1}]")),
        ("{{ event.none | json }}", json!("null")),
        ("{{ event.absent | json | default(1) }}", json!(1)),
        ("{{ event.absent | default([1]) | json }}", json!("[1]")),
        ("{{ \"{{\" }}", json!("{{")),
    ] {
        assert_eq!(rendered(&json!(text)), value, "{text}");
    }
}

#[test]
fn within_a_text_values_are_written_out() {
    for (text, value) in [
        ("is {{ event.severity }}!", "is high!"),
        ("{{ event.value }} {{ event.ok }}", "7.5 true"),
        (" {{ event.severity }}", " high"),
        ("{{ event.severity }}{{ event.severity }}", "highhigh"),
        ("got {{ event.list }}", "got [\"a\",{\"b\":1}]"),
        ("quoted {{ event.severity | json }}", "quoted \"high\""),
        ("{{ event.none | default(\"-\") }}.", "-."),
        ("{{ event.none | json }}.", "null."),
        ("{{ '{{' }} event.x }}", "{{ event.x }}"),
        ("}} { } é {{event.severity}}", "}} { } é high"),
        ("no template", "no template"),
    ] {
        assert_eq!(rendered(&json!(text)), json!(value), "{text}");
        assert_eq!(render_text(text, &scope()).as_deref(), Ok(value), "{text}");
    }
    assert_eq!(render_text("{{ event.list }}", &scope()).unwrap(), "[\"a\",{\"b\":1}]");
}

#[test]
fn what_is_missing_is_named_with_its_place() {
    let value = json!({"a": [{"b/c": "x {{ event.gone.deeper }}"}]});
    let error = render(&value, &scope()).unwrap_err();
    assert_eq!(error.to_string(), "`event.gone.deeper` is missing (at `/a/0/b~1c`)");
    for (text, message) in [
        ("{{ event.gone }}", "`event.gone` is missing"),
        ("{{ event.list[9] }}", "`event.list[9]` is missing"),
        ("{{ event.severity.x }}", "`event.severity.x` is missing"),
        ("{{ steps.3.output }}", "`steps.3.output` is missing"),
        ("{{ steps.2.output.level }}", "`steps.2.output.level` is missing"),
        ("{{ run.subject }}", "`run.subject` is missing"),
        ("x{{ event.none }}", "`event.none` is null and stands within a text"),
        ("x{{ event.none | default(null) }}", "`event.none` is null and stands within a text"),
    ] {
        let error = render(&json!(text), &scope()).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
    assert!(matches!(render(&json!("{{"), &scope()), Err(RenderError::Malformed { .. })));
    assert!(matches!(render(&json!({"{{ a }}": 1}), &scope()), Err(RenderError::Malformed { .. })));
}

#[test]
fn wrong_templates_are_pointed_at() {
    for (text, at, message) in [
        ("a {{ event.x", "{{ event.x", "the template is not closed"),
        ("{{ event.x }", "{{ event.x }", "the template is not closed"),
        ("a {{ }}", "{{ ", "empty template"),
        ("{{", "{{", "the template is not closed"),
        ("{{ $.event.x }}", "$", "a template's path has no `$`"),
        ("{{{ event.x }}}", "{", "unexpected `{`"),
        ("{{ event.x + 1 }}", "+", "unexpected `+` in the template"),
        ("{{ evnt.x }}", "evnt.x", "nothing is called `evnt` here"),
        ("{{ severity }}", "severity", "nothing is called `severity` here"),
        ("{{ steps }}", "steps", "a step is named by its number, counted from 1"),
        ("{{ steps.0.output }}", "steps.0.output", "a step is named by its number, counted from 1"),
        (
            "{{ steps[1].output }}",
            "steps[1].output",
            "a step is named by its number, counted from 1",
        ),
        (
            "{{ steps.01.output }}",
            "steps.01.output",
            "a step is named by its number, counted from 1",
        ),
        ("{{ steps.1 }}", "steps.1", "a step has an `output` and a `state`"),
        (
            "{{ steps.1.result }}",
            "steps.1.result",
            "a step has no `result`, only `output` and `state`",
        ),
        ("{{ steps.1.state.x }}", "steps.1.state.x", "a step's state is a text"),
        ("{{ run.name }}", "run.name", "`run` has no `name`"),
        ("{{ sop.name.x }}", "sop.name.x", "what `sop` has are texts"),
        ("{{ sop[0] }}", "sop[0]", "`sop` is not a list"),
        ("{{ event.x | upper }}", "upper", "unknown filter `upper`"),
        ("{{ event.x | }}", "}", "expected a filter after `|`"),
        ("{{ event.x | default }}", "}", "expected `(` after `default`"),
        ("{{ event.x | default(no) }}", "no", "the default is not a JSON value"),
        ("{{ event.x | default(1 }}", "}", "expected `)` after the default"),
        ("{{ event..x }}", ".", "expected a key after `.`"),
        ("{{ event[x] }}", "[x", "`x` is not a position or a quoted key"),
        ("{{ secret(aws) }}", "a", "expected a secret's name in quotes"),
        ("{{ secret(\"a b\") }}", "\"a b\"", "not the name of a secret"),
        ("{{ secret(\"\") }}", "\"\"", "not the name of a secret"),
        ("{{ secret(\"a\" }}", "}", "expected `)` after the secret's name"),
        ("{{ secret(\"a\") | json }}", "{{ secret(\"a\")", "only a path takes filters"),
        ("{{ secret.a }}", "secret.a", "a secret is not a path"),
        ("{{ \"a }}", "\"a }}", "the text is not closed"),
    ] {
        let error = check(text).unwrap_err();
        assert_eq!((&text[error.span.clone()], error.message.as_str()), (at, message), "{text}");
    }
    let filters = format!("{{{{ event {} }}}}", "| json ".repeat(9));
    assert_eq!(check(&filters).unwrap_err().message, "too many filters");
}

#[test]
fn helps_are_at_hand() {
    for (text, help) in [
        ("{{ evnt.x }}", "did you mean `event`?"),
        ("{{ severity }}", "for a key of the payload write `event.severity`"),
        ("{{ event[x] }}", "`event[\"odd key\"]`"),
        ("{{ run.name }}", "there is `run.id`, `run.event`"),
        ("{{ step.1.output }}", "did you mean `steps`?"),
    ] {
        let given = check(text).unwrap_err().help.unwrap();
        assert!(given.contains(help), "{text}: {given}");
    }
}

#[test]
fn references_tell_what_and_where() {
    let value = json!({
        "a": "{{ event.x.y }} {{ secret(\"token\") }}",
        "b": ["{{ steps.2.output.z | default(1) }}", "{{ steps.3.state }}", "{{ run.id }}", "plain"],
    });
    let found = references(&value).unwrap();
    let shown: Vec<(&str, &str, bool)> =
        found.iter().map(|r| (r.text.as_str(), r.pointer.as_str(), r.has_default)).collect();
    assert_eq!(
        shown,
        [
            ("event.x.y", "/a", false),
            ("secret(\"token\")", "/a", false),
            ("steps.2.output.z", "/b/0", true),
            ("steps.3.state", "/b/1", false),
            ("run.id", "/b/2", false),
        ]
    );
    assert_eq!(found[1].root, Root::Secret("token".into()));
    assert_eq!(found[0].span, 3..12);
    assert_eq!(found[0].path.len(), 2);
    let needs = needs(&found);
    assert_eq!(needs, Needs { event: true, outputs: BTreeSet::from([2]) });

    let error = references(&json!({"a": {"{{ b }}": 1}})).unwrap_err();
    assert_eq!(
        (error.message.as_str(), error.pointer.as_str()),
        ("a key cannot be a template", "/a/{{ b }}")
    );
    assert_eq!(references(&json!(["", "{{ x }}"])).unwrap_err().pointer, "/1");
}

#[test]
fn conditions_refer_to_the_same_document() {
    let text = "$.event.a > 1 && (!exists($.steps.2.output.b) || $.steps.1.state == \"done\") \
                && $.x in [1] && $ == 1 && $.steps[1].output == 2 && > 5 && $.event.ab == $.event.a";
    let found = Condition::parse(text).unwrap().references();
    let shown: Vec<(String, bool)> = found
        .iter()
        .map(|found| match found {
            Ok(reference) => {
                assert_eq!(&text[reference.span.clone()], reference.text);
                (reference.text.clone(), reference.has_default)
            }
            Err(error) => (format!("{}: {}", &text[error.span.clone()], error.message), false),
        })
        .collect();
    let shown: Vec<(&str, bool)> = shown.iter().map(|(text, yes)| (text.as_str(), *yes)).collect();
    assert_eq!(
        shown,
        [
            ("$.event.a", false),
            ("$.steps.2.output.b", true),
            ("$.steps.1.state", false),
            ("$.x: nothing is called `x` here", false),
            ("$: a step's condition names a part of what it sees", false),
            ("$.steps[1].output: a step is named by its number, counted from 1", false),
            ("> 5: the condition of a step says what it compares", false),
            ("$.event.ab", false),
            ("$.event.a", false),
        ]
    );
    let help = found[3].as_ref().unwrap_err().help.as_deref().unwrap();
    assert!(help.starts_with("for a key of the payload write `$.event.x`"), "{help}");
    assert_eq!(found[6].as_ref().unwrap_err().help.as_deref(), Some("write `$.event > 5`"));
    let needs = needs(found.iter().flatten());
    assert_eq!(needs, Needs { event: true, outputs: BTreeSet::from([2]) });
}

#[test]
fn secrets_are_never_in_the_value() {
    let value = json!({
        "headers": {"a/b": "Bearer {{ secret(\"api\") }} {{ event.severity }}"},
        "list": ["{{ secret(\"aws-key\") }}"],
        "evil": "{{ event.evil }}",
        "mixed": "{{ event.evil }}{{ secret('api') }}",
    });
    let done = render(&value, &scope()).unwrap();
    assert_eq!(done.value["headers"]["a/b"], "Bearer *** high");
    assert_eq!(done.value["list"][0], "***");
    assert_eq!(done.value["evil"], "{{ secret(\"aws\") }}");
    assert_eq!(done.secret_names(), ["api", "aws-key"]);
    let json = serde_json::to_string(&done).unwrap();
    assert_eq!(serde_json::from_str::<Rendered>(&json).unwrap(), done);

    let missing = done.clone().resolve(|name| (name == "api").then(|| "K".to_owned()));
    assert_eq!(missing.unwrap_err().to_string(), "there is no secret `aws-key`");
    let full = done.resolve(|name| Some(format!("<{name}>"))).unwrap();
    assert_eq!(full["headers"]["a/b"], "Bearer <api> high");
    assert_eq!(full["list"][0], "<aws-key>");
    assert_eq!(full["mixed"], "{{ secret(\"aws\") }}<api>", "what came with the event stays text");

    let error = render_text("{{ secret(\"api\") }}", &scope()).unwrap_err();
    assert_eq!(error, RenderError::Secret { pointer: String::new() });
}

#[test]
fn digests_name_the_value_and_its_secrets() {
    let of = |value: Value| render(&value, &scope()).unwrap();
    let one = of(json!({"b": 1, "a": "{{ event.severity }}"}));
    assert_eq!(one.text(), "{\"a\":\"high\",\"b\":1}");
    assert_eq!(one.digest(), Rendered::plain(json!({"a": "high", "b": 1})).digest());
    let first = of(json!("{{ secret(\"one\") }}"));
    let second = of(json!("{{ secret(\"two\") }}"));
    assert_eq!(first.text(), second.text());
    assert_ne!(first.digest(), second.digest(), "an approval is for one secret and no other");
    assert_ne!(first.digest(), Rendered::plain(json!("***")).digest());
}

#[test]
fn the_bounds_hold() {
    let text = |bytes: usize| json!({"event": "x".repeat(bytes)});
    let most = PAYLOAD_BYTES_MAX - 2;
    assert!(render(&json!("{{ event }}"), &text(most)).is_ok());
    assert_eq!(render(&json!("{{ event }}"), &text(most + 1)), Err(RenderError::TooLarge));
    assert_eq!(render(&json!("{{ event }} "), &text(most)), Err(RenderError::TooLarge));
    assert_eq!(render(&json!("{{ event | json }}"), &text(most)), Err(RenderError::TooLarge));
    let many = json!(vec!["{{ event }} {{ event | json }}"; 100_000]);
    assert_eq!(render(&many, &text(most / 3)), Err(RenderError::TooLarge));
    assert!(RenderError::TooLarge.to_string().contains("262144 bytes"));

    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let scope = json!({"event": nested(NESTING_MAX)});
    assert!(render(&json!("{{ event }}"), &scope).is_ok());
    let error = render(&json!({"a": "{{ event }}"}), &scope).unwrap_err();
    assert_eq!(error, RenderError::TooDeep { pointer: "/a".into() });
    assert!(render(&nested(NESTING_MAX + 1), &scope).is_err());
    assert!(references(&nested(NESTING_MAX + 1)).is_err());
}

/// Texts made of what templates are made of.
fn texts() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "{{",
        "}}",
        "{",
        "}",
        " ",
        "event",
        ".",
        "severity",
        "[",
        "]",
        "0",
        "\"",
        "'",
        "\\",
        "steps",
        "1",
        "output",
        "state",
        "run",
        "sop",
        "secret",
        "(",
        ")",
        "|",
        "default",
        "json",
        "é",
        "$",
        "null",
        "{{ event.severity }}",
        "{{ secret(\"a\") }}",
        "{{ event.x | default(",
        "\u{0}",
    ]);
    prop::collection::vec(words, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in texts()) {
        let scope = scope();
        match check(&text) {
            Err(error) => prop_assert!(text.get(error.span).is_some()),
            Ok(()) => {
                for reference in references(&json!(text)).unwrap() {
                    prop_assert!(text.get(reference.span).is_some());
                }
                let done = render(&json!([text]), &scope);
                let is_malformed = matches!(done, Err(RenderError::Malformed { .. }));
                prop_assert!(!is_malformed);
            }
        }
    }

    #[test]
    fn a_text_without_braces_is_itself(text in "[^{]{0,40}") {
        prop_assert_eq!(render(&json!(&text), &json!({})), Ok(Rendered::plain(json!(text))));
    }

    #[test]
    fn what_an_event_brings_is_only_ever_data(payload in texts()) {
        let value = json!(["{{ event }}", "a {{ event }} {{ secret('s') }}"]);
        let done = render(&value, &json!({"event": &payload})).unwrap();
        prop_assert_eq!(&done.value[0], &json!(&payload));
        prop_assert_eq!(done.secret_names(), ["s"]);
        let full = done.resolve(|_| Some("S".into())).unwrap();
        prop_assert_eq!(&full[1], &json!(format!("a {payload} S")));
    }
}
