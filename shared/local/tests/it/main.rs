//! What this host does, seen from outside.

mod mqtt;
