//! What a door may let in: pure rules over what arrived, before anything is written.

mod cloud_event;

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::event::Data;
use crate::id::EventId;
use crate::limits::PAYLOAD_BYTES_MAX;

pub use cloud_event::{Message, message};

/// Why an arrival is turned away. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is larger than an event may be.
    #[error("the payload has {bytes} bytes; at most {PAYLOAD_BYTES_MAX} are taken")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// It says it is JSON, and is not.
    #[error("the body is not JSON: {reason}")]
    NotJson {
        /// What the parser said.
        reason: String,
    },
    /// The path does not decode to UTF-8 text, or steps outside itself.
    #[error("the path is not well formed")]
    BadPath,
    /// An idempotency key that is empty, too long or not visible ASCII.
    #[error("the idempotency key must be 1 to 255 visible ASCII characters")]
    BadKey,
    /// It says it is a CloudEvent, and is not.
    #[error("this is not a CloudEvent 1.0: {reason}")]
    NotCloudEvent {
        /// What is wrong with it.
        reason: String,
    },
    /// Several CloudEvents in one request.
    #[error("CloudEvents are taken one a request: send each in structured or binary mode")]
    CloudEventBatch,
}

/// Checks the body of a webhook: any JSON, or nothing. White space alone is nothing. JSON nested deeper than
/// 127 levels, with a number that no double holds or half a surrogate pair is not taken: no condition could
/// read it.
///
/// # Errors
/// [`Rejected::TooLarge`] and [`Rejected::NotJson`].
pub fn webhook_body(body: &[u8]) -> Result<Data, Rejected> {
    if body.len() > PAYLOAD_BYTES_MAX {
        return Err(Rejected::TooLarge { bytes: body.len() });
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Data::Empty);
    }
    let not_json = |reason: String| Rejected::NotJson { reason };
    let text = std::str::from_utf8(body).map_err(|error| not_json(error.to_string()))?;
    serde_json::from_str::<Readable>(text).map_err(|error| not_json(error.to_string()))?;
    Ok(Data::Text(text.to_owned()))
}

/// JSON of a depth, with numbers and with texts that whatever reads it later can hold; the value itself is
/// not kept.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// Checks what a device sent: text as it is, other bytes in base 64, nothing as nothing.
///
/// # Errors
/// [`Rejected::TooLarge`].
pub fn device_payload(bytes: &[u8], to_base64: fn(&[u8]) -> String) -> Result<Data, Rejected> {
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(Rejected::TooLarge { bytes: bytes.len() });
    }
    Ok(match std::str::from_utf8(bytes) {
        Ok("") => Data::Empty,
        Ok(text) => Data::Text(text.to_owned()),
        Err(_) => Data::Base64(to_base64(bytes)),
    })
}

/// Decodes a request path: percent escapes are resolved once, and what they hide is looked at.
///
/// # Errors
/// [`Rejected::BadPath`] for broken escapes, bytes that are not UTF-8, control characters, and
/// segments that are `.` or `..`.
///
/// Source: RFC 3986, sections 2.1 and 3.3.
pub fn decode_path(raw: &str) -> Result<String, Rejected> {
    let path = percent_decoded(raw).ok_or(Rejected::BadPath)?;
    let hostile = path.chars().any(char::is_control)
        || path.split('/').any(|segment| segment == "." || segment == "..");
    if hostile || !path.starts_with('/') {
        return Err(Rejected::BadPath);
    }
    Ok(path)
}

/// The text with its percent escapes resolved once; `None` for broken ones and for what is not UTF-8.
fn percent_decoded(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = tail;
            continue;
        }
        bytes.push(hex(tail.first())? * 16 + hex(tail.get(1))?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    u8::try_from(char::from(*byte?).to_digit(16)?).ok()
}

/// Checks an idempotency key as a caller sent it.
///
/// # Errors
/// [`Rejected::BadKey`].
pub fn idempotency_key(text: &str) -> Result<&str, Rejected> {
    let key = text.trim();
    if (1..=255).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return Ok(key);
    }
    Err(Rejected::BadKey)
}

/// The path family whose idempotency keys are apart from the others': `/webhook`, or all of `/sop/`.
///
/// Source: seed 002, section 3.3.
pub fn key_namespace(path: &str) -> &'static str {
    if path == "/webhook" { "webhook" } else { "sop" }
}

/// Splits an uplink topic `peripherals/{board}/{signal}`; Basic Ingest's own prefix has been taken off.
pub fn uplink(topic: &str) -> Option<(&str, &str)> {
    let (board, signal) = topic.strip_prefix("peripherals/")?.split_once('/')?;
    (!board.is_empty() && !signal.is_empty() && !signal.contains('/')).then_some((board, signal))
}

/// The topic of a board's signal.
pub fn uplink_topic(board: &str, signal: &str) -> String {
    format!("peripherals/{board}/{signal}")
}

/// The W3C `traceparent` of an event that came without one: its trace id is made from the event's id.
///
/// Source: W3C Trace Context, section 3.2.
pub fn traceparent(event: &EventId) -> String {
    let digest = crate::id::Digest::of(event.as_str().as_bytes()).to_string();
    format!("00-{}-{}-01", &digest[..32], &digest[32..48])
}

/// Whether `text` is a `traceparent` that can be handed on.
pub fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    matches!(parts.as_slice(), [version, trace, span, flags]
        if *version == "00" && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2)
            && trace.bytes().any(|b| b != b'0') && span.bytes().any(|b| b != b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_any_json_or_nothing() {
        assert_eq!(webhook_body(b" \n"), Ok(Data::Empty));
        assert_eq!(webhook_body(b"[1]"), Ok(Data::Text("[1]".into())));
        for bad in [&b"{"[..], b"{}x", b"\xff", b"nul"] {
            assert!(matches!(webhook_body(bad), Err(Rejected::NotJson { .. })), "{bad:?}");
        }
        let big = vec![b' '; PAYLOAD_BYTES_MAX + 1];
        assert_eq!(webhook_body(&big), Err(Rejected::TooLarge { bytes: big.len() }));
    }

    #[test]
    fn deep_json_is_turned_away_not_a_crash() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(webhook_body(nested(127).as_bytes()).is_ok());
        for deep in ["[".repeat(100_000), nested(128), nested(100_000)] {
            assert!(matches!(webhook_body(deep.as_bytes()), Err(Rejected::NotJson { .. })));
        }
    }

    #[test]
    fn what_no_condition_could_read_is_turned_away() {
        for bad in [r#"{"n":1e999}"#, r#"["\ud800"]"#, r#"{"\udc00":1}"#, "NaN", "'x'"] {
            assert!(matches!(webhook_body(bad.as_bytes()), Err(Rejected::NotJson { .. })), "{bad}");
        }
        for good in [r#"{"a":[null,true,-1,18446744073709551616,0.5,"\ud83d\udeb0"]}"#, "0", "\"\""]
        {
            assert!(webhook_body(good.as_bytes()).is_ok(), "{good}");
        }
    }

    #[test]
    fn devices_send_what_they_like_up_to_a_size() {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let taken = |bytes: &[u8]| device_payload(bytes, hex);
        assert_eq!(taken(b""), Ok(Data::Empty));
        assert_eq!(taken(b" {"), Ok(Data::Text(" {".into())));
        assert_eq!(taken(b"a\0\xff"), Ok(Data::Base64("6100ff".into())));
        for byte in [b'x', 0xff] {
            assert!(taken(&vec![byte; PAYLOAD_BYTES_MAX]).is_ok());
            let bytes = PAYLOAD_BYTES_MAX + 1;
            assert_eq!(taken(&vec![byte; bytes]), Err(Rejected::TooLarge { bytes }));
        }
    }

    #[test]
    fn keys_are_visible_ascii() {
        assert_eq!(idempotency_key(" a b "), Ok("a b"));
        assert!(idempotency_key(&"k".repeat(255)).is_ok());
        for bad in ["", "  ", "a\tb", "a\0", "é", "\u{7f}", &"k".repeat(256)] {
            assert_eq!(idempotency_key(bad), Err(Rejected::BadKey), "{bad:?}");
        }
    }

    #[test]
    fn paths_are_decoded_once_and_looked_at() {
        assert_eq!(decode_path("/sop/a%20b").as_deref(), Ok("/sop/a b"));
        assert_eq!(decode_path("/sop/%252e").as_deref(), Ok("/sop/%2e"));
        for bad in
            ["/sop/%", "/sop/%zz", "/sop/%ff", "/sop/%00", "/sop/../api", "/sop/%2e%2e/x", "sop"]
        {
            assert_eq!(decode_path(bad), Err(Rejected::BadPath), "{bad}");
        }
    }

    #[test]
    fn uplinks_have_two_levels() {
        assert_eq!(uplink("peripherals/pump-7/pressure"), Some(("pump-7", "pressure")));
        for bad in
            ["peripherals/a", "peripherals/a/", "peripherals//b", "peripherals/a/b/c", "x/a/b"]
        {
            assert_eq!(uplink(bad), None, "{bad}");
        }
    }

    #[test]
    fn trace_parents_are_made_and_checked() {
        let id = EventId::from_random(crate::Timestamp::from_millis(1), &[3; 10]);
        assert!(is_traceparent(&traceparent(&id)));
        for bad in ["", "00-0-0-00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }
}
