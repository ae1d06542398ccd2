//! The tables of keys: what the parser reads, what the JSON Schemas and the reference say.

use super::capability;
use super::choice;
use crate::limits;

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A text that matches a pattern.
    Name,
    /// A text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number between two bounds.
    Number(u64, u64),
    /// One of some words.
    Choice(fn() -> Vec<&'static str>),
    /// Such as `15m`.
    Duration,
    /// A JSON Schema.
    Schema,
    /// A list of texts.
    Texts,
    /// A list of routes.
    Routes,
    /// A word, or a table that says how callers sign.
    Auth,
}

/// One key of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// One line for an editor.
    pub(super) about: &'static str,
}

const fn key(name: &'static str, shape: Shape, about: &'static str) -> Key {
    Key { name, shape, about }
}

const ANY_COUNT: Shape = Shape::Number(1, u32::MAX as u64);

/// The keys of `[sop]` that `[defaults]` cannot have.
pub(super) const OWN: &[Key] = &[
    key("name", Shape::Name, "Its identity, once in a workspace."),
    key("description", Shape::Text, "What it is for."),
    key("version", Shape::Text, "For readers; runs are tied to the content's digest."),
    key("input", Shape::Schema, "JSON Schema of the payload of a start by hand."),
];

/// The keys of `[sop]` that `[defaults]` can have too.
pub(super) const COMMON: &[Key] = &[
    key(
        "priority",
        Shape::Choice(|| choice::names(choice::PRIORITIES)),
        "How urgent its runs are.",
    ),
    key(
        "execution_mode",
        Shape::Choice(|| choice::names(choice::MODES)),
        "Which steps wait for an approval.",
    ),
    key(
        "cooldown_secs",
        Shape::Number(0, limits::COOLDOWN_SECS_MAX),
        "Seconds after a completed run in which events start nothing.",
    ),
    key("max_concurrent", ANY_COUNT, "Runs that may be running at once."),
    key(
        "admission_policy",
        Shape::Choice(|| choice::names(choice::ADMISSION)),
        "What becomes of an event while the SOP is busy.",
    ),
    key("max_pending_approvals", ANY_COUNT, "Runs that may wait at a gate before events wait."),
    key("owner", Shape::Text, "Who answers for it."),
    key("workstream", Shape::Text, "What it belongs to."),
    key(
        "delegation",
        Shape::Choice(|| choice::names(choice::DELEGATIONS)),
        "How much of its steps an agent has earned to do.",
    ),
    key("timezone", Shape::Text, "IANA name of the zone of its schedules."),
    key("timeout", Shape::Duration, "How long a run may take."),
];

/// The key that only `[defaults]` has.
pub(super) const DEFAULT_POLICY: Key =
    key("policy", Shape::Text, "Policy of every gate that names none.");

pub(super) const LIMITS: &[Key] = &[key(
    "max_concurrent_total",
    ANY_COUNT,
    "Runs of all SOPs of the workspace that may be running at once.",
)];

pub(super) const GROUP: &[Key] =
    &[key("members", Shape::Texts, "Who belongs to it, by the names that people sign in with.")];

pub(super) const POLICY: &[Key] = &[
    key("group", Shape::Text, "Whose members may decide; anyone who is known when left out."),
    key("quorum", ANY_COUNT, "How many must say yes."),
    key("no_self_approval", Shape::Flag, "Whether whoever started the run is kept from approving."),
    key("timeout", Shape::Duration, "How long the gate waits before `on_timeout`."),
    key(
        "on_timeout",
        Shape::Choice(|| choice::names(choice::ON_TIMEOUTS)),
        "What happens when nobody has decided by then.",
    ),
    key("request", Shape::Routes, "Who is told when a gate opens."),
    key("escalation", Shape::Routes, "Who is told when it escalates; `request` when left out."),
];

/// The keys of each type of route; the first of each is required.
pub(super) const ROUTES: &[(&str, &[Key])] = &[
    (
        "webhook",
        &[
            key("url", Shape::Text, "Address that is called."),
            key("secret", Shape::Text, "Name of the signing key among the host's secrets."),
        ],
    ),
    ("sns", &[key("topic_arn", Shape::Text, "The SNS topic.")]),
    ("mqtt", &[key("topic", Shape::Text, "The MQTT topic, without wildcards.")]),
];

/// The keys of an `auth` that is a table; the first two are required.
pub(super) const AUTH: &[Key] = &[
    key("type", Shape::Choice(|| choice::names(choice::SCHEMES)), "How the sender signs."),
    key("secret", Shape::Text, "Name of the signing secret among the host's, or a list of names."),
    key("tolerance", Shape::Duration, "How far off the sender's clock may be; `5m` when left out."),
];

const CONDITION: Key = key("condition", Shape::Text, "What must hold of the payload.");

const EVENT_KEY: Key = key(
    "key",
    Shape::Text,
    "Path of the message's own id, such as `$.id`; of those with one id the first starts a run.",
);

pub(super) const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// The keys of each type of trigger, with the number of those at the front that are required.
pub(super) const TRIGGERS: &[(&str, usize, &[Key])] = &[
    ("manual", 0, &[]),
    (
        "webhook",
        1,
        &[
            key("path", Shape::Text, "Decoded path: `/webhook`, or `/sop/` and more."),
            key("method", Shape::Choice(|| METHODS.to_vec()), "HTTP method; any when left out."),
            key(
                "auth",
                Shape::Auth,
                "What the caller must show: a token, nothing, or a signature.",
            ),
            CONDITION,
        ],
    ),
    (
        "mqtt",
        1,
        &[key("topic", Shape::Text, "Topic filter, as MQTT 5 has them."), CONDITION, EVENT_KEY],
    ),
    (
        "cron",
        1,
        &[
            key("expression", Shape::Text, "Five, six or seven fields."),
            key("timezone", Shape::Text, "IANA name; the SOP's when left out."),
        ],
    ),
    (
        "peripheral",
        2,
        &[
            key("board", Shape::Text, "Exact name of the board."),
            key("signal", Shape::Text, "Exact name of the signal."),
            CONDITION,
            EVENT_KEY,
        ],
    ),
    (
        "event",
        0,
        &[
            key("source", Shape::Text, "Exact source of the event; any when left out."),
            key("detail_type", Shape::Text, "Exact detail type of the event; any when left out."),
            CONDITION,
        ],
    ),
];

/// One key of a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepKey {
    pub(super) name: &'static str,
    /// Whether a capital letter before a colon is taken for a slip. Of the others, one word with a capital
    /// letter is how prose begins too.
    pub(super) is_strict: bool,
}

const fn strict(name: &'static str) -> StepKey {
    StepKey { name, is_strict: true }
}

const fn loose(name: &'static str) -> StepKey {
    StepKey { name, is_strict: false }
}

/// The keys of a step, in the order in which they are printed.
pub(super) const STEP: &[StepKey] = &[
    strict("kind"),
    strict("capability"),
    strict("with"),
    strict("tools"),
    loose("depends_on"),
    loose("if"),
    loose("input"),
    loose("output"),
    strict("requires_confirmation"),
    strict("mode"),
    loose("policy"),
    loose("prompt"),
    loose("edit"),
    loose("delegation"),
    loose("agent"),
    loose("allow-tools"),
    loose("deny-tools"),
    loose("timeout"),
    loose("on_failure"),
    loose("backoff"),
    loose("delivery"),
    loose("when"),
    loose("switch"),
    loose("next"),
    loose("terminal"),
];

/// The row of a step's key; `allow_tools` and `depends-on` are written with either sign.
pub(super) fn step_key(name: &str) -> Option<&'static StepKey> {
    let same = |key: &&StepKey| {
        key.name == name
            || (matches!(key.name, "allow-tools" | "deny-tools" | "depends_on" | "on_failure")
                && key.name.replace('-', "_") == name.replace('-', "_"))
    };
    STEP.iter().find(same)
}

/// The names of the keys that a step can have, in the order in which they are printed.
pub fn of_steps() -> Vec<&'static str> {
    STEP.iter().map(|key| key.name).collect()
}

/// The names of the keys that `[sop]` can have.
pub fn of_sop() -> Vec<&'static str> {
    names(OWN).into_iter().chain(names(COMMON)).collect()
}

/// The names of the capabilities that a step can name.
pub fn of_capabilities() -> Vec<&'static str> {
    capability::KNOWN.to_vec()
}

/// The names of the keys that a `workspace.toml` can have, but for those that `[sop]` has too.
pub fn of_workspaces() -> Vec<&'static str> {
    let own = [&[DEFAULT_POLICY], LIMITS, GROUP, POLICY].into_iter().flat_map(names);
    own.chain(ROUTES.iter().flat_map(|(_, keys)| names(keys))).collect()
}

pub(super) fn names(keys: &[Key]) -> Vec<&'static str> {
    keys.iter().map(|key| key.name).collect()
}
