//! The second look at the JSON Schemas of a definition, by whoever has a library that evaluates them.

use serde_json::Value;

use super::diagnostic::{Diagnostic, Sink};
use super::{SourceFiles, code, file_path, manifest, markdown, with};

/// Checks each JSON Schema in the texts of an SOP: `input` and `output` wherever they stand, and the `schema` of
/// `json.validate`. `problem` says why a value is no usable schema, and nothing when it is one.
///
/// Meant for texts in which [`parse`](super::parse) finds no errors; of others, what can be read is checked.
pub fn check_schemas(
    files: &SourceFiles,
    problem: impl Fn(&Value) -> Option<String>,
) -> Vec<Diagnostic> {
    let new = |file: &str, text| Sink::new(file_path(&files.directory, file), text);
    let manifest = manifest::read(&mut new("SOP.toml", &files.toml));
    let mut toml = new("SOP.toml", &files.toml);
    let check = |sink: &mut Sink<'_>, key: &str, schema: &Value, at| {
        if let Some(reason) = problem(schema) {
            let message = format!("`{key}` is not a JSON Schema: {reason}");
            let help = "see <https://json-schema.org/draft/2020-12>".to_owned();
            sink.error_with_help(code::BAD_SCHEMA, at, message, help);
        }
    };
    if let Some((schema, at)) = manifest.input {
        check(&mut toml, "input", &schema, at);
    }
    let text = files.markdown.as_deref().unwrap_or_default();
    let steps = markdown::read(&mut new("SOP.md", text));
    let mut md = new("SOP.md", text);
    for written in steps {
        let step = &written.step;
        for (key, schema) in [("input", &step.input), ("output", &step.output)] {
            if let Some(schema) = schema {
                check(&mut md, key, schema, written.place(key));
            }
        }
        let validates = step.capability.as_deref() == Some("json.validate");
        let schema = step.with.as_ref().and_then(|with| with.get("schema"));
        if let Some(schema) = schema.filter(|_| validates) {
            let whole = written.place("with");
            let at = with::key_span(text, &whole, "schema").unwrap_or(whole);
            check(&mut md, "schema", schema, at);
        }
    }
    let name = manifest.written_name.as_ref().map(|(name, _)| name.as_str());
    let mut found = toml.finish(name);
    found.extend(md.finish(name));
    found
}
