//! What people send, held against the schema that an author wrote for it.

use axum::http::StatusCode;
use serde_json::{Value, json};
use sop_schema::ValidateError;

use crate::problem::Problem;

/// Whether `value` is as `schema` says, or 422 with `code`, the reason and the JSON pointer of the first
/// place that is wrong; `what` begins the sentence that tells of it.
pub(crate) fn fits(
    schema: &Value,
    value: &Value,
    code: &'static str,
    what: &str,
) -> Result<(), Problem> {
    let (pointer, reason) = match sop_schema::validate(schema, value) {
        Ok(()) => return Ok(()),
        Err(ValidateError::Value { pointer, reason }) => (pointer, reason),
        // Checked when the definition was pushed; whoever sends a value cannot mend it.
        Err(ValidateError::Schema { reason }) => (String::new(), reason),
    };
    let detail = format!("this is not what {what}: {reason}; nothing was changed");
    let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
    Err(problem.with("pointer", json!(pointer)).with("reason", json!(reason)))
}
