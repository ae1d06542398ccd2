//! The host on one machine: what `sop dev` listens with and stores in.

pub mod mqtt;
