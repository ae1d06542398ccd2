//! What comes over a queue or in at a door: envelopes, paths, bodies, keys and trace parents, read without panic.
//!
//! What is read can be written and read again; what a door lets in keeps the door's promises.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sop_core::condition::Payload;
use sop_core::event::Data;
use sop_core::ingress;
use sop_core::limits::PAYLOAD_BYTES_MAX;
use sop_runtime::envelope::Envelope;

fuzz_target!(|input: &[u8]| {
    if let Ok(data) = ingress::webhook_body(input) {
        assert!(input.len() <= PAYLOAD_BYTES_MAX);
        // What a door took for JSON is JSON for every condition.
        assert_eq!(Payload::new(&data).json().is_some(), data != Data::Empty);
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(body) = Envelope::parse(text) {
        let again = Envelope::parse(&body.clone().into_message(0).body);
        assert_eq!(again.expect("what was written can be read"), body);
    }
    if let Ok(path) = ingress::decode_path(text) {
        assert!(path.starts_with('/') && !path.chars().any(char::is_control));
        assert!(!path.split('/').any(|segment| segment == "." || segment == ".."));
    }
    if let Ok(key) = ingress::idempotency_key(text) {
        assert!((1..=255).contains(&key.len()) && key.is_ascii());
    }
    if ingress::is_traceparent(text) {
        assert_eq!(text.len(), 55);
    }
    if let Some((board, signal)) = ingress::uplink(text) {
        assert!(!board.is_empty() && !signal.is_empty());
    }
});
