//! The protocol's rules, byte by byte.
