//! `auth` of a webhook trigger: what its callers must show.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::choice::{self, AUTHS, SCHEMES};
use super::code;
use super::diagnostic::{Sink, choices, quoted};
use super::fields::{self, Keys};
use super::keys;
use super::model::{Auth, Scheme, Signed};
use crate::limits::SIGNING_SECRETS_MAX;
use crate::template::is_secret_name;

/// Reads `auth`; the default when it is absent or, reported, wrong.
pub(super) fn read(sink: &mut Sink<'_>, table: &DeTable<'_>) -> Auth {
    let Some(value) = table.get("auth") else { return Auth::default() };
    let auth = match value.get_ref() {
        DeValue::Table(inline) => signed(sink, inline, value.span()).map(Auth::Signed),
        DeValue::String(word) => by_word(sink, word, value.span()),
        other @ (DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)) => {
            fields::wrong_type(sink, "auth", value.span(), "a word or a table", other);
            None
        }
    };
    auth.unwrap_or_default()
}

fn by_word(sink: &mut Sink<'_>, word: &str, at: Range<usize>) -> Option<Auth> {
    if let Some((_, auth)) = AUTHS.iter().find(|(name, _)| *name == word) {
        return Some(auth.clone());
    }
    if SCHEMES.iter().any(|(name, _)| *name == word) {
        let message = format!("auth {} does not say with which secret", quoted(word));
        let help = format!("write `auth = {{ type = \"{word}\", secret = \"name\" }}`");
        sink.error_with_help(code::BAD_AUTH, at, message, help);
        return None;
    }
    let mut names = choice::names(AUTHS);
    names.extend(choice::names(SCHEMES));
    let message = format!("{} is not a value of `auth`", quoted(word));
    sink.error_with_help(code::BAD_CHOICE, at, message, choices(word, &names));
    None
}

fn signed(sink: &mut Sink<'_>, table: &DeTable<'_>, at: Range<usize>) -> Option<Signed> {
    let known = keys::names(keys::AUTH);
    let place = "`auth`";
    let checked = Keys { known: &known, unknown_code: code::UNKNOWN_TRIGGER_KEY, place };
    fields::check_keys(sink, table, &checked);
    for key in ["type", "secret"] {
        if !table.contains_key(key) {
            let message = format!("an `auth` table has a `{key}`, and this one has none");
            let help = format!("add `{key} = \"...\"`");
            sink.error_with_help(code::MISSING_TRIGGER_KEY, at.clone(), message, help);
        }
    }
    let scheme = fields::choice(sink, table, "type", SCHEMES);
    let secrets = secrets(sink, table);
    let tolerance_secs = fields::duration(sink, table, "tolerance");
    let scheme = scheme?;
    if tolerance_secs.is_some() && !scheme.is_timed() {
        let span = table.get("tolerance").map_or(at, toml::Spanned::span);
        let message = "GitHub's signatures do not say when they were made".to_owned();
        let help = "leave `tolerance` out".to_owned();
        sink.error_with_help(code::BAD_AUTH, span, message, help);
    }
    let tolerance_secs = tolerance_secs.filter(|_| scheme != Scheme::Github);
    Some(Signed { scheme, secrets: secrets?, tolerance_secs })
}

/// The names in `secret`: one, or a list of them.
fn secrets(sink: &mut Sink<'_>, table: &DeTable<'_>) -> Option<Vec<String>> {
    let value = table.get("secret")?;
    let names = match value.get_ref() {
        DeValue::Array(_) => fields::texts(sink, table, "secret")?,
        DeValue::String(name) => vec![name.to_string()],
        other @ (DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_)) => {
            fields::wrong_type(sink, "secret", value.span(), "a name or a list of names", other);
            return None;
        }
    };
    if !names.iter().all(|name| is_secret_name(name)) {
        // Not repeated: it may be the secret itself.
        let message = "`secret` is not the name of a secret".to_owned();
        let help = "write its name, not the secret: a letter, then letters, digits, `_` and `-`";
        sink.error_with_help(code::BAD_AUTH, value.span(), message, help.to_owned());
        return None;
    }
    if names.is_empty() || names.len() > SIGNING_SECRETS_MAX {
        let message = format!("`secret` names {} secrets", names.len());
        let help = format!(
            "name 1 to {SIGNING_SECRETS_MAX}: the new one, and the old while senders change"
        );
        sink.error_with_help(code::BAD_AUTH, value.span(), message, help);
        return None;
    }
    Some(names)
}
