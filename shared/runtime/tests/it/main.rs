//! The flows, on memory: what a host may rely on.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod house;
mod twice;
