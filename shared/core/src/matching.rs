//! The index that tells which SOPs an event starts.
