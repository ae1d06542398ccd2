//! JSON Schema, draft 2020-12: checks schemas when a definition is read, and values at a run's boundaries.
//!
//! A crate of its own, so that only those who check values carry the library. Nothing is ever fetched: a
//! reference that leaves the schema is an error. Patterns are matched in linear time, so they have neither
//! look-around nor back-references. No error shows the value that is wrong.
//!
//! Source: JSON Schema, draft 2020-12.

use std::sync::{Arc, Mutex, PoisonError};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;
use sop_core::Digest;

/// Errors that are told; the rest are counted.
pub const ERRORS_MAX: usize = 5;

/// Characters of one error.
const ERROR_CHARS_MAX: usize = 160;

/// Compiled schemas that are kept: more than the definitions that one process works for at a time have.
const COMPILED_MAX: usize = 128;

/// The one meaning of `$schema` that a schema may have.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Why something is not a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SchemaError {
    /// JSON pointer of the place in the schema; empty for the whole.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidateError {
    /// The schema is none, which [`check_schema`] would have told.
    #[error("the schema does not compile: {reason}")]
    Schema {
        /// The first error.
        reason: String,
    },
    /// The value is not as the schema says.
    #[error("the value does not fit the schema: {reason}")]
    Value {
        /// JSON pointer of the first error; empty for the whole.
        pointer: String,
        /// The first errors with their JSON pointers, and how many more there are.
        reason: String,
    },
}

/// Checks that `schema` is a JSON Schema of draft 2020-12 that can be used here.
///
/// # Errors
/// The first [`ERRORS_MAX`] errors, each with its place.
pub fn check_schema(schema: &Value) -> Result<(), Vec<SchemaError>> {
    if !schema.is_object() && !schema.is_boolean() {
        return Err(vec![SchemaError {
            pointer: String::new(),
            message: "a schema is an object".into(),
            help: Some("write for example `{\"type\": \"object\"}`".into()),
        }]);
    }
    if let Some(other) = schema.get("$schema").filter(|draft| !is_draft(draft)) {
        return Err(vec![SchemaError {
            pointer: "/$schema".into(),
            message: format!("{} is not the draft that is read here", cut(&other.to_string())),
            help: Some(format!("leave it out, or write `{DRAFT}`")),
        }]);
    }
    let wrong: Vec<SchemaError> = jsonschema::draft202012::meta::validator()
        .iter_errors(schema)
        .take(ERRORS_MAX)
        .map(|error| of(&error))
        .collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    compile(schema).map(drop).map_err(|error| vec![*error])
}

/// Why `schema` cannot be used, with the place in it, in one line; `None` when it can.
pub fn problem(schema: &Value) -> Option<String> {
    let problems = check_schema(schema).err()?;
    problems.first().map(|problem| match problem.pointer.as_str() {
        "" => problem.message.clone(),
        pointer => format!("at `{pointer}`: {}", problem.message),
    })
}

/// Checks `value` against `schema`, which is compiled once a process for as long as it is in use.
///
/// # Errors
/// [`ValidateError`] tells the first [`ERRORS_MAX`] errors by JSON pointer, in at most about 900 characters,
/// without the values that are wrong. The same value fits never: trying again cannot help.
pub fn validate(schema: &Value, value: &Value) -> Result<(), ValidateError> {
    let validator = compiled(schema)?;
    let mut errors = validator.iter_errors(value);
    let first: Vec<ValidationError<'_>> = errors.by_ref().take(ERRORS_MAX).collect();
    let Some(pointer) = first.first().map(|error| cut(error.instance_path().as_str())) else {
        return Ok(());
    };
    let told: Vec<String> = first.iter().map(told).collect();
    let more = match errors.count() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Err(ValidateError::Value { pointer, reason: format!("{}{more}", told.join("; ")) })
}

/// The compiled schemas, the last one used at the end.
static COMPILED: Mutex<Vec<(Digest, Arc<Validator>)>> = Mutex::new(Vec::new());

fn compiled(schema: &Value) -> Result<Arc<Validator>, ValidateError> {
    let digest = Digest::of(schema.to_string().as_bytes());
    let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(at) = kept.iter().position(|(of, _)| *of == digest) {
        let entry = kept.remove(at);
        let validator = Arc::clone(&entry.1);
        kept.push(entry);
        return Ok(validator);
    }
    drop(kept);
    let validator = compile(schema).map(Arc::new).map_err(|error| ValidateError::Schema {
        reason: placed(&error.pointer, &error.message),
    })?;
    let mut kept = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= COMPILED_MAX {
        kept.remove(0);
    }
    kept.push((digest, Arc::clone(&validator)));
    Ok(validator)
}

fn compile(schema: &Value) -> Result<Validator, Box<SchemaError>> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .map_err(|error| Box::new(of(&error)))
}

fn is_draft(draft: &Value) -> bool {
    draft.as_str().is_some_and(|draft| draft.trim_end_matches('#') == DRAFT)
}

fn of(error: &ValidationError<'_>) -> SchemaError {
    let leaves = matches!(error.kind(), ValidationErrorKind::Referencing(_));
    let help = leaves.then(|| "a `$ref` stays within its schema, as in `#/$defs/name`".to_owned());
    // A schema is no secret: what is wrong may be shown.
    let message = cut(&error.to_string());
    SchemaError { pointer: error.instance_path().as_str().to_owned(), message, help }
}

fn told(error: &ValidationError<'_>) -> String {
    placed(error.instance_path().as_str(), &cut(&error.masked().to_string()))
}

fn placed(pointer: &str, message: &str) -> String {
    match pointer {
        "" => message.to_owned(),
        pointer => format!("`{}`: {message}", cut(pointer)),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
