//! The domain of Sopwith: what a procedure is, which event starts it, and how a run moves.
//!
//! Everything here is a function of its arguments. There is no clock, no randomness, no file, no
//! environment and no network (`clippy.toml` bans them): time comes in as [`Timestamp`] and goes out
//! as `wake_at`. Hosts call this crate through `sop-runtime`.
//!
//! The flow: text → [`definition`] → [`matching`] (event → SOPs) → [`engine`] (run + input + now →
//! transition or refusal) → [`journal`] (one hash-chained entry a transition).

pub mod condition;
pub mod cron;
pub mod definition;
pub mod duration;
pub mod engine;
pub mod event;
pub mod event_rule;
pub mod id;
pub mod ingress;
pub mod journal;
pub mod limits;
pub mod matching;
pub mod signature;
pub mod template;
pub mod time;
pub mod topic;
pub mod topic_rule;
pub mod trace;

pub use event::{Data, Event, Source};
pub use id::{Digest, EventId, InputId, RunId, SopName, Tenant};
pub use time::Timestamp;
