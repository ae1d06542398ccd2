//! The router, as callers meet it: over memory ports and a clock that stands still.
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod api;
mod attacks;
mod contract;
mod decisions;
mod definitions;
mod door;
mod events;
mod gates;
mod idempotency;
mod log;
mod operate;
mod operations;
mod pairing;
mod rates;
mod request;
mod schemas;
mod signed;
mod tokens;
mod versions;
mod world;
