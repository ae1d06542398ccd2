//! The ports of one machine: an SQLite file for the store and the queues, an MQTT server in process, and
//! the loops that call the flows.
//!
//! What is acknowledged is on the disk: every write is committed with an fsync before its caller is
//! told. `docs/store-sqlite.md` gives tables, keys and what each operation does.

pub mod broker;
pub mod mqtt;
pub mod secrets;
pub mod store;
pub mod worker;

pub use secrets::LocalSecrets;
pub use store::{OpenError, Sqlite};
