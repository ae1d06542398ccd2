//! Keeps secrets that come back out of what is kept.

use std::fmt;

use serde_json::Value;

use super::render::MASK;

/// Bytes that a secret must have to be looked for: a shorter one would be found in what it has no part in.
const SECRET_BYTES_MIN: usize = 6;

/// Replaces secrets by `***` in outputs and reasons, before they come near the ledger.
///
/// What a service makes of a secret (in base 64, say, or cut in two) is not recognised.
#[derive(Clone, Default)]
pub struct Mask {
    /// The longest first, so that one within another leaves nothing over.
    secrets: Vec<String>,
}

impl Mask {
    /// A mask of `secrets`; those with less than 6 bytes are left out.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> =
            secrets.into_iter().filter(|secret| secret.len() >= SECRET_BYTES_MIN).collect();
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self { secrets }
    }

    /// `text` without its secrets.
    pub fn text(&self, mut text: String) -> String {
        for secret in &self.secrets {
            if text.contains(secret) {
                text = text.replace(secret, MASK);
            }
        }
        text
    }

    /// `value` without the secrets in its texts and keys.
    pub fn value(&self, value: Value) -> Value {
        match value {
            _ if self.secrets.is_empty() => value,
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => {
                map.into_iter().map(|(key, value)| (self.text(key), self.value(value))).collect()
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} secrets)", self.secrets.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_that_come_back_are_masked() {
        let mask = Mask::new(["S3CRET".into(), "S3CRET-long".into(), "1".into(), String::new()]);
        let value = json!({"a": ["x S3CRET-long S3CRET y", 1, null], "S3CRET": true});
        assert_eq!(mask.value(value), json!({"a": ["x *** *** y", 1, null], "***": true}));
        assert_eq!(mask.text("1 S3CRETS3CRET".into()), "1 ******");
        assert_eq!(format!("{mask:?}"), "Mask(2 secrets)");
        assert_eq!(Mask::default().value(json!(["S3CRET"])), json!(["S3CRET"]));
    }
}
