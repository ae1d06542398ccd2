//! Secrets: texts that a host keeps for the built-ins that call out into the world.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;

use serde_json::Value;
use sop_core::template::{Mask, MissingSecret, Rendered};

use crate::port::PortError;

/// Gives secrets by name. Only executors have one.
///
/// A name is one that a template can have: a letter, then letters, digits, `_` and `-`, 64 at most. Neither
/// a log nor an error ever holds what a secret is.
pub trait Secrets: Send + Sync {
    /// The secret of this name, or `None` when there is none. It may be some minutes old.
    fn secret(&self, name: &str) -> impl Future<Output = Result<Option<String>, PortError>> + Send;
}

/// No secrets at all.
impl Secrets for () {
    async fn secret(&self, _name: &str) -> Result<Option<String>, PortError> {
        Ok(None)
    }
}

impl<S: Secrets> Secrets for std::sync::Arc<S> {
    async fn secret(&self, name: &str) -> Result<Option<String>, PortError> {
        (**self).secret(name).await
    }
}

/// A value with its secrets in it, and what takes them out of an answer.
pub struct Resolved {
    /// Never to be kept or logged.
    pub value: Value,
    /// What the answer has to go through before it is kept.
    pub mask: Mask,
}

/// Shows neither the value nor a secret.
impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved").field("mask", &self.mask).finish_non_exhaustive()
    }
}

/// Puts the secrets into `rendered`, each asked for once; a [`MissingSecret`] where there is one too few.
///
/// # Errors
/// When the host could not find out.
pub async fn resolve<S: Secrets>(
    secrets: &S,
    rendered: Rendered,
) -> Result<Result<Resolved, MissingSecret>, PortError> {
    let names: Vec<String> = rendered.secret_names().into_iter().map(str::to_owned).collect();
    let mut found = BTreeMap::new();
    for name in names {
        if let Some(secret) = secrets.secret(&name).await? {
            found.insert(name, secret);
        }
    }
    let value = rendered.resolve(|name| found.get(name).cloned());
    Ok(value.map(|value| Resolved { value, mask: Mask::new(found.into_values()) }))
}
