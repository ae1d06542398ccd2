//! The ports on AWS's services, as an emulator offers them.

#![expect(clippy::unwrap_used, reason = "a step that fails is the test that fails")]

mod conformance;
mod cost;
mod crashes;
mod entry_size;
mod outlets;
mod rules;
mod secrets;
mod trouble;
mod world;
