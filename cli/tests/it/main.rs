//! The real binary: over real files, and against a host that answers what the test says.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails, and says where")]

mod attacks;
mod audit;
mod broker;
mod cli;
mod client;
mod devices;
mod doctor;
mod house;
mod kill;
mod layout;
mod load;
mod offline;
mod operations;
mod pairing;
mod people;
mod stories;
mod stub;
mod trace;
mod upgrade;
