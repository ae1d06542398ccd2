//! Flows: all that a host calls.
