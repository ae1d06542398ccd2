//! Stories: timed inputs and the trace that they must lead to, played on a virtual clock with ports in
//! memory and the flows that every host runs.
//!
//! A story is a file of TOML beside its SOP ([`Story::parse`]). [`play()`] publishes the SOPs, lets time pass
//! from input to input, delivers what the queues hold, and renders the ledgers. Nothing is called
//! outside: what built-ins answer stands in the story, but for those that only compute.

mod answer;
mod bless;
mod cast;
mod clock;
mod coverage;
mod diff;
mod enter;
mod format;
mod keys;
mod play;
mod trace;

pub use bless::bless;
pub use cast::Cast;
pub use coverage::{Branch, Coverage};
pub use diff::diff;
pub use format::{Act, Answer, Arrival, Expect, ExpectedCall, Input, Story, StoryError};
pub use play::{Played, Problem, play};
