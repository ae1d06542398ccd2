//! The format of a story file.

use std::collections::VecDeque;

use serde_json::Value;
use sop_core::Timestamp;
use toml::{Table, Value as Toml};

use crate::ids::EPOCH;
use crate::story::keys::{self, Where};

/// Why a story cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}{message}")]
pub struct StoryError {
    /// `line:column: `, or empty.
    pub at: String,
    /// What is wrong.
    pub message: String,
}

impl StoryError {
    pub(super) fn new(at: &Where, message: impl Into<String>) -> Self {
        Self { at: at.to_string(), message: message.into() }
    }
}

/// A story.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// What it tells.
    pub description: String,
    /// When it begins: 2026-03-01T08:00:00Z when it does not say.
    pub start: Timestamp,
    /// Other SOPs of the workspace that take part. Those that its SOP starts always do.
    pub sops: Vec<String>,
    /// What happens, in order.
    pub inputs: Vec<Input>,
    /// What built-ins answer.
    pub answers: Vec<Answer>,
    /// What must come of it.
    pub expect: Expect,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Milliseconds since the input before it.
    pub after_ms: i64,
    /// Who does it.
    pub by: String,
    /// Which run it is about, by its number in the trace; the one that waits for it when absent.
    pub run: Option<usize>,
    /// What it is; time only passes when absent.
    pub act: Option<Act>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// An event arrives.
    Arrive {
        /// At which door.
        door: Arrival,
        /// What it carries.
        payload: String,
    },
    /// The next schedule fires: time passes until then.
    Cron,
    /// Somebody starts the SOP by hand.
    Manual {
        /// What it starts with.
        payload: String,
    },
    /// Somebody says yes at the gate of a step.
    Approve {
        /// The step.
        step: u32,
        /// The gate's revision; the open one's when absent.
        gate: Option<u32>,
        /// What is added.
        comment: Option<String>,
    },
    /// Somebody says no.
    Deny {
        /// The step.
        step: u32,
        /// The gate's revision; the open one's when absent.
        gate: Option<u32>,
        /// Why.
        reason: String,
    },
    /// Somebody changes the field that may be changed, and says yes.
    Amend {
        /// The step.
        step: u32,
        /// The gate's revision; the open one's when absent.
        gate: Option<u32>,
        /// The field's new value.
        value: Value,
    },
    /// Somebody sends the draft back.
    Revise {
        /// The step.
        step: u32,
        /// The gate's revision; the open one's when absent.
        gate: Option<u32>,
        /// What is to be changed.
        guidance: String,
    },
    /// Somebody has done a step.
    Complete {
        /// The step.
        step: u32,
        /// What came of it.
        output: Option<Value>,
    },
    /// Somebody could not do a step.
    Fail {
        /// The step.
        step: u32,
        /// Why.
        reason: String,
    },
    /// Somebody stops the run.
    Cancel {
        /// Why.
        reason: String,
    },
    /// Somebody stops it for a while.
    Pause,
    /// Somebody lets it go on.
    Resume,
    /// Somebody has the failed step done again.
    Retry,
    /// Somebody takes the run up again.
    Rerun {
        /// The step it begins at.
        from: u32,
    },
    /// Somebody archives an SOP: no event starts it any more.
    Archive {
        /// Its name.
        sop: String,
    },
}

/// The door of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// An HTTP request.
    Webhook {
        /// The path, as it is sent.
        path: String,
        /// The method.
        method: String,
        /// `X-Idempotency-Key`.
        key: Option<String>,
    },
    /// An MQTT message.
    Mqtt {
        /// Its topic.
        topic: String,
    },
    /// A device uplink.
    Peripheral {
        /// `board/signal`.
        subject: String,
    },
    /// An event of a bus.
    Event {
        /// `source/detail type`.
        subject: String,
    },
}

/// What a built-in answers for a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Of which SOP; the story's own when absent.
    pub sop: Option<String>,
    /// The step.
    pub step: u32,
    /// How many calls in a row are answered so.
    pub times: u32,
    /// Milliseconds until the answer comes.
    pub delay_ms: u32,
    /// The answer.
    pub says: Says,
}

/// How a call goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Says {
    /// The step is done.
    Output(Value),
    /// The step failed.
    Fail(String),
    /// Nobody ever hears of it.
    Hang,
    /// It is what it would be without an answer.
    Usual,
}

/// What must come of a story.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Expect {
    /// The status of the story's first run at its end.
    pub status: Option<String>,
    /// The trace; a story without one only has to be blessed.
    pub trace: Option<String>,
    /// Calls that must have been made.
    pub calls: Vec<ExpectedCall>,
}

/// A call that must have been made.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedCall {
    /// Of which SOP; the story's own when absent.
    pub sop: Option<String>,
    /// The step.
    pub step: u32,
    /// The built-in.
    pub capability: Option<String>,
    /// Its arguments; of objects, the fields that are named.
    pub with: Option<Value>,
    /// The step's input; of objects, the fields that are named.
    pub input: Option<Value>,
}

impl Story {
    /// Reads a story.
    ///
    /// # Errors
    /// The first thing that is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, StoryError> {
        keys::check(text)?;
        let root: Table = text.parse().map_err(|error| keys::syntax(text, &error))?;
        let top = Part { table: &root, name: TOP.to_owned() };
        let start = match top.text("start")? {
            None => EPOCH,
            Some(text) => Timestamp::parse_rfc3339(&text).ok_or_else(|| {
                top.wrong("start", "a time such as \"2026-03-01T08:00:00Z\", with quotes")
            })?,
        };
        let inputs = top.tables("input")?;
        let answers = top.tables("answer")?;
        let expect = match root.get("expect").and_then(Toml::as_table) {
            Some(table) => expect(&Part { table, name: "[expect]".to_owned() })?,
            None => Expect::default(),
        };
        let story = Self {
            description: top.text("description")?.unwrap_or_default(),
            start,
            sops: top.texts("sops")?,
            inputs: inputs.iter().map(input).collect::<Result<_, _>>()?,
            answers: answers.iter().map(answer).collect::<Result<_, _>>()?,
            expect,
        };
        if story.inputs.is_empty() {
            return Err(StoryError::new(&Where::Nowhere, "there is no [[input]]: nothing happens"));
        }
        Ok(story)
    }
}

/// What the outermost table is called.
const TOP: &str = "the story";

/// One table of a story.
pub(super) struct Part<'t> {
    pub(super) table: &'t Table,
    pub(super) name: String,
}

impl<'t> Part<'t> {
    pub(super) fn wrong(&self, key: &str, what: &str) -> StoryError {
        let message = format!("`{key}` of {} is not {what}", self.name);
        StoryError::new(&Where::Nowhere, message)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, StoryError> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Toml::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "a text")),
        }
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, StoryError> {
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        let texts = value.as_array().map(|texts| texts.iter().map(Toml::as_str));
        let texts = texts.and_then(|texts| texts.map(|text| text.map(str::to_owned)).collect());
        texts.ok_or_else(|| self.wrong(key, "a list of texts"))
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<u32>, StoryError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
        number
            .filter(|number| *number > 0)
            .map(Some)
            .ok_or_else(|| self.wrong(key, "a whole number from 1"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, StoryError> {
        match self.table.get(key) {
            None => Ok(false),
            Some(Toml::Boolean(true)) => Ok(true),
            Some(_) => Err(self.wrong(key, "`true`")),
        }
    }

    pub(super) fn value(&self, key: &str) -> Option<Value> {
        self.table.get(key).map(json)
    }

    pub(super) fn span_ms(&self, key: &str) -> Result<i64, StoryError> {
        let Some(text) = self.text(key)? else { return Ok(0) };
        if let Some(ms) = text.strip_suffix("ms") {
            return ms.parse().map_err(|_| self.wrong(key, "a length of time such as \"250ms\""));
        }
        let secs = sop_core::duration::parse(&text);
        let ms = secs.ok().and_then(|secs| i64::try_from(secs.checked_mul(1_000)?).ok());
        ms.ok_or_else(|| {
            self.wrong(key, "a length of time such as \"90s\", \"15m\", \"2h\" or \"1d\"")
        })
    }

    fn tables(&self, key: &str) -> Result<VecDeque<Part<'t>>, StoryError> {
        let Some(value) = self.table.get(key) else { return Ok(VecDeque::new()) };
        let tables = value.as_array().map(|list| list.iter().map(Toml::as_table).enumerate());
        let header = if self.name == TOP { key.to_owned() } else { format!("expect.{key}") };
        tables
            .and_then(|tables| {
                let part = |(at, table)| {
                    Some(Part {
                        table: (table as Option<&'t Table>)?,
                        name: format!("[[{header}]] {}", at + 1),
                    })
                };
                tables.map(part).collect()
            })
            .ok_or_else(|| self.wrong(key, &format!("a list of tables, written `[[{header}]]`")))
    }
}

/// The JSON that a value of TOML stands for; a date is its text.
fn json(value: &Toml) -> Value {
    match value {
        Toml::String(text) => Value::String(text.clone()),
        Toml::Integer(number) => Value::from(*number),
        Toml::Float(number) => Value::from(*number),
        Toml::Boolean(flag) => Value::Bool(*flag),
        Toml::Datetime(at) => Value::String(at.to_string()),
        Toml::Array(values) => values.iter().map(json).collect(),
        Toml::Table(table) => table.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}

fn input(part: &Part<'_>) -> Result<Input, StoryError> {
    Ok(Input {
        after_ms: part.span_ms("after")?,
        by: part.text("by")?.unwrap_or_else(|| {
            let is_call = part.table.contains_key("webhook");
            if is_call { "caller" } else { "anna" }.to_owned()
        }),
        run: part.number("run")?.and_then(|run| usize::try_from(run).ok()),
        act: act(part)?,
    })
}

fn act(part: &Part<'_>) -> Result<Option<Act>, StoryError> {
    let verbs: Vec<&str> =
        keys::VERBS.iter().copied().filter(|verb| part.table.contains_key(*verb)).collect();
    let verb = match verbs.as_slice() {
        [] => return Ok(None),
        [verb] => *verb,
        [one, other, ..] => {
            let message = format!("{} has both `{one}` and `{other}`: write two", part.name);
            return Err(StoryError::new(&Where::Nowhere, message));
        }
    };
    // A text is sent as it is written.
    let payload = match part.value("payload") {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    let gate = part.number("gate")?;
    let text = |key: &str| Ok::<_, StoryError>(part.text(key)?.unwrap_or_default());
    let step = |key: &str| Ok::<_, StoryError>(part.number(key)?.unwrap_or_default());
    let reason =
        || Ok::<_, StoryError>(part.text("reason")?.unwrap_or_else(|| "no reason".to_owned()));
    Ok(Some(match verb {
        "webhook" => {
            let method = part.text("method")?.unwrap_or_else(|| "POST".to_owned());
            let door = Arrival::Webhook { path: text(verb)?, method, key: part.text("key")? };
            Act::Arrive { door, payload }
        }
        "mqtt" => Act::Arrive { door: Arrival::Mqtt { topic: text(verb)? }, payload },
        "peripheral" => Act::Arrive { door: Arrival::Peripheral { subject: text(verb)? }, payload },
        "event" => Act::Arrive { door: Arrival::Event { subject: text(verb)? }, payload },
        "cron" => match part.text(verb)?.as_deref() {
            Some("next") => Act::Cron,
            Some(_) | None => return Err(part.wrong(verb, "\"next\"")),
        },
        "manual" => part.flag(verb).map(|_| Act::Manual { payload })?,
        "approve" => Act::Approve { step: step(verb)?, gate, comment: part.text("comment")? },
        "deny" => Act::Deny { step: step(verb)?, gate, reason: reason()? },
        "amend" => {
            let value = part.value("value").ok_or_else(|| part.wrong("value", "there"))?;
            Act::Amend { step: step(verb)?, gate, value }
        }
        "revise" => Act::Revise { step: step(verb)?, gate, guidance: text("guidance")? },
        "complete" => Act::Complete { step: step(verb)?, output: part.value("output") },
        "fail" => Act::Fail { step: step(verb)?, reason: reason()? },
        "cancel" => Act::Cancel { reason: text(verb)? },
        "pause" => part.flag(verb).map(|_| Act::Pause)?,
        "resume" => part.flag(verb).map(|_| Act::Resume)?,
        "retry" => part.flag(verb).map(|_| Act::Retry)?,
        "rerun" => Act::Rerun { from: step(verb)? },
        "archive" => Act::Archive { sop: text(verb)? },
        other => unreachable!("`{other}` is no verb"),
    }))
}

fn answer(part: &Part<'_>) -> Result<Answer, StoryError> {
    let missing = || part.wrong("step", "there: say which step it answers");
    let says = match (part.value("output"), part.text("fail")?, part.flag("hang")?) {
        (Some(output), None, false) => Says::Output(output),
        (None, Some(reason), false) => Says::Fail(reason),
        (None, None, true) => Says::Hang,
        (None, None, false) => Says::Usual,
        (_, _, _) => {
            let message = format!("{} has more than one of `output`, `fail` and `hang`", part.name);
            return Err(StoryError::new(&Where::Nowhere, message));
        }
    };
    Ok(Answer {
        sop: part.text("sop")?,
        step: part.number("step")?.ok_or_else(missing)?,
        times: part.number("times")?.unwrap_or(1),
        delay_ms: u32::try_from(part.span_ms("delay")?).unwrap_or(u32::MAX),
        says,
    })
}

fn expect(part: &Part<'_>) -> Result<Expect, StoryError> {
    let calls = part.tables("call")?;
    Ok(Expect {
        status: part.text("status")?,
        trace: part.text("trace")?,
        calls: calls.iter().map(call).collect::<Result<_, _>>()?,
    })
}

fn call(part: &Part<'_>) -> Result<ExpectedCall, StoryError> {
    let missing = || part.wrong("step", "there: say which step makes the call");
    Ok(ExpectedCall {
        sop: part.text("sop")?,
        step: part.number("step")?.ok_or_else(missing)?,
        capability: part.text("capability")?,
        with: part.value("with"),
        input: part.value("input"),
    })
}
