//! Everything that the crate promises to its callers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod definition;
mod engine;
