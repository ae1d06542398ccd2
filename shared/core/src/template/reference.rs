//! What templates and conditions refer to.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use super::TemplateError;
use crate::condition::Segment;

/// What a path begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// The payload of the event that started the run.
    Event,
    /// The output of a step.
    Output(u32),
    /// The state of a step: `done`, `failed` or `skipped`.
    State(u32),
    /// What is known of the run.
    Run,
    /// What is known of the SOP.
    Sop,
    /// A secret of this name.
    Secret(String),
}

/// One path, or one secret, that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What it begins with.
    pub root: Root,
    /// The way from there.
    pub path: Vec<Segment>,
    /// As it was written.
    pub text: String,
    /// Whether it may be missing: a `default` follows, or its absence is what is asked.
    pub has_default: bool,
    /// JSON pointer of the text that it is in; empty for a text by itself and for a condition.
    pub pointer: String,
    /// Where, in bytes of that text.
    pub span: Range<usize>,
}

const ROOTS: &[&str] = &["event", "steps", "run", "sop"];
const RUN_KEYS: &[&str] = &["id", "event", "source", "subject", "started_at"];
const SOP_KEYS: &[&str] = &["name", "version", "priority"];

impl Reference {
    /// The reference of a path of a step's condition, with its root among `segments`.
    pub(crate) fn read(
        segments: &[Segment],
        text: &str,
        span: Range<usize>,
        has_default: bool,
    ) -> Result<Self, TemplateError> {
        let reader = Reader { prefix: "$.", span: &span };
        let Some((first, path)) = segments.split_first() else {
            return Err(reader.error("a step's condition names a part of what it sees", ROOT_HELP));
        };
        let word = first.key().unwrap_or(text);
        let (root, path) = reader.root(word, path)?;
        Ok(Self { root, path, text: text.into(), has_default, pointer: String::new(), span })
    }

    /// The reference of a template's path that begins with `word`, at `span` of `text`.
    pub(super) fn read_rooted(
        word: &str,
        path: &[Segment],
        text: &str,
        span: Range<usize>,
    ) -> Result<Self, TemplateError> {
        let (root, path) = Reader { prefix: "", span: &span }.root(word, path)?;
        let text = text[span.clone()].to_owned();
        Ok(Self { root, path, text, has_default: false, pointer: String::new(), span })
    }

    /// What it leads to in the document that steps see; none for a secret.
    pub(super) fn find<'v>(&self, scope: &'v Value) -> Option<&'v Value> {
        let step = |number: u32, what| scope.get("steps")?.get(number.to_string())?.get(what);
        let root = match &self.root {
            Root::Event => scope.get("event"),
            Root::Output(number) => step(*number, "output"),
            Root::State(number) => step(*number, "state"),
            Root::Run => scope.get("run"),
            Root::Sop => scope.get("sop"),
            Root::Secret(_) => None,
        }?;
        self.path.iter().try_fold(root, |value, segment| segment.of(value))
    }
}

const ROOT_HELP: &str = "it begins with `event`, `steps.N.output`, `steps.N.state`, `run` or `sop`";

/// Tells which root a path has.
struct Reader<'r> {
    /// What the author writes before a root.
    prefix: &'static str,
    span: &'r Range<usize>,
}

impl Reader<'_> {
    fn error(&self, message: impl Into<String>, help: impl Into<String>) -> TemplateError {
        TemplateError {
            message: message.into(),
            pointer: String::new(),
            span: self.span.clone(),
            help: Some(help.into()),
        }
    }

    fn root(&self, word: &str, path: &[Segment]) -> Result<(Root, Vec<Segment>), TemplateError> {
        match word {
            "event" => Ok((Root::Event, path.to_vec())),
            "steps" => self.step(path),
            "run" => self.fact(Root::Run, word, RUN_KEYS, path),
            "sop" => self.fact(Root::Sop, word, SOP_KEYS, path),
            "secret" => {
                let help = "write `{{ secret(\"name\") }}` in a value that a built-in gets";
                Err(self.error("a secret is not a path", help))
            }
            unknown => {
                let prefix = self.prefix;
                let help = match near(unknown, ROOTS) {
                    Some(probable) => format!("did you mean `{prefix}{probable}`? {ROOT_HELP}"),
                    None => format!(
                        "for a key of the payload write `{prefix}event.{unknown}`; {ROOT_HELP}"
                    ),
                };
                Err(self.error(format!("nothing is called `{unknown}` here"), help))
            }
        }
    }

    /// What follows `steps`.
    fn step(&self, path: &[Segment]) -> Result<(Root, Vec<Segment>), TemplateError> {
        let prefix = self.prefix;
        let help = || format!("write `{prefix}steps.1.output.key` or `{prefix}steps.1.state`");
        let number = path.first().and_then(Segment::key).and_then(step_number);
        let Some(number) = number else {
            return Err(self.error("a step is named by its number, counted from 1", help()));
        };
        let what = path.get(1).and_then(Segment::key);
        let rest = path.get(2..).unwrap_or_default();
        match what {
            Some("output") => Ok((Root::Output(number), rest.to_vec())),
            Some("state") if rest.is_empty() => Ok((Root::State(number), Vec::new())),
            Some("state") => Err(self.error("a step's state is a text", help())),
            Some(other) => {
                let message = format!("a step has no `{other}`, only `output` and `state`");
                Err(self.error(message, help()))
            }
            None => Err(self.error("a step has an `output` and a `state`", help())),
        }
    }

    /// One of the texts that are known of `word`, or all of them.
    fn fact(
        &self,
        root: Root,
        word: &str,
        keys: &[&str],
        path: &[Segment],
    ) -> Result<(Root, Vec<Segment>), TemplateError> {
        let all = || {
            let keys: Vec<String> =
                keys.iter().map(|key| format!("`{}{word}.{key}`", self.prefix)).collect();
            format!("there is {}", keys.join(", "))
        };
        match path {
            [] => Ok((root, Vec::new())),
            [first, rest @ ..] if first.key().is_some_and(|key| keys.contains(&key)) => {
                match rest {
                    [] => Ok((root, path.to_vec())),
                    [_, ..] => Err(self.error(format!("what `{word}` has are texts"), all())),
                }
            }
            [first, ..] => {
                let message = match first.key() {
                    Some(key) => format!("`{word}` has no `{key}`"),
                    None => format!("`{word}` is not a list"),
                };
                Err(self.error(message, all()))
            }
        }
    }
}

/// The number of a step, as its key in the document is written.
fn step_number(key: &str) -> Option<u32> {
    let number: u32 = key.parse().ok().filter(|number| *number > 0)?;
    (number.to_string() == key).then_some(number)
}

/// The candidate that `word` was probably meant to be.
pub(super) fn near<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let folded = word.to_ascii_lowercase();
    candidates
        .iter()
        .filter(|candidate| word.len() <= 64 && candidate.len() <= 64)
        .map(|candidate| {
            (strsim::damerau_levenshtein(&folded, &candidate.to_ascii_lowercase()), *candidate)
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 4).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What must be loaded before texts can be filled in and conditions judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The payload of the event.
    pub event: bool,
    /// The outputs of these steps.
    pub outputs: BTreeSet<u32>,
}

impl Needs {
    /// Adds what `reference` needs.
    pub fn add(&mut self, reference: &Reference) {
        match &reference.root {
            Root::Event => self.event = true,
            Root::Output(number) => {
                self.outputs.insert(*number);
            }
            Root::State(_) | Root::Run | Root::Sop | Root::Secret(_) => {}
        }
    }
}

/// What must be loaded for `references`.
pub fn needs<'r>(references: impl IntoIterator<Item = &'r Reference>) -> Needs {
    let mut needs = Needs::default();
    references.into_iter().for_each(|reference| needs.add(reference));
    needs
}
