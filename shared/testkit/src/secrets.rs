//! Secrets in memory.

use std::collections::BTreeMap;

use sop_runtime::port::{PortError, Secrets};

/// Secrets that a test has made up.
#[derive(Debug, Clone, Default)]
pub struct MemorySecrets(BTreeMap<String, String>);

impl<const N: usize> From<[(&str, &str); N]> for MemorySecrets {
    fn from(secrets: [(&str, &str); N]) -> Self {
        Self(secrets.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect())
    }
}

impl Secrets for MemorySecrets {
    async fn secret(&self, name: &str) -> Result<Option<String>, PortError> {
        Ok(self.0.get(name).cloned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sop_core::template::render;
    use sop_runtime::port::resolve;

    use super::*;

    #[tokio::test]
    async fn secrets_go_in_and_do_not_come_back() {
        let with = json!({ "headers": { "authorization": "Bearer {{ secret('token') }}" } });
        let rendered = render(&with, &json!({})).unwrap();
        let secrets = MemorySecrets::from([("token", "S3CRET")]);
        let resolved = resolve(&secrets, rendered.clone()).await.unwrap().unwrap();
        assert_eq!(resolved.value["headers"]["authorization"], "Bearer S3CRET");
        assert_eq!(resolved.mask.value(json!(["it was S3CRET"])), json!(["it was ***"]));
        assert!(!format!("{resolved:?}").contains("S3CRET"));

        let missing = resolve(&(), rendered).await.unwrap().unwrap_err();
        assert_eq!(missing.name, "token");
    }
}
