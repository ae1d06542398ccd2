use proptest::prelude::*;

use self::tables::{ERRORS, REASONS, TRUTHS};
use super::*;
use crate::event::Data;

mod tables;

fn holds(condition: &str, payload: &str) -> bool {
    let condition = Condition::parse(condition).unwrap_or_else(|e| panic!("{condition}: {e}"));
    let data = Data::Text(payload.into());
    let payload = Payload::new(&data);
    let holds = condition.holds(&payload);
    assert_eq!(holds, condition.eval(&payload) == Verdict::Holds);
    holds
}

fn reason(condition: &str, payload: &str) -> String {
    let data = Data::Text(payload.into());
    match Condition::parse(condition).unwrap().eval(&Payload::new(&data)) {
        Verdict::Holds => "holds".into(),
        Verdict::Fails(reason) => reason.to_string(),
    }
}

#[test]
fn conditions_mean_what_they_say() {
    for (condition, payload, expected) in TRUTHS {
        assert_eq!(holds(condition, payload), *expected, "{condition} on {payload}");
    }
}

#[test]
fn errors_point_at_the_bytes_and_say_what_to_write() {
    for (text, message, at, help) in ERRORS {
        let error = Condition::parse(text).expect_err(text);
        let found = (error.message.as_str(), &text[error.span.clone()], error.help.as_deref());
        assert_eq!(found, (*message, *at, *help), "{text}");
    }
    let error = Condition::parse("$.a matches /(/").unwrap_err();
    assert!(error.message.starts_with("not a pattern: "), "{error}");
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = |depth| format!("{}$.a == 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Condition::parse(&nested(64)).is_ok());
    assert_eq!(Condition::parse(&nested(65)).unwrap_err().message, "nested more than 64 deep");
    assert!(Condition::parse(&format!("{}exists($)", "!".repeat(500))).is_err());
    let long = format!("$.a == \"{}\"", "x".repeat(crate::limits::CONDITION_BYTES_MAX));
    let error = Condition::parse(&long).unwrap_err();
    assert_eq!(error.message, "the condition is longer than 4096 bytes");
    assert!(Condition::parse("$.a matches /(\\w{100}){100}/").is_err());
}

#[test]
fn a_no_names_the_values() {
    for (condition, payload, expected) in REASONS {
        assert_eq!(reason(condition, payload), *expected, "{condition} on {payload}");
    }
    let long = reason("$.a == \"x\"", &format!("{{\"a\":\"{}\"}}", "é".repeat(5_000)));
    assert!(long.len() < 200, "{long}");
    let bytes = Data::Base64("AAAA".into());
    let condition = Condition::parse("$.a == 1").unwrap();
    assert_eq!(condition.explain(&Payload::new(&bytes)).as_str(), "the payload is not JSON");
    assert_eq!(condition.explain(&Payload::new(&Data::Empty)).as_str(), "the payload is empty");
}

#[test]
fn the_payload_is_parsed_only_when_asked() {
    let data = Data::Text("5".into());
    let payload = Payload::new(&data);
    assert!(Condition::parse("> 0").unwrap().holds(&payload));
    assert!(!payload.is_parsed());
    assert!(Condition::parse("$ > 0").unwrap().holds(&payload));
    assert!(payload.is_parsed());
}

#[test]
fn contradictions_are_found() {
    let never = [
        "$.a > 5 && $.a < 3",
        "$.a > 5 && $.a <= 5",
        "5 > $.a && $.a > 5",
        "$.a == 1 && $.a == 2",
        "$.a == \"x\" && $.a > 5",
        "$.a == 1 && $.a != 1",
        "$.a == null && $.a == 1",
        "$.a != true && $.a != false",
        "$.a in []",
        "$.b == 1 && $.a in []",
        "$.a in [1, 2] && $.a > 2",
        "$.a in [1, 2] && $.a in [3]",
        "> 5 && < 3",
        "!exists($.a) && $.a == 1",
        "!exists($.a) && $.a.b == 1",
        "($.a > 5 && $.a < 3) || $.b in []",
        "$.a > 5 && ($.b == 1 && $.a < 3)",
    ];
    for text in never {
        assert!(Condition::parse(text).unwrap().never_holds().is_some(), "{text}");
    }
    let maybe = [
        "$.a >= 5 && $.a <= 5",
        "$.a > 3 && $.a < 5",
        "$.a > 5 && $.b < 3",
        "$.a > 5 || $.a < 3",
        "$.a != null && $.a == 1",
        "$.a != null && $.a > 1",
        "$.a != \"x\" && $.a != \"y\"",
        "$.a in [1, \"x\"] && $.a == \"x\"",
        "!exists($.a.b) && $.a == 1",
        "> 5 && $ == 3",
        "$.a == 1",
    ];
    for text in maybe {
        assert_eq!(Condition::parse(text).unwrap().never_holds(), None, "{text}");
    }
    assert_eq!(
        Condition::parse("$.a > 5 && $.a < 3").unwrap().never_holds().unwrap(),
        "`$.a > 5` and `$.a < 3` exclude each other"
    );
}

#[test]
fn serialises_as_its_text() {
    let condition = Condition::parse(" $.a > 1 ").unwrap();
    let json = serde_json::to_string(&condition).unwrap();
    assert_eq!(json, "\" $.a > 1 \"");
    assert_eq!(serde_json::from_str::<Condition>(&json).unwrap(), condition);
    assert!(serde_json::from_str::<Condition>("\"$.a >\"").is_err());
}

/// Texts that are likely to be conditions, with values that are likely to be compared.
fn likely() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        ("[ab]", "(==|!=|<|<=|>|>=)", "[0-3]").prop_map(|(k, op, n)| format!("$.{k} {op} {n}")),
        ("[ab]", "(==|!=|<|>)", "[xy]").prop_map(|(k, op, s)| format!("$.{k} {op} \"{s}\"")),
        "[ab]".prop_map(|k| format!("exists($.{k})")),
        "[ab]".prop_map(|k| format!("$.{k} != null")),
        "[ab]".prop_map(|k| format!("$.{k} in [1, \"x\"]")),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|c| format!("!({c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("({a}) || ({b})")),
        ]
    })
}

fn payloads() -> impl Strategy<Value = String> {
    let value = || prop_oneof!["[0-3]", "\"[xy]\"", Just("null".to_owned()), Just("[]".to_owned())];
    prop_oneof![
        (value(), value()).prop_map(|(a, b)| format!("{{\"a\":{a},\"b\":{b}}}")),
        value().prop_map(|a| format!("{{\"a\":{a}}}")),
        Just("{}".to_owned()),
        Just("nothing".to_owned()),
    ]
}

proptest! {
    #[test]
    fn any_text_is_parsed_without_panic(text in ".{0,200}", payload in ".{0,50}") {
        if let Ok(condition) = Condition::parse(&text) {
            let data = Data::Text(payload);
            condition.eval(&Payload::new(&data));
            condition.never_holds();
        }
    }

    #[test]
    fn scraps_of_grammar_are_parsed_without_panic(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "$", ".a", "[0]", "[\"k\"]", " ", "==", "<", "!", "(", ")", "&&", "||", "1", "-", "1e",
                "\"x\"", "'", "\\", "/x/", "in", "exists", "matches", "contains", "[", "]", ",", "null", "é",
            ]),
            0..24,
        )
    ) {
        let text = parts.concat();
        match Condition::parse(&text) {
            Ok(condition) => {
                let data = Data::Text("{\"a\":[1]}".into());
                condition.eval(&Payload::new(&data));
            }
            Err(error) => prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error),
        }
    }

    /// A condition and its negation are never both true, and neither is on what is not JSON.
    #[test]
    fn a_condition_and_its_negation_never_both_hold(text in likely(), payload in payloads()) {
        let (yes, no) = (holds(&text, &payload), holds(&format!("!({text})"), &payload));
        prop_assert!(!(yes && no));
        if payload == "nothing" {
            prop_assert!(!yes && !no);
        }
    }

    #[test]
    fn what_never_holds_does_not_hold(text in likely(), payload in payloads()) {
        if Condition::parse(&text).unwrap().never_holds().is_some() {
            prop_assert!(!holds(&text, &payload));
        }
    }

    #[test]
    fn numbers_are_ordered_as_integers(a: i64, b: i64) {
        prop_assert_eq!(holds(&format!("$ < {b}"), &a.to_string()), a < b);
        prop_assert_eq!(holds(&format!("$ == {b}"), &a.to_string()), a == b);
    }
}
