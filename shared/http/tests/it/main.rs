//! The router, as callers meet it: over memory ports and a clock that stands still.

mod api;
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
mod request;
mod schemas;
mod versions;
mod world;
