//! The flows, on memory: what a host may rely on.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![expect(clippy::wildcard_enum_match_arm, reason = "what a test does not expect is its failure")]

mod dead;
mod ended;
mod hook;
mod house;
mod key;
mod log;
mod pairing;
mod people;
mod publish;
mod reconcile;
mod routine;
mod secrets;
mod storage;
mod tick;
mod timers;
mod twice;
