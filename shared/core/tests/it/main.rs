//! Everything that the crate promises to its callers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names what it expects, and fails on the rest"
)]
#![expect(clippy::disallowed_methods, reason = "tests read their fixtures and the number of cases")]
#![expect(clippy::needless_pass_by_value, reason = "a table's rows are handed on as they are")]

mod definition;
mod engine;
