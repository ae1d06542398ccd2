//! The real binary: over real files, and against a host that answers what the test says.

mod audit;
mod cli;
mod client;
mod kill;
mod offline;
mod pairing;
mod stub;
