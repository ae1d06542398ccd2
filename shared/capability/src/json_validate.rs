//! `json.validate`: checks a value against a JSON Schema (draft 2020-12).
//!
//! `with`: `schema`, and `value` where it is not the step's own input.

use serde_json::{Value, json};
use sop_runtime::flow::Call;

/// `{"valid": true, "value": ...}`, or what is wrong, and where.
///
/// # Errors
/// The reason names the first errors by their JSON pointers, without the values that are wrong.
pub fn perform(call: &Call) -> Result<Value, String> {
    let schema = call.with.get("schema").ok_or("`json.validate` needs a `schema`")?;
    let value = call.with.get("value").unwrap_or(&call.input);
    match sop_schema::validate(schema, value) {
        Ok(()) => Ok(json!({ "valid": true, "value": value })),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::call;

    fn schema() -> Value {
        json!({ "type": "object", "properties": { "name": { "type": "string", "maxLength": 4 } } })
    }

    fn checked(with: Value, input: Value) -> Result<Value, String> {
        perform(&call("json.validate", with, input))
    }

    #[test]
    fn a_value_that_fits_is_handed_on() {
        let input = json!({ "name": "pump" });
        let valid = json!({ "valid": true, "value": input });
        assert_eq!(checked(json!({ "schema": schema() }), input.clone()), Ok(valid.clone()));
        let with = json!({ "schema": schema(), "value": input });
        assert_eq!(checked(with, json!("not looked at")), Ok(valid));
    }

    #[test]
    fn a_value_that_does_not_is_told_where_and_not_shown() {
        let reason =
            checked(json!({ "schema": schema() }), json!({ "name": "S3CRET" })).unwrap_err();
        assert!(reason.starts_with("the value does not fit the schema: `/name`: "), "{reason}");
        assert!(!reason.contains("S3CRET"), "{reason}");
    }

    #[test]
    fn a_schema_that_does_not_compile_says_so() {
        for schema in [
            json!({ "type": "text" }),
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
}
