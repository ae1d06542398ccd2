//! Questions that a transition asks about values, and where the answers come from.
//!
//! While deciding, conditions and templates are worked out over the values at hand, and each answer is
//! written down; a value that is not at hand is named, so that the caller fetches it and decides again.
//! While replaying, the answers that were written down are read back. Either way the run moves alike.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use crate::condition::{Condition, Payload};
use crate::definition::{Definition, Step};
use crate::engine::fact::Answer;
use crate::engine::state::{How, Place, Run, Stored};
use crate::id::Digest;
use crate::limits::{ENTRY_ARGS_BYTES_MAX, INLINE_BYTES_MAX};
use crate::template::{self, Reference, RenderError, Rendered};

/// A value that a transition looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// What an entry holds: the event's payload or a step's output. The entry may be the one that is being
    /// decided on: then it is what the input brings.
    Value(Place),
    /// The rendered arguments, as a [`Rendered`], of a step under way.
    Args(u32),
}

/// The values that are at hand.
#[derive(Debug, Clone, Default)]
pub struct Values(BTreeMap<Need, Value>);

impl Values {
    /// Adds a value; `None` is null.
    pub fn put(&mut self, need: Need, value: Option<Value>) {
        self.0.insert(need, value.unwrap_or(Value::Null));
    }

    /// The value, if it is at hand.
    pub fn get(&self, need: &Need) -> Option<&Value> {
        self.0.get(need)
    }
}

/// A text that has to be in the store before the entry that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256 of the text.
    pub digest: Digest,
    /// The text.
    pub text: String,
}

/// Who answers.
#[derive(Debug)]
enum From<'a> {
    /// The values.
    Values(Cow<'a, Values>),
    /// The ledger.
    Ledger(VecDeque<Answer>),
}

/// Answers a transition's questions and keeps the answers.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    from: From<'a>,
    /// The answers given, in order.
    pub(super) answers: Vec<Answer>,
    /// Texts that the fact and the answers name.
    pub(super) blobs: Vec<Blob>,
    /// Bytes of arguments that the answers hold themselves.
    args_bytes: ArgsBytes,
    /// Values that were asked for and are not at hand: what was decided without them counts for nothing.
    pub(super) missing: BTreeSet<Need>,
    /// Whether the ledger's answers did not fit the questions.
    pub(super) misled: bool,
    /// Arguments that an approver has changed.
    pub(super) amended: Option<Rendered>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(values: &'a Values) -> Self {
        Self::new(From::Values(Cow::Borrowed(values)))
    }

    pub(super) fn replay(answers: &[Answer]) -> Self {
        Self::new(From::Ledger(answers.iter().cloned().collect()))
    }

    fn new(from: From<'a>) -> Self {
        Self {
            from,
            answers: Vec::new(),
            blobs: Vec::new(),
            args_bytes: ArgsBytes::default(),
            missing: BTreeSet::new(),
            misled: false,
            amended: None,
        }
    }

    /// Whether every answer of the ledger was asked for.
    pub(super) fn is_spent(&self) -> bool {
        match &self.from {
            From::Values(_) => true,
            From::Ledger(left) => left.is_empty(),
        }
    }

    /// Puts what the input itself brings, the value of entry `seq`, at hand.
    pub(super) fn bring(&mut self, seq: u64, stored: Option<&Stored>) {
        let text = match stored {
            None => None,
            Some(Stored::Inline(text)) => Some(text.as_str()),
            Some(Stored::Blob { digest, .. }) => {
                match self.blobs.iter().find(|blob| blob.digest == *digest) {
                    Some(blob) => Some(blob.text.as_str()),
                    // Whoever asks for it gets it from the store.
                    None => return,
                }
            }
        };
        if let From::Values(values) = &mut self.from {
            values.to_mut().put(Need::Value(Place::own(seq)), text.map(value_of_text));
        }
    }

    /// A value, for deciding what happened; null, and named as missing, when it is not at hand.
    pub(super) fn look(&mut self, need: Need) -> Value {
        let found = match &self.from {
            From::Values(values) => values.get(&need).cloned(),
            From::Ledger(_) => None,
        };
        found.unwrap_or_else(|| {
            self.missing.insert(need);
            Value::Null
        })
    }

    /// The next answer: worked out, or read back when it is one that `fits`.
    fn answer(
        &mut self,
        work_out: impl FnOnce(&Values, &mut BTreeSet<Need>, &mut Keeping<'_>) -> Answer,
        fits: impl FnOnce(&Answer) -> bool,
    ) -> Option<Answer> {
        let answer = match &mut self.from {
            From::Values(values) => {
                let Self { missing, blobs, args_bytes, .. } = self;
                work_out(values, missing, &mut Keeping { blobs, args_bytes })
            }
            From::Ledger(left) => match left.pop_front() {
                Some(answer) if fits(&answer) => answer,
                Some(_) | None => {
                    self.misled = true;
                    return None;
                }
            },
        };
        self.answers.push(answer.clone());
        Some(answer)
    }

    /// Whether the `if` of `step` holds.
    pub(super) fn only_if(&mut self, sop: &Definition, run: &Run, step: &Step) -> bool {
        let Some(condition) = &step.only_if else { return true };
        let number = step.number;
        let answer = self.answer(
            |values, missing, _| {
                let held = holds(condition, (sop, run), values, missing);
                Answer::If { step: number, held }
            },
            |answer| matches!(answer, Answer::If { step, .. } if *step == number),
        );
        matches!(answer, Some(Answer::If { held: true, .. }))
    }

    /// Whether the `when` of `step` holds.
    pub(super) fn when(&mut self, sop: &Definition, run: &Run, step: &Step) -> bool {
        let Some(condition) = &step.when else { return true };
        let number = step.number;
        let answer = self.answer(
            |values, missing, _| {
                let held = holds(condition, (sop, run), values, missing);
                Answer::When { step: number, held }
            },
            |answer| matches!(answer, Answer::When { step, .. } if *step == number),
        );
        matches!(answer, Some(Answer::When { held: true, .. }))
    }

    /// The first way out of `step` that holds.
    pub(super) fn case(&mut self, sop: &Definition, run: &Run, step: &Step) -> Option<u32> {
        if step.switch.is_empty() {
            return None;
        }
        let number = step.number;
        let answer = self.answer(
            |values, missing, _| {
                let case = step.switch.iter().position(|case| {
                    let condition = case.condition.as_ref();
                    condition.is_none_or(|it| holds(it, (sop, run), values, missing))
                });
                Answer::Switch { step: number, case: case.and_then(|case| case.try_into().ok()) }
            },
            |answer| matches!(answer, Answer::Switch { step, .. } if *step == number),
        );
        match answer {
            Some(Answer::Switch { case: Some(case), .. }) => {
                let case = usize::try_from(case).ok()?;
                step.switch.get(case).map(|case| case.next)
            }
            _ => None,
        }
    }

    /// The arguments of `step`, which has templates in them.
    pub(super) fn rendered(
        &mut self,
        sop: &Definition,
        run: &Run,
        step: &Step,
        with: &Value,
    ) -> Result<Stored, String> {
        let number = step.number;
        let answer = self.answer(
            |values, missing, keeping| {
                let references = template::references(with).unwrap_or_default();
                match template::render(with, &view((sop, run), &references, values, missing)) {
                    Ok(rendered) => keeping.args(number, reader(step), rendered),
                    Err(error) => Answer::Unrenderable { step: number, reason: error.to_string() },
                }
            },
            |answer| is_args_of(answer, number),
        );
        match answer {
            Some(Answer::Rendered { args, .. }) => Ok(args),
            Some(Answer::Unrenderable { reason, .. }) => Err(reason),
            _ => Err("its arguments are not known".to_owned()),
        }
    }

    /// The arguments of step `number`, where this transition has rendered them.
    pub(super) fn latest_args(&self, number: u32) -> Option<Stored> {
        self.answers.iter().rev().find_map(|answer| match answer {
            Answer::Rendered { step, args, .. } if *step == number => Some(args.clone()),
            Answer::Rendered { .. }
            | Answer::If { .. }
            | Answer::When { .. }
            | Answer::Switch { .. }
            | Answer::Unrenderable { .. } => None,
        })
    }

    /// The arguments of step `number`, which an earlier transition rendered, for the engine to read.
    pub(super) fn args_again(&mut self, number: u32) -> Option<Stored> {
        self.answer(
            |values, missing, keeping| {
                let rendered = values.get(&Need::Args(number)).cloned();
                if rendered.is_none() {
                    missing.insert(Need::Args(number));
                }
                keeping.args(number, Reader::Engine, rendered_of(rendered.unwrap_or_default()))
            },
            |answer| is_args_of(answer, number),
        );
        self.latest_args(number)
    }

    /// The arguments of `step` as an approver has changed them.
    pub(super) fn amended(&mut self, step: &Step) {
        let number = step.number;
        let amended = self.amended.take();
        self.answer(
            |_, _, keeping| {
                let rendered = amended.unwrap_or_else(|| Rendered::plain(Value::Null));
                keeping.args(number, reader(step), rendered)
            },
            |answer| is_args_of(answer, number),
        );
    }
}

/// Whether `answer` says what the arguments of step `number` are, or why there are none.
fn is_args_of(answer: &Answer, number: u32) -> bool {
    match answer {
        Answer::Rendered { step, .. } | Answer::Unrenderable { step, .. } => *step == number,
        Answer::If { .. } | Answer::When { .. } | Answer::Switch { .. } => false,
    }
}

/// Who reads the arguments of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Whoever carries the step out, who gets them from wherever they are.
    Performer,
    /// A transition, which looks at nothing but entries.
    Engine,
}

fn reader(step: &Step) -> Reader {
    match step.capability.as_deref() {
        Some("wait" | "wait.event") => Reader::Engine,
        Some(_) | None => Reader::Performer,
    }
}

/// Bytes of arguments in one entry, by who reads them: what a built-in takes leaves a wait its room.
#[derive(Debug, Clone, Copy, Default)]
struct ArgsBytes {
    performer: usize,
    engine: usize,
}

/// Where the arguments go that one transition renders.
struct Keeping<'a> {
    blobs: &'a mut Vec<Blob>,
    args_bytes: &'a mut ArgsBytes,
}

impl Keeping<'_> {
    /// The answer that `rendered` is: inside the entry while that has room, else as an item of its own. What
    /// stands around secrets is always inside, so a step that has too much of it fails.
    fn args(&mut self, step: u32, reader: Reader, rendered: Rendered) -> Answer {
        let taken = match reader {
            Reader::Performer => &mut self.args_bytes.performer,
            Reader::Engine => &mut self.args_bytes.engine,
        };
        let left = ENTRY_ARGS_BYTES_MAX.saturating_sub(*taken);
        let Rendered { value, secrets } = rendered;
        let masked = match secrets.as_slice() {
            [] => 0,
            some => serde_json::to_string(some).expect("only string keys").len(),
        };
        if masked > left {
            let reason = format!(
                "the texts with secrets in them have {masked} bytes; {left} of \
                 {ENTRY_ARGS_BYTES_MAX} are left for the steps that begin at once"
            );
            return Answer::Unrenderable { step, reason };
        }
        let text = value.to_string();
        let args = keep(&text, INLINE_BYTES_MAX.min(left - masked), self.blobs);
        let inline = if matches!(args, Stored::Inline(_)) { text.len() } else { 0 };
        *taken += masked + inline;
        Answer::Rendered { step, args, secrets }
    }
}

/// How `text` is carried by an entry; what has more than `inline_bytes_max` goes to `blobs`.
pub(super) fn keep(text: &str, inline_bytes_max: usize, blobs: &mut Vec<Blob>) -> Stored {
    let stored = Stored::within(text, inline_bytes_max);
    if let Stored::Blob { digest, .. } = &stored {
        blobs.push(Blob { digest: *digest, text: text.to_owned() });
    }
    stored
}

/// Whether `condition` holds of what steps see; what of it is not at hand goes to `missing`.
fn holds(
    condition: &Condition,
    (sop, run): (&Definition, &Run),
    values: &Values,
    missing: &mut BTreeSet<Need>,
) -> bool {
    let references: Vec<Reference> = condition.references().into_iter().flatten().collect();
    let document = view((sop, run), &references, values, missing);
    condition.holds(&Payload::of_value(document))
}

/// The value that a payload's or an output's text stands for: JSON where it is JSON, else the text.
pub fn value_of_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// What the gate of `step` asks, filled in from `values`: the text, or why it could not be; `None` when the
/// step says nothing.
///
/// # Errors
/// The values that it names and that are not at hand.
pub fn prompt(
    sop: &Definition,
    run: &Run,
    step: &Step,
    values: &Values,
) -> Result<Option<Result<String, RenderError>>, BTreeSet<Need>> {
    let Some(text) = &step.prompt else { return Ok(None) };
    let whole = Value::String(text.clone());
    let references = template::references(&whole).unwrap_or_default();
    let mut missing = BTreeSet::new();
    let document = view((sop, run), &references, values, &mut missing);
    if missing.is_empty() { Ok(Some(template::render_text(text, &document))) } else { Err(missing) }
}

/// What was stored as a step's arguments; null when it is nothing of the kind.
pub(super) fn rendered_of(stored: Value) -> Rendered {
    serde_json::from_value(stored).unwrap_or_else(|_| Rendered::plain(Value::Null))
}

/// The document that conditions and templates of steps see, with the values that `references` name; what is
/// not at hand is null and goes to `missing`.
fn view(
    (sop, run): (&Definition, &Run),
    references: &[Reference],
    values: &Values,
    missing: &mut BTreeSet<Need>,
) -> Value {
    let needs = template::needs(references);
    let mut value = |place: Option<&Place>| {
        let Some(place) = place else { return Value::Null };
        let need = Need::Value(place.clone());
        values.get(&need).cloned().unwrap_or_else(|| {
            missing.insert(need);
            Value::Null
        })
    };
    let event = if needs.event { value(Some(&Place::own(0))) } else { Value::Null };
    let steps: serde_json::Map<String, Value> = run
        .past
        .iter()
        .map(|past| {
            let output = if needs.outputs.contains(&past.step) {
                value(past.value.as_ref())
            } else {
                Value::Null
            };
            let state = match past.how {
                How::Done => "done",
                How::Failed | How::Denied | How::Stopped => "failed",
                How::Skipped => "skipped",
            };
            (past.step.to_string(), json!({ "output": output, "state": state }))
        })
        .collect();
    let identity = &run.identity;
    json!({
        "event": event,
        "steps": steps,
        "run": {
            "id": identity.id.as_str(),
            "event": identity.event.as_str(),
            "source": identity.source.as_str(),
            "subject": identity.subject,
            "started_at": identity.started_at.to_string(),
        },
        "sop": { "name": sop.name.as_str(), "version": sop.version, "priority": sop.priority },
    })
}
