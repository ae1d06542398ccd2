//! Who takes part in a story.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sop_core::definition::{self, Definition, SourceFiles, Workspace};
use sop_core::id::SopName;

/// The texts of a workspace, from which each story takes the SOPs that it needs.
#[derive(Debug, Clone, Default)]
pub struct Cast {
    /// The SOPs.
    pub files: Vec<SourceFiles>,
    /// `workspace.toml`: its path, for display, and its text.
    pub workspace: Option<(String, String)>,
}

impl Cast {
    /// The texts of `sop`, of `others`, and of all that they start, with their definitions.
    ///
    /// # Errors
    /// Names the SOP that is not there or has errors.
    pub fn of(
        &self,
        sop: &SopName,
        others: &[String],
    ) -> Result<(Vec<SourceFiles>, BTreeMap<SopName, Definition>), String> {
        let rules = match &self.workspace {
            Some((file, text)) => Workspace::parse(text, file).0,
            None => Workspace::default(),
        };
        let parsed = self.files.iter().map(|files| (files, definition::parse(files, &rules)));
        let all: BTreeMap<String, (&SourceFiles, Option<Definition>)> = parsed
            .filter_map(|(files, parsed)| Some((parsed.name?.name, (files, parsed.definition))))
            .collect();
        let mut open: Vec<String> = others.to_vec();
        open.push(sop.to_string());
        let mut seen = BTreeSet::new();
        let (mut files, mut definitions) = (Vec::new(), BTreeMap::new());
        while let Some(name) = open.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            match all.get(&name) {
                Some((texts, Some(definition))) => {
                    open.extend(started_by(definition));
                    files.push((*texts).clone());
                    definitions.insert(definition.name.clone(), definition.clone());
                }
                Some((_, None)) => return Err(format!("`{name}` has errors: see `sop validate`")),
                // One that another SOP starts may be missing: that is a story too.
                None if name == sop.as_str() || others.contains(&name) => {
                    return Err(format!("there is no SOP `{name}`"));
                }
                None => {}
            }
        }
        Ok((files, definitions))
    }
}

/// The SOPs that steps of `sop` start.
fn started_by(sop: &Definition) -> impl Iterator<Item = String> {
    let starts = sop.steps.iter().filter(|step| step.capability.as_deref() == Some("sop.start"));
    starts
        .filter_map(|step| step.with.as_ref()?.get("sop").and_then(Value::as_str))
        .map(str::to_owned)
}
