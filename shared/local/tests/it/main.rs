//! What this host does, seen from outside.

#[cfg(test)]
mod mqtt;
