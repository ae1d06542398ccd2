//! `json.validate`: checks a value against a JSON Schema (draft 2020-12).
//!
//! `with`: `schema`, and `value` where it is not the step's own input. Nothing is ever fetched: a
//! reference that leaves the schema does not compile. Patterns are matched in linear time, so they have no
//! look-around.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Value, json};
use sop_runtime::flow::Call;

/// Errors that a reason names; the rest are counted.
const ERRORS_MAX: usize = 5;

/// Characters of one error in a reason.
const ERROR_CHARS_MAX: usize = 160;

/// `{"valid": true, "value": ...}`, or what is wrong, and where.
///
/// # Errors
/// The reason names the first errors by their JSON pointers, without the values that are wrong.
pub fn perform(call: &Call) -> Result<Value, String> {
    let schema = call.with.get("schema").ok_or("`json.validate` needs a `schema`")?;
    let value = call.with.get("value").unwrap_or(&call.input);
    let validator =
        compile(schema).map_err(|reason| format!("the schema does not compile: {reason}"))?;
    let mut errors = validator.iter_errors(value);
    let named: Vec<String> = errors
        .by_ref()
        .take(ERRORS_MAX)
        .map(|error| {
            let masked = cut(&error.masked().to_string());
            match error.instance_path().as_str() {
                "" => masked,
                pointer => format!("`{}`: {masked}", cut(pointer)),
            }
        })
        .collect();
    if named.is_empty() {
        return Ok(json!({ "valid": true, "value": value }));
    }
    let more = match errors.count() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Err(format!("the value does not fit the schema: {}{more}", named.join("; ")))
}

/// Says why `schema` cannot be used; `None` when it can.
pub fn schema_problem(schema: &Value) -> Option<String> {
    compile(schema).err()
}

fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| cut(&error.to_string()))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::call;

    fn schema() -> Value {
        json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "pattern": "^[a-z]+$" },
                "sizes": { "type": "array", "items": { "type": "integer" } },
            },
        })
    }

    fn checked(with: Value, input: Value) -> Result<Value, String> {
        perform(&call("json.validate", with, input))
    }

    #[test]
    fn a_value_that_fits_is_handed_on() {
        let input = json!({ "name": "pump", "sizes": [1] });
        let valid = json!({ "valid": true, "value": input });
        assert_eq!(checked(json!({ "schema": schema() }), input.clone()), Ok(valid.clone()));
        let with = json!({ "schema": schema(), "value": input });
        assert_eq!(checked(with, json!("not looked at")), Ok(valid));
    }

    #[test]
    fn a_value_that_does_not_is_told_where_and_not_shown() {
        let secret = json!({ "name": "S3CRET", "sizes": [1, "S3CRET"] });
        let reason = checked(json!({ "schema": schema() }), secret).unwrap_err();
        assert!(reason.starts_with("the value does not fit the schema: "), "{reason}");
        assert!(reason.contains("`/name`: ") && reason.contains("`/sizes/1`: "), "{reason}");
        assert!(!reason.contains("S3CRET"), "{reason}");
        let reason = checked(json!({ "schema": schema() }), Value::Null).unwrap_err();
        assert!(reason.contains("\"object\""), "{reason}");
    }

    #[test]
    fn many_errors_are_counted() {
        let input = json!({ "name": "a", "sizes": vec!["x"; 50] });
        let reason = checked(json!({ "schema": schema() }), input).unwrap_err();
        assert!(reason.ends_with("; and 45 more"), "{reason}");
        assert!(reason.len() < 1_000);
    }

    #[test]
    fn a_schema_that_does_not_compile_says_so() {
        for schema in [
            json!({ "type": "text" }),
            json!({ "minimum": "1" }),
            json!({ "pattern": "(" }),
            json!({ "$ref": "https://127.0.0.1:1/schema.json" }),
            json!({ "$ref": "file:///etc/passwd" }),
            json!({ "$ref": "#/nowhere" }),
            json!(7),
        ] {
            let reason = checked(json!({ "schema": schema }), Value::Null).unwrap_err();
            assert!(reason.starts_with("the schema does not compile: "), "{schema}: {reason}");
        }
        assert!(checked(json!({}), Value::Null).is_err());
    }

    #[test]
    fn hostile_patterns_and_depths_end() {
        let with = json!({ "schema": { "pattern": "^(a+)+$" }, "value": "a".repeat(50_000) + "!" });
        assert!(checked(with, Value::Null).is_err());
        let itself = json!({ "schema": { "$ref": "#" }, "value": 1 });
        let _ended = checked(itself, Value::Null);
    }
}
