//! Typed identifiers.
//!
//! Event and run ids are 26 characters of Crockford base 32 in lower case: 48 bits of milliseconds,
//! then 80 bits that are random (events at a door) or a hash (what must come out the same twice).
//! They sort by time.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::time::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ULID_CHARS: usize = 26;

/// An identifier that is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct IdError {
    text: String,
    expected: &'static str,
}

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The text of the identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
    };
}

text_id! {
    /// The name of an SOP: 1 to 64 of `A-Z a-z 0-9 . _ -`, the first a letter or digit.
    SopName
}
text_id! {
    /// Whose data this is; `default` on one machine. The same alphabet as [`SopName`].
    Tenant
}
text_id! {
    /// The identity of one arrival. The same arrival, sent again, has the same id.
    EventId
}
text_id! {
    /// The identity of one run, derived from tenant, SOP and event: starting twice is the same run.
    RunId
}
text_id! {
    /// The identity of one input to a run: 1 to 128 visible ASCII characters.
    InputId
}

fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

impl SopName {
    /// Parses an SOP name.
    ///
    /// # Errors
    /// When the text is empty, too long, or has a character outside the alphabet.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if is_name(text) {
            return Ok(Self(text.into()));
        }
        Err(IdError {
            text: text.into(),
            expected: "an SOP name (1 to 64 letters, digits, `.`, `_` or `-`, the first a letter or digit)",
        })
    }
}

impl Tenant {
    /// Parses a tenant name.
    ///
    /// # Errors
    /// As for [`SopName::parse`].
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if is_name(text) {
            return Ok(Self(text.into()));
        }
        Err(IdError { text: text.into(), expected: "a tenant name" })
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self("default".into())
    }
}

impl InputId {
    /// Parses an input id.
    ///
    /// # Errors
    /// When the text is empty, longer than 128 bytes, or not visible ASCII.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(Self(text.into()));
        }
        Err(IdError { text: text.into(), expected: "an input id (1 to 128 visible characters)" })
    }
}

fn is_ulid(text: &str) -> bool {
    text.len() == ULID_CHARS && text.bytes().all(|b| ALPHABET.contains(&b))
}

/// 26 characters for `at` (48 bits of milliseconds, clamped) and the first 80 bits of `tail`.
fn ulid(at: Timestamp, tail: &[u8; 10]) -> Box<str> {
    let millis =
        u128::try_from(at.as_millis().clamp(0, (1 << 48) - 1)).expect("clamped above zero");
    let mut bits = millis << 80;
    for (i, byte) in tail.iter().enumerate() {
        bits |= u128::from(*byte) << (72 - 8 * i);
    }
    (0..ULID_CHARS)
        .map(|i| char::from(ALPHABET[((bits >> (125 - 5 * i)) & 31) as usize]))
        .collect::<String>()
        .into_boxed_str()
}

fn hashed_tail(parts: &[&str]) -> [u8; 10] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut tail = [0; 10];
    tail.copy_from_slice(&hash.finalize()[..10]);
    tail
}

impl EventId {
    /// Parses 26 characters of lower-case Crockford base 32.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if is_ulid(text) {
            return Ok(Self(text.into()));
        }
        Err(IdError { text: text.into(), expected: "an event id (26 characters)" })
    }

    /// A fresh id for an arrival at `at`, from 80 random bits.
    pub fn from_random(at: Timestamp, random: &[u8; 10]) -> Self {
        Self(ulid(at, random))
    }

    /// The instant that it was made for, of which it has 48 bits of milliseconds.
    pub fn time(&self) -> Timestamp {
        let digit = |byte: u8| ALPHABET.iter().position(|known| *known == byte).unwrap_or(0);
        // 10 characters of 5 bits, the first two of them always zero.
        let millis =
            self.0.bytes().take(10).fold(0_i64, |millis, byte| {
                (millis << 5) | i64::try_from(digit(byte)).unwrap_or(0)
            });
        Timestamp::from_millis(millis)
    }

    /// The id of what `parts` name, at `at`: the same parts and instant give the same id.
    pub fn derived(at: Timestamp, parts: &[&str]) -> Self {
        Self(ulid(at, &hashed_tail(parts)))
    }
}

impl EventId {
    /// When the event arrived, to the millisecond.
    pub fn arrived_at(&self) -> Timestamp {
        let bits = self.0.bytes().fold(0_u128, |bits, byte| {
            let digit = ALPHABET.iter().position(|known| *known == byte).unwrap_or_default();
            (bits << 5) | digit as u128
        });
        Timestamp::from_millis(i64::try_from(bits >> 80).unwrap_or(i64::MAX))
    }
}

impl RunId {
    /// Parses 26 characters of lower-case Crockford base 32.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if is_ulid(text) {
            return Ok(Self(text.into()));
        }
        Err(IdError { text: text.into(), expected: "a run id (26 characters)" })
    }

    /// The run that `event`, which arrived at `at`, starts of `sop`.
    pub fn derive(tenant: &Tenant, sop: &SopName, event: &EventId, at: Timestamp) -> Self {
        Self(ulid(at, &hashed_tail(&["run", tenant.as_str(), sop.as_str(), event.as_str()])))
    }
}

/// A SHA-256 digest; 64 characters of lower-case hexadecimal in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest that is these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses 64 hexadecimal characters.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let bad = || IdError {
            text: text.into(),
            expected: "a SHA-256 digest (64 hexadecimal characters)",
        };
        if text.len() != 64 || !text.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_is_the_same_for_the_same_event_and_sorts_by_time() {
        let tenant = Tenant::default();
        let sop = SopName::parse("deploy-pipeline").unwrap();
        let early = Timestamp::from_millis(1_000);
        let event = EventId::from_random(early, &[7; 10]);
        let run = RunId::derive(&tenant, &sop, &event, early);
        assert_eq!(run, RunId::derive(&tenant, &sop, &event, early));
        assert_eq!(run.as_str().len(), 26);
        let later = RunId::derive(&tenant, &sop, &event, Timestamp::from_millis(2_000));
        assert!(run < later);
        assert_eq!(RunId::parse(run.as_str()).unwrap(), run);
        for at in [0, 1, 1_000, 1_772_352_000_123, (1 << 48) - 1].map(Timestamp::from_millis) {
            assert_eq!(EventId::derived(at, &["x"]).time(), at);
        }
    }

    #[test]
    fn names_are_checked() {
        assert!(SopName::parse("deploy-prod.v2_x").is_ok());
        for bad in ["", "-x", "a/b", "a b", "ü", &"x".repeat(65)] {
            assert!(SopName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_round_trip() {
        let digest = Digest::of(b"x");
        assert_eq!(Digest::parse(&digest.to_string()).unwrap(), digest);
        assert!(Digest::parse("zz").is_err());
    }
}
