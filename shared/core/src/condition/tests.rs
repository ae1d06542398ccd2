use proptest::prelude::*;

use super::*;
use crate::event::Data;

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
    let t = true;
    let f = false;
    let rows = [
        // The seeds' forms.
        ("$.value > 85", r#"{"value":86}"#, t),
        ("$.value > 85", r#"{"value":85}"#, f),
        ("$.status == \"critical\"", r#"{"status":"critical"}"#, t),
        ("$.status == \"critical\"", r#"{"status":"Critical"}"#, f),
        ("$.env == \"prod\"", r#"{"env":"prod"}"#, t),
        ("$.severity >= 2", r#"{"severity":3}"#, t),
        ("$.severity >= 2", r#"{"severity":1}"#, f),
        ("$.severity>=2", r#"{"severity":2}"#, t),
        ("> 0", "1", t),
        ("> 0", " 0.5\n", t),
        ("> 0", "0", f),
        ("> 0", "-1", f),
        ("> 0", "+1", t),
        (">= 1e3", "1000", t),
        ("!= 5", "4", t),
        ("> 0 && < 100", "50", t),
        ("> 0 && < 100", "100", f),
        ("> 0", "", f),
        ("> 0", "NaN", f),
        ("> 0", "inf", f),
        ("> 0", "1e999", f),
        ("> 0", "\"1\"", f),
        ("> 0", "{\"value\":1}", f),
        ("> 0", "1 C", f),
        // All operators.
        ("$.a <= 2", r#"{"a":2}"#, t),
        ("$.a < 2", r#"{"a":2}"#, f),
        ("$.a != 2", r#"{"a":3}"#, t),
        ("$.a != 2", r#"{"a":2.0}"#, f),
        ("$.a == 2", r#"{"a":2.0}"#, t),
        ("85 < $.a", r#"{"a":86}"#, t),
        ("$.a > $.b", r#"{"a":2,"b":1}"#, t),
        ("$.a == $.b", r#"{"a":"x","b":"x"}"#, t),
        ("$.a == $.b", r#"{"a":null,"b":1}"#, f),
        ("$.a != $.b", r#"{"a":null,"b":1}"#, f),
        ("$.at >= \"2026-01-01\"", r#"{"at":"2026-03-01"}"#, t),
        ("$.on == true", r#"{"on":true}"#, t),
        ("$.on != true", r#"{"on":false}"#, t),
        ("$.on == true", r#"{"on":"true"}"#, f),
        ("$.on == true", r#"{"on":1}"#, f),
        // Traps: what was once compared as text is an error or typed (see also the errors' table).
        ("$.t > 100 && $.t < 200", r#"{"t":41.5}"#, f),
        ("$.expr == \"x>=y\"", r#"{"expr":"x>=y"}"#, t),
        ("$.expr == \"a && b\"", r#"{"expr":"a && b"}"#, t),
        ("$.n == null", r#"{"n":null}"#, t),
        ("$.n == null", r#"{}"#, f),
        ("$.n == null", r#"{"n":0}"#, f),
        ("$.n != null", r#"{"n":0}"#, t),
        ("$.n != null", r#"{"n":null}"#, f),
        ("$.n != null", r#"{}"#, f),
        ("null == $.n", r#"{"n":null}"#, t),
        ("$.n == \"\"", r#"{"n":null}"#, f),
        ("$.n == \"\"", r#"{"n":""}"#, t),
        ("$.id == 9007199254740993", r#"{"id":9007199254740993}"#, t),
        ("$.id == 9007199254740993", r#"{"id":9007199254740992}"#, f),
        ("$.id > 9007199254740992", r#"{"id":9007199254740993}"#, t),
        ("$.id == 9007199254740992.0", r#"{"id":9007199254740993}"#, f),
        ("$.id == 18446744073709551615", r#"{"id":18446744073709551615}"#, t),
        ("$.id > 18446744073709551614", r#"{"id":18446744073709551615}"#, t),
        ("$.id < -9223372036854775807", r#"{"id":-9223372036854775808}"#, t),
        ("$.id < 18446744073709551615", r#"{"id":1e19}"#, t),
        ("== 9007199254740993", "9007199254740992", f),
        ("$.a == \"5\"", r#"{"a":5}"#, f),
        ("$.a != \"5\"", r#"{"a":5}"#, f),
        ("$.a == 5", r#"{"a":"5"}"#, f),
        ("$.a > 5", r#"{"a":"6"}"#, f),
        ("$.a == 'x'", r#"{"a":"x"}"#, t),
        ("$.a == 'say \"hi\"'", r#"{"a":"say \"hi\""}"#, t),
        ("$.a == \"\\u00e9\\ud83d\\ude00\\n\"", "{\"a\":\"é😀\\n\"}", t),
        // Missing paths and payloads that are not JSON.
        ("$.a != 1", r#"{}"#, f),
        ("$.a == 1", "not json", f),
        ("$.a != 1", "", f),
        ("!($.a == 1)", r#"{}"#, f),
        ("!($.a == 1)", "not json", f),
        ("!($.a > 5)", r#"{"a":"text"}"#, f),
        ("!($.a > 5)", r#"{"a":3}"#, t),
        ("!!($.a > 5)", r#"{"a":6}"#, t),
        ("!exists($.a)", "not json", f),
        ("!exists($.a)", r#"{"b":1}"#, t),
        ("exists($.a)", r#"{"a":null}"#, t),
        ("exists($.a.b)", r#"{"a":null}"#, f),
        ("exists($)", "1", t),
        // Joining: unknown never turns into yes, and does not hide a yes.
        ("$.a == 1 || $.b == 1", r#"{"b":1}"#, t),
        ("$.a == 1 || $.b == 1", r#"{"b":2}"#, f),
        ("!($.a == 1 || $.b == 1)", r#"{"b":2}"#, f),
        ("!($.a == 1 && $.b == 1)", r#"{"b":2}"#, t),
        ("$.a == 1 || $.b == 1 && $.c == 1", r#"{"a":1,"b":2,"c":2}"#, t),
        ("($.a == 1 || $.b == 1) && $.c == 1", r#"{"a":1,"b":2,"c":2}"#, f),
        // Lists, text and patterns.
        ("$.env in [\"prod\", \"stage\"]", r#"{"env":"stage"}"#, t),
        ("$.env in [\"prod\", \"stage\"]", r#"{"env":"dev"}"#, f),
        ("!($.env in [\"prod\"])", r#"{"env":"dev"}"#, t),
        ("!($.env in [\"prod\"])", r#"{"env":5}"#, f),
        ("!($.env in [\"prod\"])", r#"{}"#, f),
        ("$.n in [1, 2.5, null,]", r#"{"n":2.5}"#, t),
        ("$.n in [1, null]", r#"{"n":null}"#, t),
        ("$.n in []", r#"{"n":1}"#, f),
        ("$.tags contains \"urgent\"", r#"{"tags":["new","urgent"]}"#, t),
        ("$.tags contains 5", r#"{"tags":["5"]}"#, f),
        ("!($.tags contains 5)", r#"{"tags":["5"]}"#, t),
        ("$.msg contains \"disk\"", r#"{"msg":"the disk is full"}"#, t),
        ("!($.msg contains \"disk\")", r#"{"msg":7}"#, f),
        ("$.host matches /^db-\\d+$/", r#"{"host":"db-12"}"#, t),
        ("$.host matches /^db-\\d+$/", r#"{"host":"web-12"}"#, f),
        ("$.host matches /DB/i", r#"{"host":"db-12"}"#, t),
        ("$.path matches /^\\/var\\//", r#"{"path":"/var/log"}"#, t),
        ("!($.host matches /x/)", r#"{"host":12}"#, f),
        // Paths.
        ("$.a.b[0].c == 1", r#"{"a":{"b":[{"c":1}]}}"#, t),
        ("$.a.0 == 1", r#"{"a":[1]}"#, t),
        ("$.a.0 == 1", r#"{"a":{"0":1}}"#, t),
        ("$.a[0] == 1", r#"{"a":{"0":1}}"#, f),
        ("$.a.00 == 1", r#"{"a":[1]}"#, f),
        ("$.a[1] == 1", r#"{"a":[1]}"#, f),
        ("$[\"odd key\"] == 1", r#"{"odd key":1}"#, t),
        ("$['a.b'].c == 1", r#"{"a.b":{"c":1}}"#, t),
        ("$[0] == 1", "[1]", t),
        ("$ == \"open\"", "\"open\"", t),
        ("$ > 5", "6", t),
        ("$.not.in == 1", r#"{"not":{"in":1}}"#, t),
        ("$.room-temp > 1", r#"{"room-temp":2}"#, t),
        ("$.größe > 1", r#"{"größe":2}"#, t),
        ("$.a == 1", r#"{"a":[1]}"#, f),
        ("$.a != 1", r#"{"a":{}}"#, f),
    ];
    for (condition, payload, expected) in rows {
        assert_eq!(holds(condition, payload), expected, "{condition} on {payload}");
    }
}

#[test]
fn errors_point_at_the_bytes_and_say_what_to_write() {
    let rows = [
        ("", "empty condition", "", Some("leave the key out to match always")),
        (
            "$.t > 100C",
            "`100C` is not a number",
            "100C",
            Some("write a number without unit or separator, or quote it as text"),
        ),
        (
            "$.t > 1,000",
            "`000` is not a number",
            "000",
            Some("a number has no leading zeros and no separators; text is quoted"),
        ),
        ("$.t > 1,500", "unexpected `,`", ",", Some("write numbers without separators: `1000`")),
        (
            "$.status == critical",
            "unknown word `critical`",
            "critical",
            Some("quote it: `\"critical\"`"),
        ),
        ("$.a == 1 and $.b == 2", "unknown word `and`", "and", Some("write `&&`")),
        ("$.a == True", "unknown word `True`", "True", Some("write `true`")),
        ("$.a == none", "unknown word `none`", "none", Some("write `null`, or `!exists($.key)`")),
        ("not $.a == 1", "unknown word `not`", "not", Some("write `!( ... )`")),
        ("$.a = 1", "unknown operator `=`", "=", Some("equality is `==`")),
        ("$.a & $.b", "unknown operator `&`", "&", Some("both must hold: `&&`")),
        (
            "$.a === 1",
            "unknown operator `===`",
            "===",
            Some("the operators are `==`, `!=`, `<`, `<=`, `>`, `>=`"),
        ),
        (
            "$.a <> 1",
            "unknown operator `<>`",
            "<>",
            Some("the operators are `==`, `!=`, `<`, `<=`, `>`, `>=`"),
        ),
        (
            "$.a > true",
            "`>` does not compare with a boolean",
            ">",
            Some("booleans and null take `==` and `!=`"),
        ),
        (
            "$.a <= null",
            "`<=` does not compare with null",
            "<=",
            Some("booleans and null take `==` and `!=`"),
        ),
        ("1 < $.a < 5", "comparisons do not chain", "<", Some("join two with `&&`")),
        (
            "1 == 1",
            "both sides are literal values",
            "1 == 1",
            Some("compare a path, as in `$.value > 85`"),
        ),
        (
            "$.enabled",
            "a path alone is not a condition",
            "$.enabled",
            Some("write `$.enabled == true` or `exists($.enabled)`"),
        ),
        (
            "!$.enabled",
            "`!` takes a condition in parentheses",
            "!",
            Some("write `!( ... )`, `!exists($.key)`, or the opposite comparison"),
        ),
        (
            "== \"open\"",
            "the whole payload is compared with a number",
            "\"open\"",
            Some("name what to compare, as in `$.status == \"open\"`; `$` is the whole payload"),
        ),
        ("$.a >", "the condition ends where a value is expected", "", None),
        (
            "$a == 1",
            "expected `.` or `[` in the path",
            "a",
            Some("a path is written `$.key`, `$.list[0]` or `$[\"odd key\"]`"),
        ),
        (
            "$..a == 1",
            "expected a key after `.`",
            ".",
            Some("a path is written `$.key`, `$.list[0]` or `$[\"odd key\"]`"),
        ),
        (
            "$. == 1",
            "expected a key after `.`",
            ".",
            Some("a path is written `$.key`, `$.list[0]` or `$[\"odd key\"]`"),
        ),
        (
            "$.a[-1] == 1",
            "`-1` is not a position or a quoted key",
            "[-1",
            Some("positions count from 0: `$.list[0]`; keys are quoted: `$[\"odd key\"]`"),
        ),
        (
            "$.a[*] == 1",
            "`*` is not a position or a quoted key",
            "[*",
            Some("positions count from 0: `$.list[0]`; keys are quoted: `$[\"odd key\"]`"),
        ),
        (
            "$.a[] == 1",
            "`` is not a position or a quoted key",
            "[",
            Some("positions count from 0: `$.list[0]`; keys are quoted: `$[\"odd key\"]`"),
        ),
        (
            "$.a == \"x",
            "the text is not closed",
            "\"x",
            Some("close it with the quote that it began with"),
        ),
        (
            "$.a == \"\\x\"",
            "unknown escape `\\x`",
            "\\x",
            Some(
                "the escapes are `\\\"`, `\\'`, `\\\\`, `\\/`, `\\n`, `\\r`, `\\t`, `\\b`, `\\f` and `\\u0000`",
            ),
        ),
        ("$.a == \"\\ud800\"", "not a Unicode character", "\\ud800", None),
        ("$.a == \"\\u12\"", "`\\u` takes four hexadecimal digits", "\\u12", None),
        (
            "$.a == 007",
            "`007` is not a number",
            "007",
            Some("a number has no leading zeros and no separators; text is quoted"),
        ),
        (
            "$.a == .5",
            "`.5` is not a number",
            ".5",
            Some("a number is written like `-12`, `0.5` or `1e3`"),
        ),
        (
            "$.a == 5.",
            "`5.` is not a number",
            "5.",
            Some("a number is written like `-12`, `0.5` or `1e3`"),
        ),
        (
            "$.a == 1e999",
            "`1e999` is not a number",
            "1e999",
            Some("a number is written like `-12`, `0.5` or `1e3`"),
        ),
        (
            "$.a == 18446744073709551616",
            "`18446744073709551616` is too large to be compared exactly",
            "18446744073709551616",
            Some(
                "integers go from -9223372036854775808 to 18446744073709551615; a double is written like `1e20`",
            ),
        ),
        ("($.a == 1", "`(` is not closed", "(", None),
        ("$.a == 1)", "`)` closes nothing", ")", None),
        (
            "$.a == 1 $.b == 2",
            "unexpected `$.b`",
            "$.b",
            Some("join tests with `&&` or `||`; text is quoted"),
        ),
        ("$.a == 1 &&", "the condition ends where a value is expected", "", None),
        ("exists $.a", "expected `(` after `exists`", "$.a", Some("write `exists($.key)`")),
        ("exists(5)", "expected a path in `exists( .. )`", "5", Some("write `exists($.key)`")),
        (
            "$.a in \"x\"",
            "expected `[` after `in`",
            "\"x\"",
            Some("write `$.key in [\"a\", \"b\"]`"),
        ),
        ("$.a in [1 2]", "expected `,` or `]`", "2", None),
        ("$.a in [1,", "`[` is not closed", "[", None),
        (
            "$.a in [$.b]",
            "expected a literal value",
            "$.b",
            Some("only `==`, `!=`, `<`, `<=`, `>`, `>=` take a path on the right"),
        ),
        (
            "\"x\" in [\"x\"]",
            "`in` takes a path on its left",
            "\"x\"",
            Some("write for example `$.tags contains \"urgent\"`"),
        ),
        (
            "$.a matches \"x\"",
            "expected a pattern after `matches`",
            "\"x\"",
            Some("write `$.key matches /pattern/`"),
        ),
        (
            "$.a matches /x",
            "the pattern is not closed",
            "/x",
            Some("close it with `/`; a slash within is `\\/`"),
        ),
        ("$.a matches /x/g", "unknown flag `g`", "g", Some("the one flag is `i`: ignore case")),
        ("$.a == /x/", "expected a value", "/x/", Some("patterns follow `matches`")),
        ("$.a == 5 % 2", "unexpected `%`", "%", None),
        ("true", "a value alone is not a condition", "true", Some("compare it with a path")),
    ];
    for (text, message, at, help) in rows {
        let error = Condition::parse(text).expect_err(text);
        let found = (error.message.as_str(), &text[error.span.clone()], error.help.as_deref());
        assert_eq!(found, (message, at, help), "{text}");
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
    let rows = [
        ("$.severity >= 2", r#"{"severity":1}"#, "`$.severity >= 2`: 1 >= 2 is false"),
        ("$.severity >= 2", r#"{}"#, "`$.severity` is missing"),
        ("$.severity >= 2", "oops", "the payload is not JSON"),
        ("$.severity >= 2", "", "the payload is empty"),
        (
            "$.severity >= 2",
            r#"{"severity":"high"}"#,
            "`$.severity >= 2`: text \"high\" cannot be compared with number 2",
        ),
        ("$.a == 1", r#"{"a":null}"#, "`$.a == 1`: null cannot be compared with number 1"),
        ("$.a == 1", r#"{"a":[1]}"#, "`$.a == 1`: an array cannot be compared with number 1"),
        ("> 0", "-1.5", "`> 0`: -1.5 > 0 is false"),
        ("> 0", "wet", "`> 0`: the payload is not a number"),
        (
            "$.env == \"prod\"",
            r#"{"env":"de\nv"}"#,
            "`$.env == \"prod\"`: \"de\\nv\" == \"prod\" is false",
        ),
        ("$.a > 1 && $.b > 1", r#"{"a":2,"b":1}"#, "`$.b > 1`: 1 > 1 is false"),
        ("$.a > 1 && $.b > 1", r#"{"b":1}"#, "`$.b > 1`: 1 > 1 is false"),
        (
            "$.a > 1 || $.b > 1",
            r#"{"a":0,"b":1}"#,
            "`$.a > 1`: 0 > 1 is false; `$.b > 1`: 1 > 1 is false",
        ),
        ("$.a > 1 || $.b > 1", "x", "the payload is not JSON"),
        ("!($.a > 1)", r#"{"a":2}"#, "`$.a > 1`: 2 > 1 is true"),
        ("!($.a > 1)", r#"{}"#, "`$.a` is missing"),
        ("!($.a > 1 || $.b > 1)", r#"{"a":0,"b":3}"#, "`$.b > 1`: 3 > 1 is true"),
        (
            "$.a in [\"x\", \"y\"]",
            r#"{"a":"z"}"#,
            "`$.a in [\"x\", \"y\"]`: \"z\" in [\"x\", \"y\"] is false",
        ),
        (
            "$.a in [\"x\"]",
            r#"{"a":1}"#,
            "`$.a in [\"x\"]`: the list has nothing of the type of number 1",
        ),
        (
            "$.a contains \"x\"",
            r#"{"a":{}}"#,
            "`$.a contains \"x\"`: an object is not text or an array",
        ),
        ("$.a matches /x/", r#"{"a":true}"#, "`$.a matches /x/`: boolean true is not text"),
        ("exists($.a)", r#"{}"#, "`exists($.a)` is false"),
        ("!exists($.a)", r#"{"a":1}"#, "`exists($.a)` is true"),
        ("$.a > 1", r#"{"a":2}"#, "holds"),
    ];
    for (condition, payload, expected) in rows {
        assert_eq!(reason(condition, payload), expected, "{condition} on {payload}");
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
