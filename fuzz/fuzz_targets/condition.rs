//! A condition, a line break, a payload: parsed, checked, asked and explained without panic.
//!
//! The answers (yes or no, with a reason, negated) must agree with each other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sop_core::Data;
use sop_core::condition::{Condition, Payload, Verdict};

fuzz_target!(|input: &str| {
    let (text, payload) = input.split_once('\n').unwrap_or((input, "{\"a\":1}"));
    let condition = match Condition::parse(text) {
        Ok(condition) => condition,
        Err(error) => {
            assert!(text.get(error.span.clone()).is_some(), "{error:?}");
            return;
        }
    };
    let data = Data::Text(payload.into());
    let payload = Payload::new(&data);
    let holds = condition.holds(&payload);
    assert_eq!(condition.eval(&payload) == Verdict::Holds, holds);
    if condition.never_holds().is_some() {
        assert!(!holds);
    }
    if let Ok(negated) = Condition::parse(&format!("!({text})")) {
        assert!(!(holds && negated.holds(&payload)));
    }
});
