//! The stated limits, each with its source.

/// Bytes of one event payload or one step output.
/// Source: `docs/operations.md`; an SQS message holds 1 MiB, so an envelope always fits.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a value that is kept inside a journal entry; above it the value is an item of its own.
/// Source: a DynamoDB write unit is 1 KB, so an entry is to stay near it.
pub const INLINE_BYTES_MAX: usize = 4 * 1024;

/// Bytes of rendered arguments that one entry keeps inside it, texts with secrets in them included; what goes
/// beyond is kept as items of its own.
/// Source: a DynamoDB item has 400 KB at most, and 200 steps may begin at once.
pub const ENTRY_ARGS_BYTES_MAX: usize = 64 * 1024;

/// Steps of one SOP.
pub const STEPS_MAX: usize = 200;

/// Seconds of an SOP's `cooldown_secs`.
pub const COOLDOWN_SECS_MAX: u64 = 366 * 24 * 3_600;

/// Diagnostics kept for one definition; the rest would repeat them.
pub const DIAGNOSTICS_MAX: usize = 200;

/// Seconds that a queue message may be delayed.
/// Source: Amazon SQS developer guide, message timers (15 minutes).
pub const DELAY_SECS_MAX: u32 = 900;

/// Milliseconds before its time at which the sweep looks at a timer that no message could be delayed for:
/// a minute from tick to tick, and what a tick may be late.
pub const LOOK_AHEAD_MS: i64 = 75_000;

/// Milliseconds a performer has for one attempt of a capability step before the step fails.
pub const ATTEMPT_TIMEOUT_MS: i64 = 300_000;

/// Milliseconds that one call of a built-in may take: less than the executor's own time-out, so that it
/// can still tell, and short enough for a second executor should the first one die.
pub const CALL_TIMEOUT_MS: i64 = 50_000;

/// Milliseconds that the built-in `wait` may wait.
pub const WAIT_MS_MAX: i64 = 366 * 24 * 3_600_000;

/// Tries of a step after the first that `on_failure: retry:N` may ask for.
pub const RETRIES_MAX: u32 = 100;

/// Times that one run may come to one step.
/// Source: `docs/sop-language.md`; a loop that goes on longer is taken for one that never ends.
pub const VISITS_MAX: u32 = 256;

/// Conditions and templates that one transition of a sequence works out; a run that would go on further
/// without anything being done is taken for one that never ends.
/// Source: an entry holds the answers, and a DynamoDB item at most 400 KB.
pub const ANSWERS_MAX: usize = 1_024;

/// Runs that started each other, the first included.
pub const DEPTH_MAX: u32 = 8;

/// Times that an approver may send a draft back.
pub const REVISIONS_MAX: u32 = 3;

/// Refused decisions that one run's ledger keeps.
pub const REFUSALS_MAX: u32 = 32;

/// Seconds of a step's or a run's `timeout`.
pub const TIMEOUT_SECS_MAX: u64 = 366 * 24 * 3_600;

/// Bytes of `SOP.toml` or `SOP.md`.
pub const DEFINITION_BYTES_MAX: usize = 256 * 1024;

/// Bytes of one condition.
pub const CONDITION_BYTES_MAX: usize = 4 * 1024;

/// Arrays and objects in each other that a rendered value may have.
/// Source: `serde_json` reads 128; what is kept around a value has its share.
pub const NESTING_MAX: usize = 96;

/// Characters of a secret's name.
pub const SECRET_NAME_CHARS_MAX: usize = 64;

/// Characters of a reason, comment or failure message; longer ones are cut.
pub const REASON_CHARS_MAX: usize = 1_000;

/// Secrets that one signed webhook names: a new one, an old one, and room for a mistake.
pub const SIGNING_SECRETS_MAX: usize = 4;
