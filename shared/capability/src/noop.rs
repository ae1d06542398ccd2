//! `noop`: does nothing, and gives what it was given.

use serde_json::Value;
use sop_runtime::flow::Call;

/// The authored input, or the step's own where there is none.
pub fn perform(call: &Call) -> Value {
    if call.with.is_null() { call.input.clone() } else { call.with.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::call;

    #[test]
    fn gives_what_it_was_given() {
        assert_eq!(perform(&call("noop", json!({"a": 1}), json!(2))), json!({"a": 1}));
        assert_eq!(perform(&call("noop", Value::Null, json!(2))), json!(2));
        assert_eq!(perform(&call("noop", Value::Null, Value::Null)), Value::Null);
    }
}
