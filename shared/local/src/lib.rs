//! The ports of one machine: an SQLite file for the store and the queues.
//!
//! What is acknowledged is on the disk: every write is committed with an fsync before its caller is
//! told. `docs/store-sqlite.md` gives tables, keys and what each operation does.

pub mod store;

pub use store::{OpenError, Sqlite};
