//! Definitions as text: the two files that say what a definition says.
//!
//! Reading what is printed gives the definition back, under the same workspace. Defaults are written out where a
//! workspace could have others.

use super::SourceFiles;
use super::model::Definition;

mod json;
mod manifest;
mod markdown;
mod step;
mod title;
mod toml;

pub use markdown::format_markdown;

/// The texts of one SOP, in a directory of its name.
///
/// A definition that was read from texts comes back from these. One that was made otherwise may have a body that
/// no `SOP.md` can hold, such as a list with an item that would be a key: it is put into a fenced block, so that
/// at least every key says what it said.
pub fn print(definition: &Definition) -> SourceFiles {
    SourceFiles {
        directory: definition.name.to_string(),
        toml: manifest::print(definition),
        markdown: Some(markdown::print(definition)),
    }
}
