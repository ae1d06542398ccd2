//! The flows, on memory: what a host may rely on.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod hook;
mod house;
mod pairing;
mod people;
mod publish;
mod storage;
mod tick;
mod twice;
