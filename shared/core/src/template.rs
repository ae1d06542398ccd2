//! Templates: texts with `{{ ... }}` in them, filled in from what a run knows.
//!
//! ```text
//! text       = { any text | "{{" expression { "|" filter } "}}" }
//! expression = path | "secret" "(" quoted ")" | quoted
//! path       = "event" {segment} | "steps" "." N "." ("output" {segment} | "state")
//!            | "run" [segment] | "sop" [segment]
//! segment    = "." name | "." number | "[" number "]" | "[" quoted "]"
//! filter     = "default" "(" (JSON | quoted) ")" | "json"
//! quoted     = a text in double or single quotes, with the escapes of conditions
//! ```
//!
//! **Types.** A text that is one template and nothing else becomes the value itself, of any type. Within
//! other text a text goes in as it is, a number or a boolean as JSON, an array or an object as compact
//! JSON; null and what is missing are errors. `default` stands in for null and for what is missing, `json`
//! gives the compact JSON text of any value. A literal `{{` is written `{{ "{{" }}`.
//!
//! **Only texts are templates.** Keys are not: one with `{{` in it is an error. Nothing that was filled in
//! is looked at again, so no payload can bring a template, or name a secret, of its own.
//!
//! **Secrets** are never in a rendered value: `***` stands in their place, and [`Rendered::secrets`] says
//! where they belong. Only who calls out into the world puts them there ([`Rendered::resolve`]).

use std::ops::Range;

use serde_json::Value;

mod mask;
mod parser;
mod reference;
mod render;
mod rendered;
mod shape;
mod steps;
#[cfg(test)]
mod tests;

pub use mask::Mask;
pub(crate) use parser::is_secret_name;
pub use reference::{Needs, Reference, Root, needs};
pub use render::{RenderError, render, render_text};
pub use rendered::{MissingSecret, Part, Rendered, SecretAt};
pub use steps::{Finding, Key, Outline, takes_secrets};

use crate::condition::ConditionError;
use crate::limits::NESTING_MAX;

/// Why a text is not a template, or a path not one that a step can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong: lower case, no period.
    pub message: String,
    /// JSON pointer of the text in the value that was checked; empty where it was a text itself.
    pub pointer: String,
    /// Where, in bytes of that text.
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl From<ConditionError> for TemplateError {
    fn from(error: ConditionError) -> Self {
        let ConditionError { message, span, help } = error;
        Self { message, pointer: String::new(), span, help }
    }
}

/// Whether there is `{{` in any text of `value`, keys included.
pub fn is_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template_text(text),
        Value::Array(items) => items.iter().any(is_template),
        Value::Object(map) => {
            map.iter().any(|(key, value)| is_template_text(key) || is_template(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether there is `{{` in `text`.
pub fn is_template_text(text: &str) -> bool {
    text.contains("{{")
}

/// Checks the templates of one text.
///
/// # Errors
/// [`TemplateError`] points at the bytes of the first that is wrong.
pub fn check(text: &str) -> Result<(), TemplateError> {
    parser::parse(text).map(drop)
}

/// The paths and secrets that the templates of `value` name, in its order.
///
/// # Errors
/// [`TemplateError`] tells of the first template that is wrong, and of a key that has `{{` in it.
pub fn references(value: &Value) -> Result<Vec<Reference>, TemplateError> {
    let mut out = Vec::new();
    collect(value, &mut Pointer::default(), &mut out)?;
    Ok(out)
}

fn collect(
    value: &Value,
    pointer: &mut Pointer,
    out: &mut Vec<Reference>,
) -> Result<(), TemplateError> {
    match value {
        Value::String(text) if is_template_text(text) => {
            let at = |error| TemplateError { pointer: pointer.to_string(), ..error };
            let pieces = parser::parse(text).map_err(at)?;
            for expression in pieces.into_iter().filter_map(parser::Piece::expression) {
                out.extend(expression.reference(pointer.to_string()));
            }
            Ok(())
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            let done = pointer.within(&index.to_string(), |pointer| collect(item, pointer, out));
            done.unwrap_or_else(|| Err(too_deep(pointer)))
        }),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            let done = pointer.within(key, |pointer| {
                refuse_key(key, pointer)?;
                collect(value, pointer, out)
            });
            done.unwrap_or_else(|| Err(too_deep(pointer)))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// An error where a key looks like a template.
fn refuse_key(key: &str, pointer: &Pointer) -> Result<(), TemplateError> {
    match key.find("{{") {
        None => Ok(()),
        Some(at) => Err(TemplateError {
            message: "a key cannot be a template".into(),
            pointer: pointer.to_string(),
            span: at..key.len(),
            help: Some("write the key as it is; only values are filled in".into()),
        }),
    }
}

fn too_deep(pointer: &Pointer) -> TemplateError {
    TemplateError {
        message: format!("nested more than {NESTING_MAX} deep"),
        pointer: pointer.to_string(),
        span: 0..0,
        help: None,
    }
}

/// The place in a JSON value that a walk is at.
///
/// Source: RFC 6901.
#[derive(Debug, Default)]
struct Pointer {
    text: String,
    depth: usize,
}

impl Pointer {
    /// What `go` gives of the value below `key`; `None` when that is deeper than values may be.
    fn within<T>(&mut self, key: &str, go: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth == NESTING_MAX {
            return None;
        }
        let length = self.text.len();
        self.text.push('/');
        for c in key.chars() {
            match c {
                '~' => self.text.push_str("~0"),
                '/' => self.text.push_str("~1"),
                other => self.text.push(other),
            }
        }
        self.depth += 1;
        let done = go(self);
        self.depth -= 1;
        self.text.truncate(length);
        Some(done)
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
