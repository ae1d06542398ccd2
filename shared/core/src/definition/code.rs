//! The table of diagnostic codes; each has a page in `docs/diagnostics/`.

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// Such as `SOP0107`.
    pub code: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Its page, in Markdown.
    pub page: &'static str,
}

macro_rules! codes {
    ($($name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: &str = $code;)*

        /// Every code, in order.
        pub const ALL: &[Code] = &[$(Code {
            code: $code,
            title: $title,
            page: include_str!(concat!("../../../../docs/diagnostics/", $code, ".md")),
        },)*];
    };
}

codes! {
    TOO_LARGE = "SOP0001", "a file is too large";
    SYNTAX = "SOP0002", "`SOP.toml` is not TOML";
    UNKNOWN_TABLE = "SOP0003", "an unknown table or top-level key";
    NO_SOP_TABLE = "SOP0004", "no `[sop]` table";
    UNKNOWN_KEY = "SOP0101", "an unknown key in `[sop]`";
    WRONG_TYPE = "SOP0103", "a value of the wrong type";
    BAD_CHOICE = "SOP0104", "a value that is not one of those allowed";
    OUT_OF_RANGE = "SOP0105", "a number out of its range";
    NO_NAME = "SOP0106", "an SOP without a name";
    BAD_NAME = "SOP0107", "a name that cannot be used";
    BAD_TIMEZONE = "SOP0108", "an unknown time zone";
    NO_DESCRIPTION = "SOP0109", "an SOP without a description";
    EMPTY_TEXT = "SOP0110", "an empty text";
    BAD_DURATION = "SOP0111", "a duration that cannot be read";
    BAD_SCHEMA = "SOP0112", "a value that is not a JSON Schema";
    UNKNOWN_TRIGGER = "SOP0201", "an unknown trigger type";
    UNKNOWN_TRIGGER_KEY = "SOP0203", "a key that this trigger does not have";
    MISSING_TRIGGER_KEY = "SOP0204", "a trigger without a key that it needs";
    BAD_PATH = "SOP0205", "a webhook path that no request could match";
    BAD_METHOD = "SOP0206", "an unknown HTTP method";
    BAD_TOPIC = "SOP0207", "a malformed topic filter";
    BAD_CRON = "SOP0208", "a malformed cron expression";
    BAD_SIGNAL = "SOP0209", "a board or signal that no device could have";
    BAD_CONDITION = "SOP0210", "a condition that cannot be read";
    NO_TRIGGERS = "SOP0211", "an SOP without triggers";
    NEVER_HOLDS = "SOP0212", "a condition that never holds";
    BAD_EVENT = "SOP0215", "an event source or detail type that no event has";
    BAD_KEY = "SOP0218", "a `key` that is no path into the payload";
    BAD_AUTH = "SOP0220", "a webhook signature that could not be checked";
    OWN_END = "SOP0221", "a trigger that takes the ends of the SOP's own runs";
    OWN_TOPIC = "SOP0222", "a step that publishes what starts its SOP again";
    STEP_NUMBER = "SOP0301", "a step out of number";
    STEPS_TWICE = "SOP0302", "more than one `## Steps` section";
    NO_STEPS = "SOP0303", "an SOP without steps";
    NO_TITLE = "SOP0304", "a step without a title";
    TOO_MANY_STEPS = "SOP0305", "too many steps";
    STRAY_KEY = "SOP0306", "a key that belongs to no step";
    STRAY_TEXT = "SOP0307", "text that belongs to no step";
    UNCLOSED = "SOP0308", "a block that is never closed";
    UNKNOWN_STEP_KEY = "SOP0401", "an unknown step key";
    BAD_STEP_VALUE = "SOP0403", "a step key with a wrong value";
    REPEATED_STEP_KEY = "SOP0404", "a step key given twice";
    UNKNOWN_CAPABILITY = "SOP0405", "an unknown capability";
    CAPABILITY_KIND = "SOP0406", "a kind and a capability that do not agree";
    BAD_WITH = "SOP0407", "a `with` that cannot be read";
    WITH_MISFIT = "SOP0408", "a `with` that its capability does not take";
    STRAY_WITH = "SOP0409", "a `with` without a capability";
    NOT_DETERMINISTIC = "SOP0410", "a step that a deterministic SOP cannot have";
    EDIT_WITHOUT_GATE = "SOP0411", "an `edit` where no gate is";
    NO_GATE = "SOP0412", "a gate's key on a step without a gate";
    KEY_OF_OTHERS = "SOP0413", "a key that this kind of step cannot have";
    IDLE_KEY = "SOP0414", "a key that does nothing for this kind of step";
    BACKOFF_WITHOUT_RETRY = "SOP0415", "a `backoff` without a retry";
    RETRY_ON_CHECKPOINT = "SOP0416", "a retry of a checkpoint";
    TIMEOUT_ON_CHECKPOINT = "SOP0417", "a `timeout` on a checkpoint";
    SAME_NAME = "SOP0501", "two SOPs of one name";
    MISSING_TARGET = "SOP0601", "a way to a step that there is not";
    BAD_DEPENDENCY = "SOP0602", "a dependency on the step itself or a later one";
    DEPENDENCY_CYCLE = "SOP0603", "steps that wait for each other";
    JUMP_IN_GRAPH = "SOP0604", "a jump where steps depend on each other";
    UNREACHABLE = "SOP0605", "a step that no run comes to";
    TERMINAL_AND_NEXT = "SOP0606", "a step that ends the run and goes on";
    AFTER_ELSE = "SOP0607", "a way out that is never taken";
    WHEN_ALONE = "SOP0608", "a `when` without a way out";
    GOTO_ITSELF = "SOP0609", "a step that goes to itself when it fails";
    BAD_READ = "SOP0610", "a condition of a step that reads what a run does not have";
    BAD_TEMPLATE = "SOP0611", "a reference that can never be filled in";
    DOUBTFUL_TEMPLATE = "SOP0612", "a reference that may lead to nothing";
    UNKNOWN_WORKSPACE_KEY = "SOP0701", "an unknown table or key in `workspace.toml`";
    BAD_WORKSPACE_NAME = "SOP0702", "a group or policy with an unusable name";
    UNKNOWN_POLICY = "SOP0703", "an unknown policy";
    UNKNOWN_GROUP = "SOP0704", "an unknown group";
    EMPTY_GROUP = "SOP0705", "a group without members";
    BAD_QUORUM = "SOP0706", "a quorum that a group cannot reach";
    BAD_ROUTE = "SOP0707", "a route that leads nowhere";
    NO_TIMEOUT = "SOP0708", "a time-out's key without a time-out";
}

/// The row of a code; letter case is ignored.
pub fn find(code: &str) -> Option<&'static Code> {
    ALL.iter().find(|row| row.code.eq_ignore_ascii_case(code.trim()))
}

/// The page that explains a code, in Markdown.
pub fn explain(code: &str) -> Option<&'static str> {
    find(code).map(|row| row.page)
}
