//! `transform`: gives its authored input, whose templates have been filled in.

use serde_json::Value;
use sop_runtime::flow::Call;

/// The rendered input.
pub fn perform(call: &Call) -> Value {
    call.with.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sop_core::template::render;

    use super::*;
    use crate::testing::call;

    #[test]
    fn gives_what_its_templates_have_become() {
        let with = json!({ "all": "{{ event.list }}", "text": "n = {{ event.n | default(0) }}" });
        let rendered = render(&with, &json!({ "event": { "list": [1, null] } })).unwrap();
        let output = perform(&call("transform", rendered.value, json!("not looked at")));
        assert_eq!(output, json!({ "all": [1, null], "text": "n = 0" }));
    }
}
