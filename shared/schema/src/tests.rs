use serde_json::json;

use super::*;

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": { "type": "string", "pattern": "^[a-z]+$" },
            "sizes": { "type": "array", "items": { "$ref": "#/$defs/size" } },
        },
        "$defs": { "size": { "type": "integer", "minimum": 1 } },
    })
}

fn misfit(schema: &Value, value: &Value) -> String {
    validate(schema, value).unwrap_err().to_string()
}

#[test]
fn schemas_that_are_schemas() {
    for schema in [
        schema(),
        json!({}),
        json!(true),
        json!({ "$schema": DRAFT }),
        json!({ "$schema": format!("{DRAFT}#") }),
        json!({ "$ref": "#" }),
        json!({ "$dynamicRef": "#a", "$defs": { "a": { "$dynamicAnchor": "a" } } }),
        json!({ "$id": "https://a.example/b", "$ref": "c", "$defs": { "c": { "$id": "c" } } }),
        json!({ "prefixItems": [{ "const": null }], "items": false, "unevaluatedItems": false }),
        json!({ "x-our-own": 1, "title": "t", "examples": [1] }),
    ] {
        assert_eq!(check_schema(&schema), Ok(()), "{schema}");
    }
}

#[test]
fn schemas_that_are_not_say_where() {
    for (schema, pointer) in [
        (json!("string"), ""),
        (json!([]), ""),
        (json!({ "type": "text" }), "/type"),
        (json!({ "properties": { "a": { "minimum": "1" } } }), "/properties/a/minimum"),
        (json!({ "required": "name" }), "/required"),
        (json!({ "properties": [] }), "/properties"),
        (json!({ "items": [{}] }), "/items"),
        (json!({ "enum": 1 }), "/enum"),
        (json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), "/$schema"),
        (json!({ "$schema": 7 }), "/$schema"),
    ] {
        let errors = check_schema(&schema).unwrap_err();
        assert_eq!(errors[0].pointer, pointer, "{schema}: {errors:?}");
    }
    for schema in [
        json!({ "properties": { "a": { "pattern": "(" } } }),
        json!({ "pattern": "(?=a)" }),
        json!({ "pattern": "(a)\\1" }),
    ] {
        assert!(check_schema(&schema).is_err(), "{schema}");
    }
    for reference in ["https://127.0.0.1:1/s.json", "file:///etc/passwd", "#/nowhere", "other.json"]
    {
        let errors = check_schema(&json!({ "$ref": reference })).unwrap_err();
        let help = errors[0].help.as_deref().unwrap_or_default();
        assert!(help.contains("#/$defs/name"), "{reference}: {errors:?}");
    }
}

#[test]
fn a_value_that_does_not_fit_is_told_where_and_not_shown() {
    assert_eq!(validate(&schema(), &json!({ "name": "pump", "sizes": [1] })), Ok(()));
    let secret = json!({ "name": "S3CRET", "sizes": [1, "S3CRET"] });
    let reason = misfit(&schema(), &secret);
    assert!(reason.starts_with("the value does not fit the schema: "), "{reason}");
    assert!(reason.contains("`/name`: ") && reason.contains("`/sizes/1`: "), "{reason}");
    assert!(!reason.contains("S3CRET"), "{reason}");
    let reason = misfit(&schema(), &Value::Null);
    assert!(reason.contains("\"object\""), "{reason}");
}

#[test]
fn many_errors_are_counted() {
    let reason = misfit(&schema(), &json!({ "name": "a", "sizes": vec!["x"; 50] }));
    assert!(reason.ends_with("; and 45 more"), "{reason}");
    assert!(reason.len() < 1_000);
}

#[test]
fn hostile_patterns_references_and_depths_end() {
    let slow = json!({ "pattern": "^(a+)+$" });
    assert!(validate(&slow, &json!("a".repeat(50_000) + "!")).is_err());
    let _ended = validate(&json!({ "$ref": "#" }), &json!(1));
    let deep = (0..120).fold(json!({}), |inner, _| json!({ "properties": { "a": inner } }));
    assert_eq!(check_schema(&deep), Ok(()));
    assert!(validate(&json!({ "$ref": "https://127.0.0.1:1/" }), &json!(1)).is_err());
}

#[test]
fn each_schema_is_compiled_once_and_few_are_kept() {
    let of = |n: usize| json!({ "minimum": n });
    for n in 0..COMPILED_MAX * 2 {
        assert_eq!(validate(&of(n), &json!(n)), Ok(()));
        assert!(validate(&of(n), &json!(-1)).is_err());
    }
    assert!(COMPILED.lock().unwrap().len() <= COMPILED_MAX);
    let first = compiled(&of(7)).unwrap();
    assert!(Arc::ptr_eq(&first, &compiled(&of(7)).unwrap()));
}
