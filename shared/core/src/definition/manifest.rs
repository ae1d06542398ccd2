//! `SOP.toml`: the `[sop]` table and the list of triggers.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::code;
use super::diagnostic::{Sink, listed, quoted, suggest};
use super::fields::{self, Keys};
use super::keys;
use super::model::Trigger;
use super::settings::Settings;
use super::trigger;
use super::with;
use crate::id::SopName;

const TABLES: &[&str] = &["sop", "triggers"];

/// What `SOP.toml` says; what was missing or wrong has its default.
#[derive(Default)]
pub(super) struct Manifest {
    /// The name as written, and where.
    pub(super) written_name: Option<(String, Range<usize>)>,
    pub(super) name: Option<SopName>,
    pub(super) description: String,
    pub(super) version: String,
    pub(super) input: Option<(Value, Range<usize>)>,
    pub(super) settings: Settings,
    pub(super) triggers: Vec<Trigger>,
}

impl Manifest {
    /// The schema that each payload fits, where each start is one by hand.
    pub(super) fn payload(&self) -> Option<&Value> {
        let by_hand = self.triggers.iter().all(|trigger| matches!(trigger, Trigger::Manual));
        self.input.as_ref().filter(|_| by_hand).map(|(schema, _)| schema)
    }
}

/// Reads the text of the sink.
pub(super) fn read(sink: &mut Sink<'_>) -> Manifest {
    let source = sink.source();
    let document = match DeTable::parse(source) {
        Ok(document) => document,
        Err(error) => {
            sink.error(code::SYNTAX, error.span().unwrap_or(0..0), fields::toml_reason(&error));
            return Manifest::default();
        }
    };
    let root = document.get_ref();
    let mut manifest = Manifest::default();
    let sop = sop_table(sink, root);
    check_tables(sink, root, sop.is_some());
    if let Some((table, at)) = sop {
        read_sop(sink, table, at, &mut manifest);
    }
    read_triggers(sink, root, &mut manifest);
    // What is missing may be what an error already speaks of.
    if !sink.has_errors() {
        warn_of_absences(sink, root, &manifest);
    }
    manifest
}

fn sop_table<'t, 'i>(
    sink: &mut Sink<'_>,
    root: &'t DeTable<'i>,
) -> Option<(&'t DeTable<'i>, Range<usize>)> {
    match root.get("sop").map(|value| (value.get_ref(), value.span())) {
        Some((DeValue::Table(table), at)) => Some((table, at)),
        Some((other, at)) => {
            fields::wrong_type(sink, "sop", at, "a table, written `[sop]`", other);
            None
        }
        None => {
            // A file whose keys stand bare needs one remark, not one for each key.
            let bare = root
                .keys()
                .filter(|key| keys::of_sop().contains(&key.get_ref().as_ref()))
                .min_by_key(|key| key.span().start);
            let at = bare.map_or(0..0, Spanned::span);
            let help = "begin the file with `[sop]`, then `name = \"...\"`".to_owned();
            sink.error_with_help(code::NO_SOP_TABLE, at, "there is no `[sop]` table".into(), help);
            None
        }
    }
}

fn check_tables(sink: &mut Sink<'_>, root: &DeTable<'_>, has_sop: bool) {
    for key in root.keys() {
        let name: &str = key.get_ref();
        if TABLES.contains(&name) || (!has_sop && keys::of_sop().contains(&name)) {
            continue;
        }
        let help = if name == "steps" {
            "steps are the numbered list under `## Steps` in SOP.md".into()
        } else if keys::of_sop().contains(&name) {
            format!("move `{name}` below `[sop]`")
        } else if let Some(probable) = suggest(name, TABLES) {
            format!("did you mean `{probable}`?")
        } else {
            format!("a file has {}", listed(TABLES))
        };
        let message = format!("unknown table or key {}", quoted(name));
        sink.error_with_help(code::UNKNOWN_TABLE, key.span(), message, help);
    }
}

fn read_sop(sink: &mut Sink<'_>, table: &DeTable<'_>, at: Range<usize>, manifest: &mut Manifest) {
    let known = keys::of_sop();
    let keys = Keys { known: &known, unknown_code: code::UNKNOWN_KEY, place: "`[sop]`" };
    fields::check_keys(sink, table, &keys);
    read_name(sink, table, at, manifest);
    if let Some(description) = fields::text(sink, table, "description") {
        manifest.description = description.text.trim().to_owned();
    }
    manifest.version = fields::some_text(sink, table, "version")
        .map_or_else(|| "0.1.0".to_owned(), |version| version.text.to_owned());
    manifest.input = schema(sink, table, "input");
    manifest.settings = Settings::read(sink, table);
}

/// The JSON Schema of `key`: a table, `true` or `false`, or a text that holds JSON.
fn schema(sink: &mut Sink<'_>, table: &DeTable<'_>, key: &str) -> Option<(Value, Range<usize>)> {
    let value = table.get(key)?;
    let read = if let DeValue::String(text) = value.get_ref() {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        with::to_json(value.get_ref())
    };
    let reason = match read {
        Ok(schema) if with::is_schema(&schema) => return Some((schema, value.span())),
        Ok(_) => "it is an object, `true` or `false`".to_owned(),
        Err(reason) => reason,
    };
    let message = format!("`{key}` is not a JSON Schema: {reason}");
    let help = format!("write `{key} = {{ type = \"object\" }}`, or JSON in quotes");
    sink.error_with_help(code::BAD_SCHEMA, value.span(), message, help);
    None
}

fn read_name(sink: &mut Sink<'_>, table: &DeTable<'_>, at: Range<usize>, manifest: &mut Manifest) {
    if !table.contains_key("name") {
        // A misspelt key is already reported, and says the same.
        if !table.keys().any(|key| suggest(key.get_ref(), &keys::of_sop()) == Some("name")) {
            let help = "add `name = \"...\"` below `[sop]`".to_owned();
            sink.error_with_help(code::NO_NAME, at, "the SOP has no name".into(), help);
        }
        return;
    }
    let Some(name) = fields::text(sink, table, "name") else { return };
    manifest.written_name = Some((name.text.to_owned(), name.span.clone()));
    match SopName::parse(name.text) {
        Ok(parsed) => manifest.name = Some(parsed),
        Err(_) => {
            let message = format!("{} cannot name an SOP", quoted(name.text));
            let help = "a name is 1 to 64 letters, digits, `.`, `_` or `-`, and begins with a \
                        letter or digit"
                .to_owned();
            sink.error_with_help(code::BAD_NAME, name.span, message, help);
        }
    }
}

/// The IANA time zone of a table's `timezone`.
pub(super) fn timezone(sink: &mut Sink<'_>, table: &DeTable<'_>) -> Option<String> {
    let zone = fields::text(sink, table, "timezone")?;
    if zone.text.parse::<chrono_tz::Tz>().is_ok() {
        return Some(zone.text.to_owned());
    }
    let names: Vec<&str> = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
    let help = match suggest(zone.text, &names) {
        Some(probable) => format!("did you mean `{probable}`?"),
        None => "write an IANA name such as `Europe/Berlin`".into(),
    };
    let message = format!("{} is not a time zone", quoted(zone.text));
    sink.error_with_help(code::BAD_TIMEZONE, zone.span, message, help);
    None
}

fn read_triggers(sink: &mut Sink<'_>, root: &DeTable<'_>, manifest: &mut Manifest) {
    let Some(value) = root.get("triggers") else { return };
    let DeValue::Array(list) = value.get_ref() else {
        let expected = "a list, each written `[[triggers]]`";
        fields::wrong_type(sink, "triggers", value.span(), expected, value.get_ref());
        return;
    };
    for entry in list.iter() {
        let Some(table) = entry.get_ref().as_table() else {
            let expected = "a list of tables";
            fields::wrong_type(sink, "triggers", entry.span(), expected, entry.get_ref());
            continue;
        };
        manifest.triggers.extend(trigger::read(sink, table, entry.span()));
    }
}

fn warn_of_absences(sink: &mut Sink<'_>, root: &DeTable<'_>, manifest: &Manifest) {
    let Some((_, name_at)) = manifest.written_name.clone() else { return };
    if manifest.description.is_empty() {
        let help = "say in a line what it is for: `description = \"...\"`".to_owned();
        let message = "the SOP has no description".to_owned();
        sink.warn(code::NO_DESCRIPTION, name_at.clone(), message, help);
    }
    if manifest.triggers.is_empty() {
        let at = root.get("triggers").map_or(name_at, Spanned::span);
        let help = "add `[[triggers]]` with `type = \"manual\"` to start it by hand".to_owned();
        sink.warn(code::NO_TRIGGERS, at, "nothing starts this SOP".into(), help);
    }
}
