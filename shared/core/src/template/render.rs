//! Fills templates in.

use std::borrow::Cow;
use std::io;

use serde_json::Value;

use super::parser::{self, Expression, Filter, Piece};
use super::reference::Reference;
use super::rendered::{Part, Rendered, SecretAt};
use super::{Pointer, TemplateError, is_template_text, refuse_key};
use crate::limits::{NESTING_MAX, PAYLOAD_BYTES_MAX};

/// What stands in a rendered value where a secret belongs.
pub(super) const MASK: &str = "***";

/// Why a value could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Nothing is at a path, and there is no `default`.
    #[error("`{path}` is missing{}", at(pointer))]
    Missing {
        /// JSON pointer of the text.
        pointer: String,
        /// The path as written.
        path: String,
    },
    /// Null is at a path within a text, and there is no `default`.
    #[error("`{path}` is null and stands within a text{}", at(pointer))]
    Null {
        /// JSON pointer of the text.
        pointer: String,
        /// The path as written.
        path: String,
    },
    /// A secret in a text that people see.
    #[error("a secret cannot be shown{}", at(pointer))]
    Secret {
        /// JSON pointer of the text.
        pointer: String,
    },
    /// A template that validation would have refused.
    #[error("not a template{}", at(&source.pointer))]
    Malformed {
        /// Why, and where.
        source: TemplateError,
    },
    /// The whole is too large.
    #[error("the rendered value has more than {PAYLOAD_BYTES_MAX} bytes")]
    TooLarge,
    /// The whole is nested too deep.
    #[error("nested more than {NESTING_MAX} deep{}", at(pointer))]
    TooDeep {
        /// JSON pointer of the place.
        pointer: String,
    },
}

fn at(pointer: &str) -> String {
    match pointer {
        "" => String::new(),
        pointer => format!(" (at `{pointer}`)"),
    }
}

impl From<TemplateError> for RenderError {
    fn from(source: TemplateError) -> Self {
        Self::Malformed { source }
    }
}

/// Fills in the templates of `value` from `scope`, the document that steps see.
///
/// The rendered value has at most [`PAYLOAD_BYTES_MAX`] bytes of JSON, nested at most [`NESTING_MAX`] deep.
///
/// # Errors
/// [`RenderError`] names the place and the path that is missing there. Trying again cannot help until the
/// scope has changed.
pub fn render(value: &Value, scope: &Value) -> Result<Rendered, RenderError> {
    let mut renderer = Renderer { scope, left: PAYLOAD_BYTES_MAX, secrets: Vec::new() };
    let value = renderer.value(value, &mut Pointer::default())?;
    measure(&value, PAYLOAD_BYTES_MAX)?;
    Ok(Rendered { value, secrets: renderer.secrets })
}

/// Fills in the templates of `text`, which stays a text even where it is one template alone.
///
/// # Errors
/// As [`render`]; and when it has a secret, for people and ledgers see it.
pub fn render_text(text: &str, scope: &Value) -> Result<String, RenderError> {
    let mut renderer = Renderer { scope, left: PAYLOAD_BYTES_MAX, secrets: Vec::new() };
    let parts = renderer.parts(parser::parse(text)?, &Pointer::default())?;
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out += &text,
            Part::Secret(_) => return Err(RenderError::Secret { pointer: String::new() }),
        }
    }
    Ok(out)
}

struct Renderer<'s> {
    scope: &'s Value,
    /// Bytes that may still be filled in.
    left: usize,
    secrets: Vec<SecretAt>,
}

impl<'s> Renderer<'s> {
    fn value(&mut self, value: &Value, pointer: &mut Pointer) -> Result<Value, RenderError> {
        match value {
            Value::String(text) if is_template_text(text) => self.text(text, pointer),
            Value::Array(items) => items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let done = pointer.within(&index.to_string(), |at| self.value(item, at));
                    done.unwrap_or_else(|| Err(too_deep(pointer)))
                })
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| {
                    let done = pointer.within(key, |at| {
                        refuse_key(key, at)?;
                        self.value(value, at)
                    });
                    let value = done.unwrap_or_else(|| Err(too_deep(pointer)))?;
                    Ok((key.clone(), value))
                })
                .collect::<Result<_, _>>()
                .map(Value::Object),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
        }
    }

    /// A text with templates: the value itself where it is one path alone.
    fn text(&mut self, text: &str, pointer: &Pointer) -> Result<Value, RenderError> {
        let malformed = |error| TemplateError { pointer: pointer.to_string(), ..error };
        let mut pieces = parser::parse(text).map_err(malformed)?;
        if pieces.len() == 1
            && let Some(Piece::Expression(Expression::Path(reference, filters))) =
                pieces.pop_if(|piece| matches!(piece, Piece::Expression(Expression::Path(..))))
        {
            let value = self.find(&reference, &filters, pointer)?;
            if pointer.depth + depth(&value) > NESTING_MAX {
                return Err(too_deep(pointer));
            }
            self.left -= measure(&value, self.left)?;
            return Ok(value.into_owned());
        }
        let parts = self.parts(pieces, pointer)?;
        let shown = parts.iter().map(Part::shown).collect();
        if parts.iter().any(|part| matches!(part, Part::Secret(_))) {
            self.secrets.push(SecretAt { pointer: pointer.to_string(), parts });
        }
        Ok(Value::String(shown))
    }

    /// The parts of a text; texts that follow each other are one.
    fn parts(
        &mut self,
        pieces: Vec<Piece<'_>>,
        pointer: &Pointer,
    ) -> Result<Vec<Part>, RenderError> {
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.push(&mut parts, &text)?,
                Piece::Expression(Expression::Secret(name, _)) => parts.push(Part::Secret(name)),
                Piece::Expression(Expression::Path(reference, filters)) => {
                    let value = self.find(&reference, &filters, pointer)?;
                    match &*value {
                        Value::Null => {
                            let (pointer, path) = (pointer.to_string(), reference.text);
                            return Err(RenderError::Null { pointer, path });
                        }
                        Value::String(text) => self.push(&mut parts, text)?,
                        json @ (Value::Bool(_)
                        | Value::Number(_)
                        | Value::Array(_)
                        | Value::Object(_)) => {
                            measure(json, self.left)?;
                            self.push(&mut parts, &json.to_string())?;
                        }
                    }
                }
            }
        }
        Ok(parts)
    }

    fn push(&mut self, parts: &mut Vec<Part>, text: &str) -> Result<(), RenderError> {
        self.left = self.left.checked_sub(text.len()).ok_or(RenderError::TooLarge)?;
        match parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            Some(Part::Secret(_)) | None => parts.push(Part::Text(text.to_owned())),
        }
        Ok(())
    }

    /// The value of a path after its filters.
    fn find(
        &self,
        reference: &Reference,
        filters: &[Filter],
        pointer: &Pointer,
    ) -> Result<Cow<'s, Value>, RenderError> {
        let mut found = reference.find(self.scope).map(Cow::Borrowed);
        for filter in filters {
            found = match (filter, found) {
                (Filter::Default(value), None) => Some(Cow::Owned(value.clone())),
                (Filter::Default(value), Some(found)) if found.is_null() => {
                    Some(Cow::Owned(value.clone()))
                }
                (Filter::Json, Some(found)) => {
                    measure(&found, self.left)?;
                    Some(Cow::Owned(Value::String(found.to_string())))
                }
                (Filter::Default(_) | Filter::Json, found) => found,
            };
        }
        found.ok_or_else(|| RenderError::Missing {
            pointer: pointer.to_string(),
            path: reference.text.clone(),
        })
    }
}

fn too_deep(pointer: &Pointer) -> RenderError {
    RenderError::TooDeep { pointer: pointer.to_string() }
}

/// Arrays and objects in each other.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// The bytes of a value's JSON, of which there are at most `most`; nothing is kept of them.
fn measure(value: &Value, most: usize) -> Result<usize, RenderError> {
    let mut counter = Counter { left: most };
    match serde_json::to_writer(&mut counter, value) {
        Ok(()) => Ok(most - counter.left),
        Err(_) => Err(RenderError::TooLarge),
    }
}

/// Takes so many bytes and no more.
struct Counter {
    left: usize,
}

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
